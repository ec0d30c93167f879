//! The real steps of each row of a padded batch.

use crate::error::{Error, Result};

/// Validated lengths: one per row, none beyond the sequence. A row of length 0 has no steps.
#[derive(Debug, Clone)]
pub(crate) struct Lengths {
    pub(crate) by_row: Vec<usize>,
    /// Whether every row fills the sequence.
    pub(crate) all_full: bool,
}

impl Lengths {
    /// `None` means that every row has all `steps`.
    pub(crate) fn check(lengths: Option<&[usize]>, batch: usize, steps: usize) -> Result<Self> {
        let Some(lengths) = lengths else {
            return Ok(Self { by_row: vec![steps; batch], all_full: true });
        };
        if lengths.len() != batch {
            return Err(Error::LengthCount { got: lengths.len(), batch });
        }
        if let Some(row) = lengths.iter().position(|&length| length > steps) {
            return Err(Error::Length { row, got: lengths[row], steps });
        }
        let all_full = lengths.iter().all(|&length| length == steps);
        Ok(Self { by_row: lengths.to_vec(), all_full })
    }
}
