//! Token ids of many texts in one contiguous buffer.

use crate::error::{Error, Result};
use crate::targets::Targets;
use crate::{labels, weights};

/// The token ids, classes and weights of one part of a split; the texts are not kept.
///
/// Ragged: row `r` is `ids[offsets[r]..offsets[r + 1]]`. A row may be empty.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodedSplit {
    ids: Vec<u32>,
    /// `[n_rows + 1]`, from 0 to `ids.len()`.
    offsets: Vec<usize>,
    /// Of `n_rows`; `None` for texts to predict.
    targets: Option<Targets>,
    /// `[n_rows]`; `None` if all rows count the same.
    weights: Option<Vec<f32>>,
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
        labels::check(&labels)?;
        Self::with_targets(rows, labels.into())
    }

    /// Collects rows of ids and their classes.
    ///
    /// # Errors
    /// `LengthMismatch` if the classes are not of as many rows, `MalformedTargets`, `TooManyRows`.
    pub fn with_targets<I>(rows: I, targets: Targets) -> Result<Self>
    where
        I: IntoIterator<Item: AsRef<[u32]>>,
    {
        Self::unlabelled(rows)?.labelled(targets)
    }

    /// Collects rows of ids whose classes are unknown.
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
        Ok(Self { ids, offsets, targets: None, weights: None })
    }

    /// Rebuilds a split from `ids()`, the length of every row, and the classes.
    ///
    /// # Errors
    /// `LengthMismatch` if the lengths do not add up to the ids or the classes are not of as many rows,
    /// `MalformedTargets`, `TooManyRows`.
    pub fn from_parts(ids: Vec<u32>, lengths: &[u32], targets: Targets) -> Result<Self> {
        let mut end = 0;
        let ends = lengths.iter().map(|&length| {
            end += length as usize;
            end
        });
        let offsets: Vec<usize> = [0].into_iter().chain(ends).collect();
        if end != ids.len() {
            return Err(Error::LengthMismatch { what: "ids", expected: end, got: ids.len() });
        }
        Self { ids, offsets, targets: None, weights: None }.labelled(targets)
    }

    /// Adds a weight to each row: how much it counts in training.
    ///
    /// # Errors
    /// `LengthMismatch` if there are not as many weights as rows; `BadWeight` if one is negative or not
    /// finite; `NoWeight` if all are 0.
    pub fn with_weights(self, weights: Vec<f32>) -> Result<Self> {
        weights::check(&weights, self.len())?;
        Ok(Self { weights: Some(weights), ..self })
    }

    /// Concatenates the rows of two splits.
    ///
    /// # Errors
    /// `LengthMismatch` if either has rows without classes, `DifferentTargets`, `OneWithWeights` if only
    /// one has weights, `TooManyRows`.
    pub fn joined(first: &Self, second: &Self) -> Result<Self> {
        let targets = |split: &Self| {
            let missing = Error::LengthMismatch { what: "labels", expected: split.len(), got: 0 };
            split.targets.clone().ok_or(missing)
        };
        let targets = Targets::joined(&targets(first)?, &targets(second)?)?;
        let rows = |split| (0..Self::len(split)).map(|row| Self::row(split, row));
        let joined = Self::with_targets(rows(first).chain(rows(second)), targets)?;
        match (&first.weights, &second.weights) {
            (None, None) => Ok(joined),
            (Some(one), Some(other)) => joined.with_weights([one.as_slice(), other].concat()),
            _ => Err(Error::OneWithWeights),
        }
    }

    /// Some of the rows, in the given order, with their classes and weights.
    ///
    /// # Panics
    /// If a row is past the end, like a slice.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        let (mut ids, mut offsets) = (Vec::new(), vec![0]);
        for &row in rows {
            ids.extend_from_slice(self.row(row as usize));
            offsets.push(ids.len());
        }
        let targets = self.targets.as_ref().map(|targets| targets.select(rows));
        let weights = self.weights.as_ref();
        let weights = weights.map(|all| rows.iter().map(|&row| all[row as usize]).collect());
        Self { ids, offsets, targets, weights }
    }

    /// Adds classes.
    fn labelled(mut self, targets: Targets) -> Result<Self> {
        if targets.len() != self.len() {
            return Err(Error::LengthMismatch {
                what: "labels",
                expected: self.len(),
                got: targets.len(),
            });
        }
        // The number of classes is the table's matter.
        targets.check(usize::MAX)?;
        let n_rows = self.len();
        if u32::try_from(n_rows).is_err() {
            return Err(Error::TooManyRows { n_rows });
        }
        self.targets = Some(targets);
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

    /// The classes of the rows, if they are known.
    pub fn targets(&self) -> Option<&Targets> {
        self.targets.as_ref()
    }

    /// The weights of the rows, `[n_rows]`, if they have any.
    pub fn weights(&self) -> Option<&[f32]> {
        self.weights.as_deref()
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
    fn joined_rows_have_weights_and_classes_of_one_kind() -> Result<()> {
        let split = EncodedSplit::new([vec![1, 2], vec![]], vec![0, 1])?;
        let weighted = split.clone().with_weights(vec![0.5, 0.0])?;
        let joined = EncodedSplit::joined(&weighted, &weighted)?;
        assert_eq!(joined.weights(), Some(&[0.5, 0.0, 0.5, 0.0][..]));
        assert!(matches!(EncodedSplit::joined(&split, &weighted), Err(Error::OneWithWeights)));
        let any = EncodedSplit::with_targets([[7]], Targets::any_of([[2, 1]]))?;
        assert_eq!(any.targets().map(|targets| targets.of_row(0)), Some(&[1, 2][..]));
        assert!(matches!(EncodedSplit::joined(&split, &any), Err(Error::DifferentTargets)));
        let again = EncodedSplit::from_parts(vec![7], &[1], Targets::any_of([[2, 1]]))?;
        assert_eq!(again, any);
        Ok(())
    }

    #[test]
    fn selected_rows_keep_their_classes_and_weights() -> Result<()> {
        let rows = [vec![1, 2], vec![], vec![3]];
        let split = EncodedSplit::new(&rows, vec![0, 1, 1])?.with_weights(vec![0.5, 0.0, 2.0])?;
        let expected = EncodedSplit::new([vec![3], vec![1, 2], vec![3]], vec![1, 0, 1])?;
        let expected = expected.with_weights(vec![2.0, 0.5, 2.0])?;
        assert_eq!(split.select(&[2, 0, 2]), expected);
        assert!(split.select(&[]).is_empty());
        Ok(())
    }

    #[test]
    fn weights_must_fit() {
        let message = |weights: Vec<f32>| {
            let split = EncodedSplit::new([[1], [2]], vec![0, 1]).unwrap();
            split.with_weights(weights).unwrap_err().to_string()
        };
        assert_eq!(message(vec![1.0]), "expected 2 weights, one per row, got 1");
        assert_eq!(message(vec![1.0, -1.0]), "row 2: weight -1 is not a number of at least 0");
        assert_eq!(message(vec![f32::NAN, 1.0]), "row 1: weight NaN is not a number of at least 0");
        assert_eq!(message(vec![0.0; 2]), "all 2 rows have weight 0; at least one must be above 0");
    }

    #[test]
    fn labels_must_fit() {
        let message = |labels| EncodedSplit::new([[1], [2]], labels).unwrap_err().to_string();
        assert_eq!(message(vec![1]), "expected 2 labels, one per row, got 1");
        assert_eq!(message(vec![1, 7]), "row 2: label 7 is neither 0 nor 1");
    }
}
