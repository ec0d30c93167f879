//! Token ids of many texts in one contiguous buffer.

use crate::error::{Error, Result};
use crate::labels;

/// The token ids and labels of one part of a split; the texts are not kept.
///
/// Ragged: row `r` is `ids[offsets[r]..offsets[r + 1]]`. A row may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedSplit {
    ids: Vec<u32>,
    /// `[n_rows + 1]`, from 0 to `ids.len()`.
    offsets: Vec<usize>,
    /// `[n_rows]`; `None` for texts to predict.
    labels: Option<Vec<u8>>,
}

impl EncodedSplit {
    /// Collects rows of ids and their labels, each 0 or 1.
    ///
    /// ```
    /// use dataset::EncodedSplit;
    ///
    /// let split = EncodedSplit::new([vec![5, 6, 7], vec![], vec![8]], vec![0, 1, 1])?;
    /// assert_eq!(split.row(0), [5, 6, 7]);
    /// assert!(split.row(1).is_empty());
    /// assert_eq!(split.n_tokens(), 4);
    /// # Ok::<(), dataset::Error>(())
    /// ```
    ///
    /// # Errors
    /// `LengthMismatch` if there are not as many labels as rows, `LabelNotBinary`, `TooManyRows`.
    pub fn new<I>(rows: I, labels: Vec<u8>) -> Result<Self>
    where
        I: IntoIterator<Item: AsRef<[u32]>>,
    {
        Self::unlabelled(rows)?.labelled(labels)
    }

    /// Collects rows of ids whose labels are unknown. The labels in their batches are NaN, so that a
    /// loss computed by mistake is NaN too, not a plausible number.
    ///
    /// # Errors
    /// `TooManyRows` from 2³² rows on.
    pub fn unlabelled<I>(rows: I) -> Result<Self>
    where
        I: IntoIterator<Item: AsRef<[u32]>>,
    {
        let mut ids = Vec::new();
        let mut offsets = vec![0];
        for row in rows {
            ids.extend_from_slice(row.as_ref());
            offsets.push(ids.len());
        }
        // Growth by doubling leaves up to half unused, and this lives for the whole training.
        ids.shrink_to_fit();
        offsets.shrink_to_fit();
        let n_rows = offsets.len() - 1;
        if u32::try_from(n_rows).is_err() {
            return Err(Error::TooManyRows { n_rows });
        }
        Ok(Self { ids, offsets, labels: None })
    }

    /// Rebuilds a split from `ids()`, the length of every row, and the labels.
    ///
    /// # Errors
    /// `LengthMismatch` if the lengths do not add up to the ids or there are not as many labels as
    /// rows, `LabelNotBinary`, `TooManyRows`.
    pub fn from_parts(ids: Vec<u32>, lengths: &[u32], labels: Vec<u8>) -> Result<Self> {
        let mut end = 0;
        let ends = lengths.iter().map(|&length| {
            end += length as usize;
            end
        });
        let offsets: Vec<usize> = [0].into_iter().chain(ends).collect();
        if end != ids.len() {
            return Err(Error::LengthMismatch { what: "ids", expected: end, got: ids.len() });
        }
        Self { ids, offsets, labels: None }.labelled(labels)
    }

    /// Concatenates the rows of two splits.
    ///
    /// # Errors
    /// `LengthMismatch` if either has rows without labels, `TooManyRows`.
    pub fn joined(first: &Self, second: &Self) -> Result<Self> {
        let labels = [first, second].map(|split| split.labels.as_deref().unwrap_or_default());
        let rows = |split| (0..Self::len(split)).map(|row| Self::row(split, row));
        Self::new(rows(first).chain(rows(second)), labels.concat())
    }

    /// Adds labels.
    fn labelled(mut self, labels: Vec<u8>) -> Result<Self> {
        if labels.len() != self.len() {
            return Err(Error::LengthMismatch {
                what: "labels",
                expected: self.len(),
                got: labels.len(),
            });
        }
        labels::check(&labels)?;
        let n_rows = self.len();
        if u32::try_from(n_rows).is_err() {
            return Err(Error::TooManyRows { n_rows });
        }
        self.labels = Some(labels);
        Ok(self)
    }

    /// The ids of all rows, concatenated.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ids of one row, without padding.
    ///
    /// # Panics
    /// If the row is past the end, like a slice.
    pub fn row(&self, row: usize) -> &[u32] {
        &self.ids[self.offsets[row]..self.offsets[row + 1]]
    }

    /// The labels, `[n_rows]`, if they are known.
    pub fn labels(&self) -> Option<&[u8]> {
        self.labels.as_deref()
    }

    /// The total number of ids in all rows.
    pub fn n_tokens(&self) -> usize {
        self.ids.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rows_are_fine() {
        let split = EncodedSplit::new(Vec::<Vec<u32>>::new(), vec![]).unwrap();
        assert!(split.is_empty());
        assert_eq!(split.n_tokens(), 0);
    }

    #[test]
    fn joined_rows_keep_their_labels() -> Result<()> {
        let first = EncodedSplit::new([vec![1, 2], vec![]], vec![0, 1])?;
        let second = EncodedSplit::new([vec![3]], vec![1])?;
        let joined = EncodedSplit::joined(&first, &second)?;
        assert_eq!(joined, EncodedSplit::new([vec![1, 2], vec![], vec![3]], vec![0, 1, 1])?);
        let unlabelled = EncodedSplit::unlabelled([vec![3]])?;
        assert!(EncodedSplit::joined(&first, &unlabelled).is_err());
        Ok(())
    }

    #[test]
    fn labels_must_fit() {
        let message = |labels| EncodedSplit::new([[1], [2]], labels).unwrap_err().to_string();
        assert_eq!(message(vec![1]), "expected 2 labels, one per row, got 1");
        assert_eq!(message(vec![1, 7]), "row 2: label 7 is neither 0 nor 1");
    }
}
