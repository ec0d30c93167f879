//! Chunks of any size are the table that is read whole, and errors are the same.

use std::path::{Path, PathBuf};

use polars::prelude::DataFrame;
use proptest::prelude::*;

use super::*;

const TINY: Sizes = Sizes { rows: 1, bytes: usize::MAX, block: 7 };
const SMALL: Sizes = Sizes { rows: 3, bytes: 40, block: 64 };

/// The files of the golden tables.
fn golden() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| Format::of_input(path).is_ok()).collect()
}

fn survey(files: &[DataFile], options: &ReadOptions, sizes: Sizes) -> Result<ChunkedTable> {
    let choice = ColumnChoice::default();
    ChunkedTable::survey_sized(files, &choice, options, BadRows::Stop, sizes)
}

/// All chunks as one table, and all texts.
fn joined(table: &ChunkedTable, from: usize) -> (DataFrame, Vec<String>) {
    let (mut whole, mut texts): (Option<DataFrame>, Vec<String>) = (None, Vec::new());
    let mut next_row = from;
    for chunk in table.chunks_from(from) {
        let chunk = chunk.unwrap();
        assert_eq!(chunk.first_row(), next_row);
        next_row += chunk.n_rows();
        texts.extend(chunk.texts().map(str::to_owned));
        match &mut whole {
            None => whole = Some(chunk.table.frame),
            Some(whole) => drop(whole.vstack_mut(&chunk.table.frame).unwrap()),
        }
    }
    assert_eq!(next_row, table.n_rows());
    (whole.unwrap(), texts)
}

/// Reads a file whole and in chunks.
fn check(file: &DataFile, options: &ReadOptions) {
    let files = std::slice::from_ref(file);
    let whole = survey(files, options, Sizes::WHOLE);
    for sizes in [TINY, SMALL, Sizes::CHUNKS] {
        match (&whole, survey(files, options, sizes)) {
            (Err(whole), Err(chunked)) => assert_eq!(whole.to_string(), chunked.to_string()),
            (Ok(whole), Ok(chunked)) => {
                let (frame, texts) = joined(&chunked, 0);
                let (whole_frame, whole_texts) = joined(whole, 0);
                assert!(frame.equals_missing(&whole_frame), "{:?}", file.path());
                assert_eq!(texts, whole_texts);
                assert_eq!(chunked.n_texts(), texts.len());
                assert!(chunked.notes().eq(whole.notes()));
                let last = chunked.n_rows() - 1;
                let (rest, _) = joined(&chunked, last);
                assert!(rest.equals_missing(&whole_frame.slice(last as i64, 1)));
            }
            (whole, chunked) => panic!("{:?}: {whole:?} {chunked:?}", file.path()),
        }
    }
}

#[test]
fn chunks_of_parquet_are_what_the_whole_table_reader_reads() {
    let files = golden().into_iter().filter(|path| path.extension().unwrap() == "parquet");
    for path in files {
        let file = DataFile::open(&path).unwrap();
        let options = ReadOptions { missing: Missing::Empty, ..ReadOptions::default() };
        let mut notes = ReadNotes::default();
        let whole = crate::tables::read(&file, &options, &mut notes);
        match (whole, survey(&[file], &options, SMALL)) {
            (Ok(whole), Ok(table)) => {
                let (chunks, _) = joined(&table, 0);
                for (whole, chunked) in whole.frame.columns().iter().zip(chunks.columns()) {
                    // Categories become strings.
                    let whole = whole.cast(chunked.dtype()).unwrap();
                    assert!(whole.equals_missing(chunked), "{}: {}", path.display(), whole.name());
                }
                assert_eq!(whole.frame.shape(), chunks.shape());
                assert_eq!(whole.left_out, table.left_out_columns());
            }
            (Err(whole), Err(chunked)) => assert_eq!(whole.to_string(), chunked.to_string()),
            (whole, chunked) => panic!("{}: {whole:?} {chunked:?}", path.display()),
        }
    }
}

#[test]
fn golden_tables_are_the_same_in_chunks_of_any_size() {
    let files = golden();
    assert!(files.len() > 30);
    for path in files {
        let file = DataFile::open(&path).unwrap();
        for missing in [Missing::Empty, Missing::Skip, Missing::Error] {
            check(&file, &ReadOptions { missing, ..ReadOptions::default() });
        }
    }
}

