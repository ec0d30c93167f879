//! Errors of measures, with the numbers that explain them.

/// Result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why logits could not be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The number of logits, labels, weights or thresholds does not fit the others.
    #[error("{got} {what}; expected {expected}")]
    LengthMismatch {
        /// What there are too few or too many of.
        what: &'static str,
        /// Their number.
        got: usize,
        /// The number required.
        expected: usize,
    },
    /// A label is not one of the classes.
    #[error("text {text} has class {class}; there are {n_classes} classes, from 0")]
    ClassOutOfRange {
        /// The text, from 0.
        text: usize,
        /// Its label.
        class: u32,
        /// Number of classes.
        n_classes: usize,
    },
    /// A text's labels are not a part of the list of all labels.
    #[error(
        "text {text} has the labels from {start} to {end}; expected a range of {n_labels} labels"
    )]
    LabelRange {
        /// The text, from 0.
        text: usize,
        /// Where its labels start.
        start: usize,
        /// Where they end.
        end: usize,
        /// Number of labels of all texts.
        n_labels: usize,
    },
    /// A text's labels are not in ascending order, or one occurs twice.
    #[error(
        "text {text} has class {second} after class {first}; expected each class once, ascending"
    )]
    LabelOrder {
        /// The text, from 0.
        text: usize,
        /// A label.
        first: u32,
        /// The label after it.
        second: u32,
    },
    /// A threshold is not a probability that can decide.
    #[error("the threshold of class {class} is {got}; expected {expected}")]
    Threshold {
        /// The class, from 0.
        class: usize,
        /// The threshold.
        got: f32,
        /// The range allowed.
        expected: &'static str,
    },
    /// The level of an interval is not between 0 and 1.
    #[error("the level of the intervals is {got}; expected a number between 0 and 1, such as 0.95")]
    Level {
        /// The level.
        got: f64,
    },
}

/// Checks a number of things against the number required.
pub(crate) fn check_length(what: &'static str, got: usize, expected: usize) -> Result<()> {
    if got == expected { Ok(()) } else { Err(Error::LengthMismatch { what, got, expected }) }
}

/// Checks the number of logits of N texts, `[N, C]`; a product beyond `usize` fits no slice.
pub(crate) fn check_logits(logits: &[f32], n_rows: usize, n_classes: usize) -> Result<()> {
    check_length("logits", logits.len(), n_rows.saturating_mul(n_classes))
}

/// Checks that every label is one of the classes.
pub(crate) fn check_labels(labels: &[u32], n_classes: usize) -> Result<()> {
    match labels.iter().position(|&class| class as usize >= n_classes) {
        None => Ok(()),
        Some(text) => Err(Error::ClassOutOfRange { text, class: labels[text], n_classes }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_numbers_and_what_was_expected() {
        let error = check_logits(&[0.0; 5], 2, 3).unwrap_err();
        assert_eq!(error.to_string(), "5 logits; expected 6");
        let error = check_labels(&[0, 3], 3).unwrap_err();
        assert_eq!(error.to_string(), "text 1 has class 3; there are 3 classes, from 0");
        assert!(check_logits(&[], usize::MAX, 2).is_err());
    }
}
