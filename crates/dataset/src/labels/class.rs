//! Values of a column that are the same label.

use std::collections::HashMap;

use super::values::{Value, Values};
use crate::label_key::Key;

/// Values that are the same label.
pub(super) struct Class<'a> {
    /// The most frequent spelling; of equally frequent ones, the first.
    pub(super) name: &'a str,
    pub(super) key: Key,
    pub(super) is_number: bool,
    /// Whether a label map gives the name.
    pub(super) is_named: bool,
    pub(super) n_rows: usize,
    /// The value that occurs first.
    pub(super) first: &'a Value,
    pub(super) spellings: Vec<&'a Value>,
}

impl Class<'_> {
    /// The name that the class gets: a whole number without its decimals.
    pub(super) fn display_name(&self) -> String {
        match &self.key {
            Key::Whole(whole) if !self.is_named => whole.to_string(),
            _ => self.name.to_owned(),
        }
    }
}

/// Gathers values that are the same label.
pub(super) fn gathered(values: &Values) -> Vec<Class<'_>> {
    let mut idx_of: HashMap<Key, usize> = HashMap::new();
    let mut classes: Vec<Class<'_>> = Vec::new();
    for value in values.used() {
        let key = Key::of(value.text());
        let idx = *idx_of.entry(key.clone()).or_insert(classes.len());
        match classes.get_mut(idx) {
            Some(class) => {
                class.n_rows += value.n_rows;
                class.is_named |= value.is_named;
                class.spellings.push(value);
                if value.first < class.first.first {
                    class.first = value;
                }
            }
            None => classes.push(Class {
                name: value.text(),
                is_number: key.is_number(),
                key,
                is_named: value.is_named,
                n_rows: value.n_rows,
                first: value,
                spellings: vec![value],
            }),
        }
    }
    for class in &mut classes {
        let order =
            |value: &&&Value| (!value.is_named, std::cmp::Reverse(value.n_rows), value.first);
        if let Some(best) = class.spellings.iter().min_by_key(order) {
            class.name = best.text();
        }
    }
    classes
}