#[test]
fn what_is_no_table_is_refused_alike_in_chunks_of_any_size() {
    let suspicious = format!("text,label\n{}\"a,0\nq r,1\nb\",1\n", "x y,0\nz w,1\n".repeat(40));
    let early = format!("text,label\n\"a,0\nq r,1\nb\",1\n{}", "x y,0\nz w,1\n".repeat(40));
    let late = format!("text,label\n{}a,b,c\n", "x y,0\n\"z\nw\",1\n".repeat(40));
    let cases = [
        ("a.csv", suspicious.as_str()),
        ("a.csv", &early),
        ("a.csv", &late),
        ("a.csv", "text,label\na,1\n\"b,1\n"),
        ("a.csv", "text,label\n\n\na,1\n\n\nb\n"),
        ("a.csv", "text,label\na,1\n\"b\" c,1\n"),
        ("a.csv", "text,label\na,1\nb\rc,1\n"),
        ("a.csv", "text;label|x\na;1|2\n"),
        ("a.csv", "text,text\na,1\n"),
        ("a.csv", "text,label\na,1\n,1\n"),
        ("a.csv", "text,label\na\0,1\n"),
        ("a.csv", "\n\n"),
        ("a.csv", "text\n"),
        ("a.tsv", "text\tlabel\nc\t0\n\"a\"\t1\n"),
        ("a.jsonl", "{\"text\": \"a\"}\n{\"text\": 1,}\n"),
        ("a.jsonl", "{\"text\": \"a\"}\n{\"text\":\n\"b\"}\n"),
        ("a.jsonl", "{\"text\": \"a\"}\n{\"text\": [1]}\n"),
        ("a.jsonl", "{\"id\": 1}\n{\"id\": 2, \"text\": \"a\"}\n"),
        ("a.jsonl", "[{\"text\": \"a\"}, {\"text\": \"b\"} {\"text\": \"c\"}]"),
        ("a.jsonl", "[{\"text\": \"a\"},\n {\"text\": 01}]"),
        ("a.jsonl", "[{\"text\": \"a\"}, , {\"text\": 1}]"),
        ("a.jsonl", "[{\"text\": \"a\"}, nul]"),
        ("a.jsonl", "[{\"text\": \"a\"}, 1, {\"text\": \"a\"}]"),
        ("a.jsonl", "[{\"text\": \"a\"}\n"),
        ("a.jsonl", "[{\"text\": \"a\"}] x"),
        // A space, but not one of JSON.
        ("a.jsonl", "\u{85}[{\"text\": \"a\"}]"),
        ("a.jsonl", "[{\"text\": \"a\""),
    ];
    for (name, content) in cases {
        let file = DataFile::from_bytes(name, content);
        assert!(
            survey(std::slice::from_ref(&file), &ReadOptions::default(), TINY).is_err(),
            "{content:?}"
        );
        check(&file, &ReadOptions::default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any bytes that look a little like a table.
    #[test]
    fn generated_tables_are_the_same_in_chunks_of_any_size(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "word", "\"", "\"\"", ",", "\t", "\n", "\r\n", "\r", "é", "👍", "\n\n", "a,b\n",
                "\"x\ny\",z\n", "{\"text\":\"a\"}\n", "{\"text\": 1, \"b\": [2]}", "[", "]", " ",
            ]),
            0..30,
        ),
        name in prop::sample::select(vec!["a.csv", "a.tsv", "a.jsonl"]),
        start in prop::sample::select(vec!["text,b\n", "text\tb\n", "", "[{\"text\": \"\"},"]),
    ) {
        let content = format!("{start}{}", pieces.concat());
        let options = ReadOptions { missing: Missing::Empty, ..ReadOptions::default() };
        check(&DataFile::from_bytes(name, content), &options);
    }
}

