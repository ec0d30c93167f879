//! A number for each output of a network.

use serde::{Deserialize, Serialize};

/// A number for each output, or one for all of them. In JSON a list, or a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerOutput {
    /// The same for all outputs.
    All(f64),
    /// One for each.
    Each(Vec<f64>),
}

impl PerOutput {
    /// The number of an output.
    ///
    /// # Panics
    /// If there are fewer outputs, like a slice.
    pub fn of(&self, output: usize) -> f64 {
        match self {
            Self::All(number) => *number,
            Self::Each(numbers) => numbers[output],
        }
    }

    /// The numbers of all outputs: one if it is the same for all.
    pub fn numbers(&self) -> &[f64] {
        match self {
            Self::All(number) => std::slice::from_ref(number),
            Self::Each(numbers) => numbers,
        }
    }
}
