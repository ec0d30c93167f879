//! What is left out at random while a network is trained.

use recurrent::settings;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// The dropout rates of a network in training. A trained network has none. The default is the notebook's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Regularization {
    /// Probability that a word becomes the unknown word in training.
    pub word_dropout: f64,
    /// Probability that an embedding feature is zeroed for all words of a text in training (variational
    /// dropout, Gal and Ghahramani 2016).
    pub variational_dropout: f64,
    /// Probability that a single value of an embedded token is zeroed in training.
    pub embedding_dropout: f64,
    /// Probability that a hidden-to-hidden weight is zeroed for all steps of a batch in training
    /// (weight-drop).
    pub weight_dropout: f64,
    /// Probability that an output of a recurrent layer is zeroed before the next layer in training.
    pub layer_dropout: f64,
    /// The same before the fully connected layer.
    pub output_dropout: f64,
}

impl Default for Regularization {
    fn default() -> Self {
        Self { layer_dropout: 0.5, output_dropout: 0.3, ..Self::NONE }
    }
}

impl Regularization {
    /// Nothing is left out.
    pub const NONE: Self = Self {
        word_dropout: 0.0,
        variational_dropout: 0.0,
        embedding_dropout: 0.0,
        weight_dropout: 0.0,
        layer_dropout: 0.0,
        output_dropout: 0.0,
    };

    /// Checks every rate's range.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) with the first field that is not at least 0 and below 1.
    pub fn check(&self) -> Result<()> {
        let rates = [
            ("word_dropout", self.word_dropout),
            ("variational_dropout", self.variational_dropout),
            ("embedding_dropout", self.embedding_dropout),
            ("weight_dropout", self.weight_dropout),
            ("layer_dropout", self.layer_dropout),
            ("output_dropout", self.output_dropout),
        ];
        for (field, value) in rates {
            settings::rate(field, value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missing_rates_are_the_defaults_and_unknown_ones_are_refused() {
        let read = |value| serde_json::from_value::<Regularization>(value);
        assert_eq!(read(json!({})).unwrap(), Regularization::default());
        let none = read(json!({ "layer_dropout": 0.0, "output_dropout": 0.0 })).unwrap();
        assert_eq!(none, Regularization::NONE);
        assert!(read(json!({ "dropout": 0.5 })).is_err());
    }

    #[test]
    fn a_rate_is_at_least_0_and_below_1() {
        let with = |value| Regularization { weight_dropout: value, ..Regularization::NONE };
        with(0.99).check().unwrap();
        for value in [-0.1, 1.0, f64::NAN] {
            let error = with(value).check().unwrap_err().to_string();
            assert!(error.starts_with("weight_dropout is"), "{error}");
        }
    }
}
