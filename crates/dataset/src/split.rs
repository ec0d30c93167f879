//! Splits rows into training, validation and test, with the same share of each class in all three.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::labels::CLASS_NAMES;
use crate::shuffle::{Purpose, generator, shuffle};

/// The fewest rows that can be split.
pub const MIN_ROWS: usize = 10;

/// How far the sum of the fractions may be from 1: they are typed by people or come from f32.
const FRACTION_TOLERANCE: f64 = 1e-6;

/// The fractions of the parts, and the seed that decides which row goes where.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitConfig {
    /// The fraction for training; more than 0.
    pub train: f64,
    /// The fraction for validation; 0 for no such part.
    pub validation: f64,
    /// The fraction for the final test; 0 for no such part.
    pub test: f64,
    /// Equal seeds give equal splits on every machine.
    pub seed: u64,
}

impl Default for SplitConfig {
    /// 80 %, 10 % and 10 %, seed 0.
    fn default() -> Self {
        Self { train: 0.8, validation: 0.1, test: 0.1, seed: 0 }
    }
}

/// The rows of each part: disjoint, ascending, and together all the given rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The rows to train on.
    pub train: Vec<u32>,
    /// The rows to choose settings on.
    pub validation: Vec<u32>,
    /// The rows for the one final measurement.
    pub test: Vec<u32>,
}

impl Split {
    /// Splits rows by class, so that each part gets its share of each class to within one row.
    ///
    /// `labels`: of the whole table, each 0 or 1; `rows`: the rows to split, usually
    /// [`Deduplicated::kept`](crate::Deduplicated::kept).
    ///
    /// # Errors
    /// `Fractions` if they do not add up to 1, `TooFewRows` below [`MIN_ROWS`], `SingleClass`,
    /// `LabelNotBinary`, `EmptyPart` if a requested part gets no row, `ClassNotInTraining`.
    ///
    /// # Panics
    /// If a row is past the end of `labels`, like a slice.
    pub fn stratified(labels: &[u8], rows: &[u32], config: &SplitConfig) -> Result<Self> {
        check_fractions(config)?;
        let by_class = by_class(labels, rows)?;
        let mut split = Self { train: Vec::new(), validation: Vec::new(), test: Vec::new() };
        let mut rng = generator(config.seed, Purpose::Split);
        for (class, mut of_class) in by_class.into_iter().enumerate() {
            let n_rows = of_class.len();
            let n_test = share(n_rows, config.test).min(n_rows);
            let n_validation = share(n_rows, config.validation).min(n_rows - n_test);
            if n_test + n_validation == n_rows {
                return Err(Error::ClassNotInTraining { label: CLASS_NAMES[class], n_rows });
            }
            shuffle(&mut of_class, &mut rng);
            let (test, rest) = of_class.split_at(n_test);
            let (validation, train) = rest.split_at(n_validation);
            split.test.extend_from_slice(test);
            split.validation.extend_from_slice(validation);
            split.train.extend_from_slice(train);
        }
        split.finished(rows.len(), config)
    }

    /// Sorts the rows of each part; fails if a requested part is empty.
    pub(crate) fn finished(mut self, n_rows: usize, config: &SplitConfig) -> Result<Self> {
        let parts = [
            ("validation", &mut self.validation, config.validation),
            ("test", &mut self.test, config.test),
        ];
        for (part, part_rows, fraction) in parts {
            if part_rows.is_empty() && fraction > 0.0 {
                return Err(Error::EmptyPart { part, n_rows, fraction });
            }
            part_rows.sort_unstable();
        }
        self.train.sort_unstable();
        Ok(self)
    }
}

/// The rows of each class; fails if there are too few or a class has none.
pub(crate) fn by_class(labels: &[u8], rows: &[u32]) -> Result<[Vec<u32>; 2]> {
    if rows.len() < MIN_ROWS {
        return Err(Error::TooFewRows { n_rows: rows.len(), needed: MIN_ROWS });
    }
    let mut by_class = [Vec::new(), Vec::new()];
    for &row in rows {
        match labels[row as usize] {
            label @ (0 | 1) => by_class[usize::from(label)].push(row),
            value => return Err(Error::LabelNotBinary { row: row as usize + 1, value }),
        }
    }
    for (class, other) in [(0, 1), (1, 0)] {
        if by_class[other].is_empty() {
            return Err(Error::SingleClass { label: CLASS_NAMES[class], n_rows: rows.len() });
        }
    }
    Ok(by_class)
}

