//! Labelled texts: what a classifier is trained and measured on.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::columns::{ChosenColumn, ColumnChoice, ColumnNames, choose_both};
use crate::digest::hex;
use crate::error::{Error, Result};
use crate::labels;
use crate::source::Source;
use crate::text_table::Texts;

/// Texts with labels: 0 is negative, 1 is positive.
///
/// The texts stay in the string column that polars read them into; everything here lends `&str`.
#[derive(Clone, Debug)]
pub struct LabelledTexts {
    texts: Texts,
    labels: Vec<u8>,
    columns: ColumnNames,
}

impl LabelledTexts {
    /// Reads the texts and labels of a table; other columns are not read.
    ///
    /// The format is told by the extension: `.csv`, `.tsv`, `.jsonl` (`.ndjson`, `.json-lines`) or
    /// `.parquet`. Columns that `choice` leaves open are guessed by name. Labels may be 0 and 1 as
    /// integers, floats or strings, booleans, or the words of [`parse_label`](crate::parse_label).
    ///
    /// # Errors
    /// An [`Error`] that names the file, and the row or column if one is wrong: a missing, empty or
    /// damaged file, no such column, a row without text or label, a label of neither class.
    pub fn read(path: impl AsRef<Path>, choice: &ColumnChoice) -> Result<Self> {
        let path = path.as_ref();
        let source = Source::open(path)?;
        let columns = choose_both(path, &source.columns, choice)?;
        let frame = source.read(&[columns.text.name.clone(), columns.label.name.clone()])?;
        let texts = Texts::from_column(path, &frame, &columns.text.name)?;
        let label_column = frame.column(&columns.label.name).map_err(|_| Error::UnknownColumn {
            path: path.to_owned(),
            wanted: columns.label.name.clone(),
            columns: Vec::new(),
            nearest: None,
        })?;
        let labels = labels::from_column(path, label_column)?;
        Ok(Self { texts, labels, columns })
    }

    /// Labelled texts from memory.
    ///
    /// # Errors
    /// `LengthMismatch` if there are not as many labels as texts, `LabelNotBinary`, `TooManyRows`.
    pub fn new<S: AsRef<str>>(texts: impl IntoIterator<Item = S>, labels: Vec<u8>) -> Result<Self> {
        let texts = Texts::from_strings(texts);
        if texts.len() != labels.len() {
            return Err(Error::LengthMismatch {
                what: "labels",
                expected: texts.len(),
                got: labels.len(),
            });
        }
        if u32::try_from(texts.len()).is_err() {
            return Err(Error::TooManyRows { n_rows: texts.len() });
        }
        labels::check(&labels)?;
        let column = |name: &str| ChosenColumn { name: name.to_owned(), guessed: false };
        Ok(Self {
            texts,
            labels,
            columns: ColumnNames { text: column("text"), label: column("label") },
        })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The columns that were read, and whether they were guessed.
    pub fn columns(&self) -> &ColumnNames {
        &self.columns
    }

    /// The texts, in file order.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.texts.iter()
    }

    /// The texts of some rows, in the order given.
    ///
    /// # Panics
    /// If a row is past the end, as a slice would.
    pub fn texts_of<'a>(
        &'a self,
        rows: &'a [u32],
    ) -> impl ExactSizeIterator<Item = &'a str> + Clone {
        rows.iter().map(|&row| self.texts.get(row as usize))
    }

    /// The labels, in file order: `[n_rows]`, each 0 or 1.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The labels of some rows, in the order given.
    ///
    /// # Panics
    /// If a row is past the end, as a slice would.
    pub fn labels_of(&self, rows: &[u32]) -> Vec<u8> {
        rows.iter().map(|&row| self.labels[row as usize]).collect()
    }

    /// The number of rows of each class: `[negative, positive]`.
    pub fn class_counts(&self) -> [usize; 2] {
        let n_positive = self.labels.iter().filter(|&&label| label == 1).count();
        [self.len() - n_positive, n_positive]
    }

    /// SHA-256 over all labels and texts in their order, in hexadecimal: equal for equal contents,
    /// whatever the file's name or format.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for (text, label) in self.texts().zip(self.labels()) {
            hash.update([*label]);
            // The length keeps the end of one text from passing as the start of the next.
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hex(hash)
    }

    /// Finds texts that occur more than once, byte for byte; the first of each is kept.
    ///
    /// Do this before splitting: a text in both training and test makes the test too easy.
    pub fn deduplicate(&self) -> Deduplicated {
        let mut first_of: HashMap<&str, u8> = HashMap::with_capacity(self.len());
        let mut result = Deduplicated {
            kept: Vec::with_capacity(self.len()),
            n_duplicates: 0,
            n_conflicting: 0,
        };
        // Never more than u32::MAX rows: polars' own row index has 32 bits, and `new` checks.
        for (row, (text, &label)) in (0u32..).zip(self.texts().zip(&self.labels)) {
            match first_of.entry(text) {
                Entry::Vacant(entry) => {
                    entry.insert(label);
                    result.kept.push(row);
                }
                Entry::Occupied(entry) => {
                    result.n_duplicates += 1;
                    result.n_conflicting += usize::from(*entry.get() != label);
                }
            }
        }
        result
    }
}

/// What is left of a table when repeated texts are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deduplicated {
    /// The rows to keep, ascending.
    pub kept: Vec<u32>,
    /// How many rows were dropped.
    pub n_duplicates: usize,
    /// How many of the dropped rows had another label than the row that was kept.
    pub n_conflicting: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_texts_is_kept_and_conflicts_are_counted() {
        let texts = ["a", "b", "a", "A", "a", "b"];
        let table = LabelledTexts::new(texts, vec![0, 1, 0, 1, 1, 1]).unwrap();
        let expected = Deduplicated { kept: vec![0, 1, 3], n_duplicates: 3, n_conflicting: 1 };
        assert_eq!(table.deduplicate(), expected);
    }

    #[test]
    fn fingerprints_tell_contents_order_and_borders() {
        let print =
            |texts: [&str; 2], labels| LabelledTexts::new(texts, labels).unwrap().fingerprint();
        let one = print(["ab", "c"], vec![0, 1]);
        assert_eq!(one, print(["ab", "c"], vec![0, 1]));
        assert_eq!(one.len(), 64);
        for other in [
            print(["a", "bc"], vec![0, 1]),
            print(["c", "ab"], vec![1, 0]),
            print(["ab", "c"], vec![1, 1]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn rows_are_lent_in_the_order_asked_for() {
        let table = LabelledTexts::new(["a", "", "c"], vec![0, 1, 1]).unwrap();
        assert_eq!(table.texts().collect::<Vec<_>>(), ["a", "", "c"]);
        assert_eq!(table.texts_of(&[2, 0]).collect::<Vec<_>>(), ["c", "a"]);
        assert_eq!(table.labels_of(&[2, 0]), [1, 0]);
        assert_eq!(table.class_counts(), [1, 2]);
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        let message = |labels| LabelledTexts::new(["a", "b"], labels).unwrap_err().to_string();
        assert_eq!(message(vec![0]), "expected 2 labels, one per row, got 1");
        assert_eq!(message(vec![0, 2]), "row 2: label 2 is neither 0 nor 1");
    }
}
