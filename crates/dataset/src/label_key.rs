//! When two values of a label column are the same label.

use crate::classes::number;

/// Values with equal keys are the same label: numbers are compared by value, words without regard to
/// case and surrounding spaces.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// A whole number.
    Whole(i128),
    /// The bits of another number.
    Fraction(u64),
    /// A word in lower case.
    Word(String),
}

/// Larger whole numbers are not exact in a float.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Key {
    pub(crate) fn of(value: &str) -> Self {
        let value = value.trim();
        if let Ok(whole) = value.parse() {
            return Self::Whole(whole);
        }
        match number(value) {
            // The cast is exact below 2⁵³.
            Some(number) if number.fract() == 0.0 && number.abs() < EXACT => {
                Self::Whole(number as i128)
            }
            Some(number) => Self::Fraction(number.to_bits()),
            None => Self::Word(value.to_lowercase()),
        }
    }

    /// Whether it is a number.
    pub(crate) fn is_number(&self) -> bool {
        !matches!(self, Self::Word(_))
    }

    /// The number, for comparisons.
    pub(crate) fn value(&self) -> Option<f64> {
        match self {
            Self::Whole(whole) => Some(*whole as f64),
            Self::Fraction(bits) => Some(f64::from_bits(*bits)),
            Self::Word(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_value_and_words_without_case() {
        for (one, other) in [
            ("4", "4.0"),
            (" 4", "+4"),
            ("4e0", "04"),
            ("0.5", ".5"),
            ("Ham ", "hAM"),
            ("-0.0", "0"),
        ] {
            assert_eq!(Key::of(one), Key::of(other), "{one} {other}");
        }
        for (one, other) in [
            ("4", "5"),
            ("four", "4"),
            ("9007199254740993", "9007199254740992"),
            ("1e400", "2e400"),
            ("nan", "NaN1"),
        ] {
            assert_ne!(Key::of(one), Key::of(other), "{one} {other}");
        }
        assert!(Key::of("0.5").is_number() && !Key::of("inf").is_number());
    }
}
