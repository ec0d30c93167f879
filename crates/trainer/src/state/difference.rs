//! What differs between two trainings, entry by entry.

use std::fmt;

use serde_json::{Map, Value};

/// Something in which two trainings differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its name, such as `training.epochs`.
    pub name: String,
    /// What it was in the earlier training.
    pub was: String,
    /// What it is in the later one.
    pub is: String,
    /// Whether what is trained is the same, though its numbers may be others: rounded in another way, or computed by
    /// another build of the program.
    pub is_minor: bool,
}

impl fmt::Display for Difference {
    /// `training.epochs was 4 and is 9`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was {} and is {}", self.name, self.was, self.is)
    }
}

impl Difference {
    /// All entries that differ, by their paths, such as `training.epochs`. Maps are compared entry by entry; an entry
    /// that one of them lacks is null there, which is called `none`. Each difference counts as one of what is trained.
    pub fn all(was: &Value, is: &Value) -> Vec<Self> {
        let mut found = Vec::new();
        compare("", was, is, &mut found);
        found
    }
}

fn compare(name: &str, was: &Value, is: &Value, found: &mut Vec<Difference>) {
    if let (Value::Object(was), Value::Object(is)) = (was, is) {
        let of = |map: &Map<String, Value>, key: &str| map.get(key).cloned().unwrap_or_default();
        let added = is.keys().filter(|key| !was.contains_key(*key));
        for key in was.keys().chain(added) {
            let inner = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            compare(&inner, &of(was, key), &of(is, key), found);
        }
    } else if was != is {
        let [was, is] = [was, is].map(in_words);
        found.push(Difference { name: name.to_string(), was, is, is_minor: false });
    }
}

fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "none".to_string(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(was: &Value, is: &Value) -> Vec<String> {
        Difference::all(was, is).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_what_differs_is_listed_by_its_path() {
        let was = json!({ "training": { "epochs": 4, "seed": 0 }, "model": { "cell": "lstm" } });
        let mut is = was.clone();
        assert_eq!(words(&was, &is), [""; 0]);
        is["training"] = json!({ "epochs": 9, "seed": 0, "goal": { "recall": 0.9 } });
        let expected =
            ["training.epochs was 4 and is 9", "training.goal was none and is {\"recall\":0.9}"];
        assert_eq!(words(&was, &is), expected);
    }

    #[test]
    fn an_entry_that_one_of_them_lacks_is_a_difference_unless_it_is_null() {
        let (without, with) = (json!({ "training": {} }), json!({ "training": { "seed": 0 } }));
        assert_eq!(words(&without, &with), ["training.seed was none and is 0"]);
        assert_eq!(words(&with, &without), ["training.seed was 0 and is none"]);
        assert_eq!(words(&without, &json!({ "training": { "seed": null } })), [""; 0]);
    }
}