#[test]
fn bad_rows_stay_in_their_place_with_a_message_where_they_are_kept() {
    let kept = |name: &str, content: &str, missing| {
        let options = ReadOptions { missing, ..ReadOptions::default() };
        let files = [DataFile::from_bytes(name, content)];
        let choice = ColumnChoice::default();
        let mut results = [TINY, SMALL, Sizes::CHUNKS].map(|sizes| {
            let keep = BadRows::Keep;
            let table = ChunkedTable::survey_sized(&files, &choice, &options, keep, sizes).unwrap();
            let (mut texts, mut messages) = (Vec::new(), Vec::new());
            for chunk in table.chunks().map(Result::unwrap) {
                texts.extend(chunk.texts().map(str::to_owned));
                let of_chunk = chunk.table.bad.iter();
                messages.extend(
                    of_chunk.map(|bad| (chunk.first_row() + bad.row_idx, bad.message.clone())),
                );
            }
            assert_eq!((table.n_texts(), table.n_bad_rows()), (texts.len(), messages.len()));
            (table.n_rows(), texts, messages)
        });
        assert_eq!(results[0], results[1]);
        assert_eq!(results[0], results[2]);
        std::mem::take(&mut results[2])
    };
    let csv = "text,y\na,1\nb\nc,2,3\n\nd,4\n,5\n";
    let (n_rows, texts, messages) = kept("a.csv", csv, Missing::Skip);
    assert_eq!((n_rows, texts), (6, vec!["a".to_owned(), "d".to_owned()]));
    let count = |row, line, got| {
        format!("row {row} (line {line}): expected 2 fields, as in the first line, got {got}")
    };
    assert_eq!(messages, [(1, count(2, 3, "1: \"b\"")), (2, count(3, 4, "3: \"c,2,3\""))]);
    let (_, texts, messages) = kept("a.csv", csv, Missing::Error);
    assert_eq!(texts, ["a", "d"]);
    let rows: Vec<usize> = messages.iter().map(|(row, _)| *row).collect();
    assert_eq!(rows, [1, 2, 3, 5]);
    assert_eq!(messages[3].1, "row 6 (line 7): column \"text\" has no value");

    let json = "{\"text\": \"a\"}\n{\"new\": 1,}\n{\"text\": [1]}\nx\n{\"text\": \"b\", \"text\": 1}\n\
                {\"text\": \"c\", \"y\": 1}\n";
    let (n_rows, texts, messages) = kept("a.jsonl", json, Missing::Empty);
    assert_eq!((n_rows, texts), (6, vec!["a".to_owned(), "c".to_owned()]));
    let rows: Vec<usize> = messages.iter().map(|(row, _)| *row).collect();
    assert_eq!(rows, [1, 2, 3, 4]);
    assert!(messages[0].1.starts_with("row 2 (line 2): not readable as JSON lines: "));
    assert!(messages[1].1.contains("holds a list where a text is expected"), "{}", messages[1].1);
    // What makes the rest unreadable is an error with either.
    let files = [DataFile::from_bytes("a.csv", "text,y\na,1\n\"b,1\nc,2\n")];
    let (choice, options) = (ColumnChoice::default(), ReadOptions::default());
    assert!(ChunkedTable::survey(&files, &choice, &options, BadRows::Keep).is_err());
}

#[test]
fn several_files_follow_one_another_if_their_columns_are_equal() {
    let file = |name: &str, content: &str| DataFile::from_bytes(name, content);
    let options = ReadOptions::default();
    let files = [
        file("a.csv", "text,y\na,1\nb,2\n"),
        file("b.tsv", "text\ty\nc\t3\n"),
        file("c.csv", "text,y\nd,4\n"),
    ];
    let table = survey(&files, &options, TINY).unwrap();
    let (frame, texts) = joined(&table, 0);
    assert_eq!((frame.height(), texts.concat()), (4, "abcd".to_owned()));
    assert_eq!(joined(&table, 2).1.concat(), "cd");
    let one = survey(&files[..1], &options, TINY).unwrap();
    assert_ne!(one.digest(), table.digest());

    let json = [
        file("a.jsonl", "{\"text\": \"a\"}\n{\"y\": 1, \"text\": \"b\"}\n"),
        file("b.jsonl", "{\"y\": 2, \"text\": \"c\"}\n"),
    ];
    let table = survey(&json, &options, TINY).unwrap();
    assert_eq!(table.columns(), ["text", "y"]);
    assert_eq!(joined(&table, 0).1.concat(), "abc");

    let refused = |other: DataFile| {
        survey(&[files[0].clone(), other], &options, TINY).unwrap_err().to_string()
    };
    let start = "b.csv does not have the columns of a.csv: ";
    for (content, detail) in [
        ("text\nc\n", "it has no column \"y\""),
        ("text,y,z\nc,1,2\n", "column \"z\" is only in it"),
        ("y,text\n1,c\n", "its columns are in another order"),
    ] {
        assert_eq!(refused(file("b.csv", content)), format!("{start}{detail}"));
    }
    // A bad row is named with its file and its row there.
    let message = refused(file("b.csv", "text,y\nc\n"));
    assert!(message.starts_with("b.csv, row 1 (line 2): expected 2 fields"), "{message}");
    assert!(matches!(survey(&[], &options, TINY), Err(Error::NoFiles)));
}

