//! How much positive texts count in training.

use std::fmt;

use recurrent::settings;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

use crate::error::Result;

/// Weight of positive texts, against 1 for negative ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PositiveWeight {
    /// This number; above 1 for rare positive texts, below it for rare negative ones.
    Number(f64),
    /// `"balanced"`: a text of a class weighs N / (2 n) where n of N training texts are of that class, as in
    /// [scikit-learn](https://scikit-learn.org/stable/modules/generated/sklearn.utils.class_weight.compute_class_weight.html),
    /// so that both classes count alike in training however skewed they are. The calibration takes the
    /// square roots: with the full weights, most texts predicted to be of a rare class would not be.
    Balanced,
}

const BALANCED: &str = "balanced";
const EXPECTED: &str = "a number above 0, or \"balanced\"";

impl PositiveWeight {
    /// All texts count equally.
    pub const NONE: Self = Self::Number(1.0);

    /// The weights of negative and positive texts, given the labels of the training texts.
    pub fn of_classes(self, labels: &[u8]) -> [f64; 2] {
        match self {
            Self::Number(weight) => [1.0, weight],
            Self::Balanced => {
                let n_positive = labels.iter().filter(|&&label| label == 1).count();
                let n_negative = labels.len() - n_positive;
                match (n_negative, n_positive) {
                    (0, _) | (_, 0) => [1.0, 1.0],
                    counts => {
                        let of_count = |n: usize| labels.len() as f64 / (2 * n) as f64;
                        [of_count(counts.0), of_count(counts.1)]
                    }
                }
            }
        }
    }

    /// The weights of negative and positive texts in the calibration, where the labels are those of the training
    /// texts.
    pub(crate) fn in_calibration(self, labels: &[u8]) -> [f64; 2] {
        let weights = self.of_classes(labels);
        match self {
            Self::Number(_) => weights,
            Self::Balanced => weights.map(f64::sqrt),
        }
    }

    pub(crate) fn check(self) -> Result<()> {
        if let Self::Number(weight) = self {
            let is_fine = weight > 0.0 && weight.is_finite();
            settings::check("positive_weight", is_fine, EXPECTED, weight)?;
        }
        Ok(())
    }
}

impl Serialize for PositiveWeight {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Number(weight) => serializer.serialize_f64(*weight),
            Self::Balanced => serializer.serialize_str(BALANCED),
        }
    }
}

impl<'de> Deserialize<'de> for PositiveWeight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct NumberOrName;

        impl Visitor<'_> for NumberOrName {
            type Value = PositiveWeight;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_f64<E: de::Error>(self, weight: f64) -> std::result::Result<Self::Value, E> {
                Ok(PositiveWeight::Number(weight))
            }

            fn visit_i64<E: de::Error>(self, weight: i64) -> std::result::Result<Self::Value, E> {
                Ok(PositiveWeight::Number(weight as f64))
            }

            fn visit_u64<E: de::Error>(self, weight: u64) -> std::result::Result<Self::Value, E> {
                Ok(PositiveWeight::Number(weight as f64))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> std::result::Result<Self::Value, E> {
                match name {
                    BALANCED => Ok(PositiveWeight::Balanced),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
        }

        deserializer.deserialize_any(NumberOrName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_a_name_is_read_and_written_back() -> serde_json::Result<()> {
        for (text, weight) in [
            ("3.0", PositiveWeight::Number(3.0)),
            ("0.25", PositiveWeight::Number(0.25)),
            ("\"balanced\"", PositiveWeight::Balanced),
        ] {
            assert_eq!(serde_json::from_str::<PositiveWeight>(text)?, weight);
            assert_eq!(serde_json::to_string(&weight)?, text);
        }
        assert_eq!(serde_json::from_str::<PositiveWeight>("9")?, PositiveWeight::Number(9.0));
        for wrong in ["\"balance\"", "true", "[1]"] {
            let error = serde_json::from_str::<PositiveWeight>(wrong).err();
            assert!(error.is_some_and(|error| error.to_string().contains(EXPECTED)), "{wrong}");
        }
        Ok(())
    }

    #[test]
    fn balanced_weights_make_the_classes_count_alike() {
        let labels: Vec<u8> = (0..100).map(|i| u8::from(i % 10 == 0)).collect();
        assert_eq!(PositiveWeight::Balanced.of_classes(&labels), [5.0 / 9.0, 5.0]);
        assert_eq!(
            PositiveWeight::Balanced.in_calibration(&labels),
            [(5.0f64 / 9.0).sqrt(), 5f64.sqrt()]
        );
        assert_eq!(PositiveWeight::Balanced.of_classes(&[1, 1]), [1.0, 1.0]);
        assert_eq!(PositiveWeight::Number(0.5).of_classes(&labels), [1.0, 0.5]);
        assert_eq!(PositiveWeight::Number(0.5).in_calibration(&labels), [1.0, 0.5]);
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(PositiveWeight::Number(wrong).check().is_err());
        }
    }
}
