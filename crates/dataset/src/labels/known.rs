//! Labels whose classes are known: those of a trained model, or of a training file, are the only ones.

use std::collections::HashMap;

use super::options::ClassesOf;
use super::source::Source;
use super::spelled::{self, Spelling};
use super::values::{Value, Values};
use crate::classes::{CLASS_NAMES, Classes};
use crate::error::Result;
use crate::label_key::Key;
use crate::label_words::parse_label;
use crate::nearest::nearest;
use crate::tables::Fault;
use crate::targets::Targets;
use crate::wording::shortened;

/// The known classes, by what may be written for them.
pub(super) struct Known {
    class_named: HashMap<String, u32>,
    /// `None` where the names of several classes are the same but for case or notation: labels from memory may be so.
    class_of: HashMap<Key, Option<u32>>,
    /// Whether the classes are `negative` and `positive`, which have synonyms.
    is_usual: bool,
}

impl Known {
    pub(super) fn new(classes: &Classes) -> Self {
        let (mut class_named, mut class_of) = (HashMap::new(), HashMap::new());
        for (name, class) in classes.names.iter().zip(0..) {
            class_named.insert(name.clone(), class);
            class_of.entry(Key::of(name)).and_modify(|one| *one = None).or_insert(Some(class));
        }
        Self { class_named, class_of, is_usual: classes.names == CLASS_NAMES }
    }

    /// The class that a value names.
    pub(super) fn class(&self, value: &str) -> Option<u32> {
        let usual = if self.is_usual { parse_label(value) } else { None };
        usual.map(u32::from).or_else(|| self.class_named.get(value).copied()).or_else(|| {
            let of_key = self.class_of.get(&Key::of(value));
            of_key.copied().flatten()
        })
    }
}

/// The classes of each row.
///
/// # Errors
/// `Fault::NotOfModel` for the first row with another value, or `Fault::UnknownLabel` if the model's
/// classes are `negative` and `positive`; `Fault::NotInTraining` if they are those of a training file.
pub(super) fn targets(
    source: &Source<'_>,
    values: &Values,
    (classes, of): (&Classes, ClassesOf),
) -> Result<Targets> {
    let known = Known::new(classes);
    let is_usual = known.is_usual;
    let spelling = Spelling::of(values.used().map(|value| value.text()));
    let class = |value: &Value| {
        let usual = if is_usual { spelling.label(value.text()) } else { None };
        // With its spaces first: they may be part of a name.
        usual
            .or_else(|| known.class_named.get(&value.written).copied())
            .or_else(|| known.class(value.text()))
    };
    let wrong = values.used().filter(|value| class(value).is_none());
    if let Some(value) = wrong.min_by_key(|value| value.first) {
        let first = value.first;
        let fault = if is_usual && of == ClassesOf::Model {
            spelled::unknown(values, value)
        } else {
            let names = classes.names.iter().map(String::as_str);
            let nearest = nearest(value.text(), names).map(str::to_owned);
            let (value, classes) = (shortened(value.text()), classes.names.clone());
            match of {
                ClassesOf::Model => Fault::NotOfModel { value, classes, nearest },
                ClassesOf::TrainingFile => Fault::NotInTraining { value, classes, nearest },
            }
        };
        return Err(source.wrong(first, fault));
    }
    let class_of: Vec<u32> =
        values.all.iter().map(|value| class(value).unwrap_or_default()).collect();
    Ok(values.classified(&class_of))
}