#[test]
fn a_file_that_changes_between_the_passes_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, "text,y\na,1\nb,2\n").unwrap();
    let files = [DataFile::open(&path).unwrap()];
    let table = survey(&files, &ReadOptions::default(), TINY).unwrap();
    // Of the same length, so that only the time or the digest can tell.
    let metadata = std::fs::metadata(&path).unwrap();
    std::fs::write(&path, "text,y\na,1\nc,2\n").unwrap();
    let changed = std::fs::File::options().write(true).open(&path).unwrap();
    changed.set_modified(metadata.modified().unwrap()).unwrap();
    let results: Vec<_> = table.chunks().collect();
    let last = results.into_iter().next_back().unwrap();
    assert!(matches!(last, Err(Error::Changed { .. })), "{last:?}");
    // A file that was removed, or replaced by an equal one.
    let table = survey(&files, &ReadOptions::default(), TINY).unwrap();
    let other = folder.path().join("b.csv");
    std::fs::copy(&path, &other).unwrap();
    let copied = std::fs::File::options().write(true).open(&other).unwrap();
    copied.set_modified(std::fs::metadata(&path).unwrap().modified().unwrap()).unwrap();
    std::fs::remove_file(&path).unwrap();
    let first = table.chunks().next().unwrap();
    assert!(matches!(first, Err(Error::Changed { .. })), "{first:?}");
    if cfg!(unix) {
        std::fs::rename(&other, &path).unwrap();
        let first = table.chunks().next().unwrap();
        assert!(matches!(first, Err(Error::Changed { .. })), "{first:?}");
    }
}

#[test]
fn empty_cells_and_numbers_count_towards_the_size_of_a_chunk() {
    const N_COLUMNS: usize = 3000;
    let sizes = Sizes { rows: 1000, bytes: 1 << 20, block: 1 << 16 };
    let largest = |name: &str, content: String| {
        let files = [DataFile::from_bytes(name, content)];
        let table = survey(&files, &ReadOptions::default(), sizes).unwrap();
        assert_eq!(table.n_rows(), 100);
        let chunks = table.chunks().map(|chunk| chunk.unwrap().n_rows());
        (chunks.max().unwrap(), table.columns().len())
    };
    let names: Vec<String> = (1..N_COLUMNS).map(|number| format!("c{number}")).collect();
    let row = format!("a{}\n", ",".repeat(N_COLUMNS - 1));
    let csv = format!("text,{}\n{}", names.join(","), row.repeat(100));
    // 1 MiB of cells of 16 bytes.
    assert_eq!(largest("a.csv", csv), (22, N_COLUMNS));
    let all: String = names.iter().map(|name| format!(",\"{name}\":1")).collect();
    // The last object has columns that the others lack.
    let json = format!("{}{{\"text\":\"a\"{all}}}\n", "{\"text\":\"a\"}\n".repeat(99));
    assert_eq!(largest("a.jsonl", json.clone()), (22, N_COLUMNS));
    // Nor does the survey hold more.
    let file = DataFile::from_bytes("a.jsonl", json);
    let (source, options) = (file.source().unwrap(), ReadOptions::default());
    let (digest, stop) = ((None, &sizes), BadRows::Stop);
    let notes = &mut ReadNotes::default();
    let plan = crate::tables::Plan::of(&file, &source, &options, stop, digest, notes).unwrap();
    let mut reader = plan.reader(stop, true).unwrap();
    let mut shapes = Vec::new();
    while let Some(table) = reader.next_chunk(&sizes).unwrap() {
        shapes.push(table.frame.shape());
    }
    assert_eq!(shapes, [(99, 1), (1, N_COLUMNS)]);

    use polars::prelude::*;
    let mut columns = vec![Column::new("text".into(), vec!["a"; 100])];
    columns.extend((1..9).map(|number| Column::new(format!("c{number}").into(), vec![1i64; 100])));
    let mut frame = DataFrame::new(100, columns).unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    let files = [DataFile::from_bytes("a.parquet", bytes)];
    let sizes = Sizes { bytes: 10 * (16 + 8 * 8), ..sizes };
    let table = survey(&files, &ReadOptions::default(), sizes).unwrap();
    assert!(table.chunks().all(|chunk| chunk.unwrap().n_rows() == 10));
}

#[cfg(target_os = "linux")]
#[test]
fn files_are_open_only_while_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, "text,y\na,1\nb,2\n").unwrap();
        DataFile::open(&path).unwrap()
    };
    let files: Vec<DataFile> = (0..20).map(|number| open(format!("{number}.csv"))).collect();
    let n_open = || {
        let opened = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let opened = opened.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        opened.filter(|path| path.starts_with(folder.path())).count()
    };
    let table = survey(&files, &ReadOptions::default(), TINY).unwrap();
    assert_eq!(n_open(), 0);
    for chunk in table.chunks() {
        assert_eq!(chunk.unwrap().n_rows(), 1);
        assert!(n_open() <= 1);
    }
}

#[test]
fn tables_and_their_chunks_can_be_sent_to_other_threads() {
    fn sent<T: Send + 'static>() {}
    sent::<ChunkedTable>();
    sent::<Chunks>();
    sent::<TextChunk>();
    sent::<crate::AnswerWriter>();
}
