//! The parts of a split, and which fractions of the rows they are to have.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

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

/// Fails unless the fractions add up to 1, with some for training.
pub(crate) fn check_fractions(config: &SplitConfig) -> Result<()> {
    let &SplitConfig { train, validation, test, .. } = config;
    // Written so that a NaN fails.
    let fine = train > 0.0
        && validation >= 0.0
        && test >= 0.0
        && (train + validation + test - 1.0).abs() <= FRACTION_TOLERANCE;
    if fine { Ok(()) } else { Err(Error::Fractions { train, validation, test }) }
}