/// A fraction of the rows, to the nearest row.
fn share(n_rows: usize, fraction: f64) -> usize {
    (n_rows as f64 * fraction).round() as usize
}

pub(crate) fn check_fractions(config: &SplitConfig) -> Result<()> {
    let &SplitConfig { train, validation, test, .. } = config;
    // Written so that a NaN fails.
    let fine = train > 0.0
        && validation >= 0.0
        && test >= 0.0
        && (train + validation + test - 1.0).abs() <= FRACTION_TOLERANCE;
    if fine { Ok(()) } else { Err(Error::Fractions { train, validation, test }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_rows(labels: &[u8]) -> Vec<u32> {
        (0..labels.len() as u32).collect()
    }

    fn message(labels: &[u8], config: &SplitConfig) -> String {
        Split::stratified(labels, &all_rows(labels), config).unwrap_err().to_string()
    }

    /// A change here changes every user's test rows: models trained before and after it cannot be
    /// compared. `tests/pinned_split.py` computes the same rows without this code.
    #[test]
    fn the_split_of_a_seed_never_changes() {
        let labels: Vec<u8> = (0..40).map(|row| u8::from(row % 3 == 0)).collect();
        let config = SplitConfig { seed: 42, ..SplitConfig::default() };
        let split = Split::stratified(&labels, &all_rows(&labels), &config).unwrap();
        assert_eq!(split.test, [6, 11, 13, 35]);
        assert_eq!(split.validation, [1, 15, 29, 31]);
        assert_eq!(split.train.len(), 32);
    }

    #[test]
    fn even_the_fewest_rows_fill_every_part() {
        for n_positive in 1..MIN_ROWS {
            let labels: Vec<u8> = (0..MIN_ROWS).map(|row| u8::from(row < n_positive)).collect();
            let split =
                Split::stratified(&labels, &all_rows(&labels), &SplitConfig::default()).unwrap();
            assert!(!split.validation.is_empty() && !split.test.is_empty(), "{n_positive}");
        }
    }

    #[test]
    fn a_part_without_a_share_is_empty() {
        let labels = [0, 1].repeat(10);
        let config = SplitConfig { train: 0.9, validation: 0.1, test: 0.0, seed: 3 };
        let split = Split::stratified(&labels, &all_rows(&labels), &config).unwrap();
        assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (18, 2, 0));
    }

    #[test]
    fn what_cannot_be_split_is_refused() {
        let default = SplitConfig::default();
        assert_eq!(
            message(&[0, 1, 0], &default),
            "3 rows are too few to split; at least 10 are needed"
        );
        assert_eq!(
            message(&[1; 20], &default),
            "all 20 rows are labelled positive; a classifier needs both classes"
        );
        assert_eq!(
            message(&[0; 20], &default),
            "all 20 rows are labelled negative; a classifier needs both classes"
        );
        assert_eq!(
            message(&[0, 1].repeat(10), &SplitConfig { train: 0.89, test: 0.01, ..default }),
            "20 rows are too few: a fraction of 0.01 leaves test empty"
        );
        let mut one_positive = vec![0; 19];
        one_positive.push(1);
        let half = SplitConfig { train: 0.4, validation: 0.0, test: 0.6, seed: 0 };
        assert_eq!(
            message(&one_positive, &half),
            "no row labelled positive is left for training, out of 1 in total"
        );
        assert_eq!(message(&[0, 1, 2].repeat(10), &default), "row 3: label 2 is neither 0 nor 1");
    }

    #[test]
    fn fractions_must_make_a_whole() {
        let labels = [0, 1].repeat(10);
        for (train, validation, test) in
            [(0.8, 0.1, 0.2), (0.0, 0.5, 0.5), (1.1, -0.1, 0.0), (f64::NAN, 0.1, 0.1)]
        {
            let config = SplitConfig { train, validation, test, seed: 0 };
            assert!(
                message(&labels, &config).starts_with("split fractions must not be negative"),
                "{config:?}"
            );
        }
        let nearly = SplitConfig { train: f64::from(0.8f32), ..SplitConfig::default() };
        assert!(Split::stratified(&labels, &all_rows(&labels), &nearly).is_ok());
    }
}
