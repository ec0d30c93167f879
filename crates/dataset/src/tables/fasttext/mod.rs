//! Reads lines in fastText's format: `__label__positive some text`, with one label or several before the text.
//!
//! They become a table of two columns of strings, `text` and `label`. A label cannot hold a space, so a cell of
//! several labels has spaces between them ([`SEPARATOR`]). Blank lines are skipped.

mod line;
mod reader;

use super::text_file::TextFile;

pub(super) use self::line::is_fasttext;
pub(super) use self::reader::Reader;

/// What separates the labels of a cell.
pub(crate) const SEPARATOR: char = ' ';

/// A file in fastText's format.
#[derive(Clone, Debug)]
pub(crate) struct FastText {
    pub(super) file: TextFile,
}

#[cfg(test)]
mod tests {
    use crate::error::{Error, Result};
    use crate::tables::chunk::{BadRows, Sizes};
    use crate::tables::table::Table;
    use crate::tables::{self, DataFile, Plan, ReadNotes, ReadOptions};

    fn read(text: &str, sizes: &Sizes) -> Result<Table> {
        let file = DataFile::from_bytes("x.txt", text);
        tables::read_sized(&file, &ReadOptions::default(), sizes, &mut ReadNotes::default())
    }

    type Row = (Option<String>, Option<String>, usize);

    fn rows_of(table: &Table) -> Vec<Row> {
        let cells = |name: &str| -> Vec<Option<String>> {
            let column = table.frame.column(name).unwrap().str().unwrap();
            column.iter().map(|cell| cell.map(str::to_owned)).collect()
        };
        let cells = cells("label").into_iter().zip(cells("text"));
        cells.zip(&table.lines).map(|((label, text), &line)| (label, text, line)).collect()
    }

    /// The same for every size of the part that is in memory.
    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str, usize)]) {
        let some = |cell: &str| (!cell.is_empty()).then(|| cell.to_owned());
        let expected: Vec<Row> =
            expected.iter().map(|&(label, text, line)| (some(label), some(text), line)).collect();
        for block in [Sizes::WHOLE.block, 3] {
            let table = read(text, &Sizes { block, ..Sizes::WHOLE }).unwrap();
            assert_eq!(rows_of(&table), expected, "{text:?}");
        }
    }

    fn message(text: &str) -> String {
        let error = read(text, &Sizes::WHOLE).unwrap_err().to_string();
        let small = read(text, &Sizes { block: 3, ..Sizes::WHOLE }).unwrap_err().to_string();
        assert_eq!(error, small);
        error
    }

    #[test]
    fn labels_come_first_and_the_rest_of_the_line_is_the_text() {
        check("__label__a one two\n__label__b three\n", &[("a", "one two", 1), ("b", "three", 2)]);
        check("__label__a\tone  two \n", &[("a", "one  two ", 1)]);
        check("__label__a , \"one\" , __label\n", &[("a", ", \"one\" , __label", 1)]);
        check("\u{feff}__label__a one", &[("a", "one", 1)]);
        check("__label__ä|b,c;d é\u{a0}e", &[("ä|b,c;d", "é\u{a0}e", 1)]);
    }

    #[test]
    fn several_labels_are_a_cell_with_spaces_and_each_counts_once() {
        check(
            " __label__a  __label__b\t__label__a one\n__label__b two\n",
            &[("a b", "one", 1), ("b", "two", 2)],
        );
    }

    #[test]
    fn lines_may_end_in_any_way_and_blank_ones_are_no_rows() {
        for text in [
            "__label__a one\r\n\r\n__label__b two\r\n",
            "__label__a one\r\r__label__b two",
            "__label__a one\n \t\n__label__b two\n\n\n",
        ] {
            check(text, &[("a", "one", 1), ("b", "two", 3)]);
        }
    }

    #[test]
    fn a_line_without_label_or_without_text_is_a_row_without_it() {
        check(
            "__label__a one\ntwo\n__label__b\n__label__c \t\n",
            &[("a", "one", 1), ("", "two", 2), ("b", "", 3), ("c", "", 4)],
        );
    }

    #[test]
    fn what_is_no_label_is_refused_with_its_line() {
        assert_eq!(
            message("__label__a one\n\n__label__ two\n"),
            "x.txt, row 2 (line 3): a label has no name after \"__label__\""
        );
        assert_eq!(
            message("__label__a one __label__b\n"),
            "x.txt, row 1 (line 1): label \"__label__b\" comes after the text has begun"
        );
        assert!(message("__label__a a\0b\n").contains("NUL"));
    }

    #[test]
    fn chunks_are_the_whole_table_and_bad_lines_can_be_kept() {
        let text = "__label__a one\n__label__ two\n__label__b three\n";
        let file = DataFile::from_bytes("x.txt", text);
        let (options, notes) = (ReadOptions::default(), &mut ReadNotes::default());
        let sizes = Sizes { rows: 2, block: 3, ..Sizes::WHOLE };
        let source = file.source().unwrap();
        let plan =
            Plan::of(&file, &source, &options, BadRows::Keep, (None, &sizes), notes).unwrap();
        let mut reader = plan.reader(BadRows::Keep, true).unwrap();
        let first = reader.next_chunk(&sizes).unwrap().unwrap();
        let second = reader.next_chunk(&sizes).unwrap().unwrap();
        assert!(reader.next_chunk(&sizes).unwrap().is_none());
        reader.finish(notes).unwrap();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(rows_of(&first), [(some("a"), some("one"), 1), (None, None, 2)]);
        assert_eq!(rows_of(&second), [(some("b"), some("three"), 3)]);
        assert_eq!((second.first_row, first.bad.len(), first.bad[0].row_idx), (2, 1, 1));
        assert!(first.bad[0].message.starts_with("row 2 (line 2): "), "{}", first.bad[0].message);
    }

    #[test]
    fn only_a_file_that_begins_with_a_label_is_recognised() {
        let unknown =
            |text: &str| matches!(read(text, &Sizes::WHOLE), Err(Error::UnknownExtension { .. }));
        assert!(unknown("one\n__label__a two\n") && unknown("_label_a one\n") && unknown(""));
        check("\n \n__label__a one\n", &[("a", "one", 3)]);
    }
}
