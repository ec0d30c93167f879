//! Labelled texts, to train and evaluate a classifier on.

use sha2::{Digest as _, Sha256};

use crate::columns::{ChosenColumn, ColumnChoice, ColumnNames, check_texts, choose_all};
use crate::digest::hex;
use crate::error::{Error, Result};
use crate::tables::{self, DataFile, ReadNotes, ReadOptions, TextColumn, Texts};
use crate::{groups, labels};

/// Texts with labels: 0 is negative, 1 is positive.
///
/// The texts stay in the string column that polars read them into; all methods borrow `&str` from it.
#[derive(Clone, Debug)]
pub struct LabelledTexts {
    texts: Texts,
    labels: Vec<u8>,
    columns: ColumnNames,
    groups: Option<Vec<u32>>,
    notes: ReadNotes,
    /// The rows of the file that were kept; `None` if all of them were.
    rows: Option<Vec<u32>>,
}

impl LabelledTexts {
    /// Reads the texts and labels of a table. Every column is read and checked, wanted or not.
    ///
    /// Columns that `choice` leaves open are guessed by name. Labels may be 0 and 1 as integers, floats
    /// or strings, booleans, or the words of [`parse_label`](crate::parse_label). A row without label or
    /// group is an error, unless it is left out because it has no text either.
    ///
    /// # Errors
    /// An [`Error`] that names the file, and the row, line or column at fault: a missing, empty or
    /// damaged file, a row with the wrong number of fields, an unknown column, a row without text or
    /// label, or a label of neither class.
    pub fn read(file: &DataFile, choice: &ColumnChoice, options: &ReadOptions) -> Result<Self> {
        let mut notes = ReadNotes::default();
        let path = file.name();
        let table = tables::read(file, options, &mut notes)?;
        let columns = choose_all(&path, &table, choice, &mut notes)?;
        let TextColumn { texts, rows } =
            TextColumn::of(&path, &table, &columns.text.name, options.missing, &mut notes)?;
        check_texts(&path, &table, &columns.text, &texts, &mut notes)?;
        let labels = labels::of_rows(&path, &table, &columns.label.name, rows.as_deref())?;
        let groups = match &columns.group {
            Some(column) => Some(groups::of_rows(&path, &table, &column.name, rows.as_deref())?),
            None => None,
        };
        Ok(Self { texts, labels, columns, groups, notes, rows })
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
        let (text, label) = (ChosenColumn::named("text"), ChosenColumn::named("label"));
        Ok(Self {
            texts,
            labels,
            columns: ColumnNames { text, label, group: None },
            groups: None,
            notes: ReadNotes::default(),
            rows: None,
        })
    }

    /// Adds a group to each text: rows of one group go into the same part of a split.
    ///
    /// `groups`: `[n_rows]`, equal numbers for rows of one group.
    ///
    /// # Errors
    /// `LengthMismatch` if there are not as many groups as texts.
    pub fn with_groups(self, groups: Vec<u32>) -> Result<Self> {
        if groups.len() != self.len() {
            let (expected, got) = (self.len(), groups.len());
            return Err(Error::LengthMismatch { what: "groups", expected, got });
        }
        Ok(Self { groups: Some(groups), ..self })
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

    /// The group of each row, if a group column was requested: `[n_rows]`, numbered from 0 in the
    /// order in which they appear.
    pub fn groups(&self) -> Option<&[u32]> {
        self.groups.as_deref()
    }

    /// What the user should know about how the file was read.
    pub fn notes(&self) -> &ReadNotes {
        &self.notes
    }

    /// The file row, from 1, of a row of this table; they differ where rows were left out.
    ///
    /// # Panics
    /// If the row is past the end, like a slice.
    pub fn file_row(&self, row: u32) -> usize {
        self.rows.as_ref().map_or(row, |rows| rows[row as usize]) as usize + 1
    }

    /// The texts, in file order.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.texts.iter()
    }

    /// One text. Panics past the end, like a slice.
    pub(crate) fn text(&self, row: u32) -> &str {
        self.texts.get(row as usize)
    }

    /// The texts of some rows, in the order given.
    ///
    /// # Panics
    /// If a row is past the end, like a slice.
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
    /// If a row is past the end, like a slice.
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
            // With the length, the end of one text cannot be mistaken for the start of the next.
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hex(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let table = LabelledTexts::new(["a", "b"], vec![0, 1]).unwrap();
        let error = table.with_groups(vec![7]).unwrap_err();
        assert_eq!(error.to_string(), "expected 2 groups, one per row, got 1");
    }
}
