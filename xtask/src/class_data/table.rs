//! A table of texts and labels in memory, as CSV and in words.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

/// Texts with labels, and one more column if it has a name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// Names of the columns after `text` and `label`.
    pub(super) more_columns: Vec<&'static str>,
    /// Text, label, and the cells of `more_columns`.
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// The table as in RFC 4180, in UTF-8, except that lines end in a line feed.
    ///
    /// # Errors
    /// If a row has more or fewer cells than there are columns.
    pub(super) fn csv(&self) -> anyhow::Result<Vec<u8>> {
        // Quotes a cell if it holds a comma, a quotation mark, a line feed or a carriage return.
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["text", "label"].iter().chain(&self.more_columns))?;
        for row in &self.rows {
            writer.write_record(row)?;
        }
        writer.into_inner().context("cannot write the table in memory")
    }
}

impl fmt::Display for Table {
    /// `3 rows (1 negative, 2 positive)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for label in self.rows.iter().filter_map(|row| row.get(1)) {
            *counts.entry(label).or_default() += 1;
        }
        let counts: Vec<String> = counts.iter().map(|(label, n)| format!("{n} {label}")).collect();
        write!(f, "{} rows ({})", self.rows.len(), counts.join(", "))
    }
}

/// 64 lower-case hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Text in which every byte is the character of that number (ISO 8859-1).
pub(super) fn from_latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[[&str; 2]]) -> Table {
        let rows = rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
        Table { more_columns: Vec::new(), rows }
    }

    #[test]
    fn cells_that_could_be_mistaken_for_several_are_quoted() {
        let csv = table(&[["plain  text ", "a"], ["a,b", "a"], ["\"so\"", "b"], ["a\rb", "b"]]);
        let expected = "text,label\nplain  text ,a\n\"a,b\",a\n\"\"\"so\"\"\",b\n\"a\rb\",b\n";
        assert_eq!(String::from_utf8(csv.csv().unwrap()).unwrap(), expected);
    }

    #[test]
    fn a_row_with_too_few_cells_is_an_error() {
        let mut table = table(&[["text", "label"]]);
        table.more_columns.push("confidence");
        assert!(table.csv().is_err());
    }

    #[test]
    fn a_table_in_words_counts_its_labels() {
        let table = table(&[["x", "pos"], ["y", "neg"], ["z", "pos"]]);
        assert_eq!(table.to_string(), "3 rows (1 neg, 2 pos)");
    }

    #[test]
    fn digests_agree_with_the_standard() {
        // The first example of FIPS 180-2.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), abc);
    }

    #[test]
    fn every_latin_1_byte_is_one_character() {
        assert_eq!(from_latin_1(b"\xa315.8m \x9d"), "£15.8m \u{9d}");
    }
}
