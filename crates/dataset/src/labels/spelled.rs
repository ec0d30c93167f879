//! Labels 0 and 1 and their synonyms: the classes `negative` and `positive`.

use super::values::{Value, Values};
use crate::label_words::Written;
use crate::nearest::nearest;
use crate::tables::Fault;
use crate::wording::shortened;

/// Words that may be suggested; of synonyms, the preferred one comes first.
pub(super) const WORDS: [&str; 6] = ["negative", "positive", "neg", "pos", "false", "true"];

/// How the words of a column stand for the two classes: -1 is negative if the column has no 0.
#[derive(Clone, Copy)]
pub(super) struct Spelling {
    has_zero: bool,
}

impl Spelling {
    pub(super) fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self { has_zero: words.into_iter().any(|word| Written::word(word) == Written::Label(0)) }
    }

    /// 0 or 1; `None` if the word stands for neither.
    pub(super) fn label(self, word: &str) -> Option<u32> {
        match Written::word(word) {
            Written::Label(label) => Some(u32::from(label)),
            Written::MinusOne if !self.has_zero => Some(0),
            Written::MinusOne | Written::Unknown => None,
        }
    }
}

/// Whether every word stands for one of the two classes.
pub(super) fn all_spelled<'a>(words: impl Iterator<Item = &'a str> + Clone) -> bool {
    let spelling = Spelling::of(words.clone());
    words.into_iter().all(|word| spelling.label(word).is_some())
}

/// The fault for a value that stands for neither class, with all values of the column.
pub(super) fn unknown(values: &Values, value: &Value) -> Fault {
    let text = shortened(value.text());
    // In a CSV file, numbers are words too, and "expected negative or positive" would not help.
    let is_number = text.parse::<f64>().is_ok();
    Fault::UnknownLabel {
        expected: if is_number { "0 or 1" } else { "negative or positive" },
        nearest: nearest(&text, WORDS).map(str::to_owned),
        value: text,
        values: values.counts(),
    }
}
