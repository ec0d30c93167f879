//! Labels for a trained model, whose classes are the only ones.

use std::collections::HashMap;

use super::source::Source;
use super::spelled::{self, Spelling};
use super::values::Values;
use crate::classes::{CLASS_NAMES, Classes};
use crate::error::Result;
use crate::label_key::Key;
use crate::label_words::parse_label;
use crate::nearest::nearest;
use crate::tables::Fault;
use crate::targets::Targets;
use crate::wording::shortened;

/// The classes of a model, by what may be written for them.
pub(super) struct Known {
    class_of: HashMap<Key, u32>,
    /// Whether the classes are `negative` and `positive`, which have synonyms.
    is_usual: bool,
}

impl Known {
    pub(super) fn new(classes: &Classes) -> Self {
        let names = classes.names.iter().zip(0..);
        let class_of = names.map(|(name, class)| (Key::of(name), class)).collect();
        Self { class_of, is_usual: classes.names == CLASS_NAMES }
    }

    /// The class that a value names.
    pub(super) fn class(&self, value: &str) -> Option<u32> {
        let usual = if self.is_usual { parse_label(value) } else { None };
        usual.map(u32::from).or_else(|| self.class_of.get(&Key::of(value)).copied())
    }
}

/// The classes of each row.
///
/// # Errors
/// `Fault::NotOfModel` for the first row with another value, or `Fault::UnknownLabel` if the model's
/// classes are `negative` and `positive`.
pub(super) fn targets(source: &Source<'_>, values: &Values, classes: &Classes) -> Result<Targets> {
    let known = Known::new(classes);
    let is_usual = known.is_usual;
    let spelling = Spelling::of(values.used().map(|value| value.text()));
    let class = |text: &str| {
        let usual = if is_usual { spelling.label(text) } else { None };
        usual.or_else(|| known.class(text))
    };
    let wrong = values.used().filter(|value| class(value.text()).is_none());
    if let Some(value) = wrong.min_by_key(|value| value.first) {
        let fault = if is_usual {
            spelled::unknown(values, value)
        } else {
            let names = classes.names.iter().map(String::as_str);
            let nearest = nearest(value.text(), names).map(str::to_owned);
            let value = shortened(value.text());
            Fault::NotOfModel { value, classes: classes.names.clone(), nearest }
        };
        return Err(source.wrong(value.first, fault));
    }
    let class_of: Vec<u32> =
        values.all.iter().map(|value| class(value.text()).unwrap_or_default()).collect();
    Ok(values.classified(&class_of))
}
