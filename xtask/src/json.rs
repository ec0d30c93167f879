//! JSON with its numbers as they are written, so that two files are only equal if every digit is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json {
    Object(BTreeMap<String, Json>),
    Array(Vec<Json>),
    /// A string, number, truth value or null, as it is written.
    Plain(String),
}

impl Json {
    /// # Errors
    /// If the text is not one JSON value.
    pub(crate) fn parse(text: &str) -> serde_json::Result<Self> {
        Self::of(serde_json::from_str(text)?)
    }

    fn of(raw: &RawValue) -> serde_json::Result<Self> {
        let text = raw.get();
        if text.starts_with('{') {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            let fields = fields.into_iter().map(|(key, raw)| Ok((key, Self::of(raw)?)));
            return Ok(Self::Object(fields.collect::<serde_json::Result<_>>()?));
        }
        if text.starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            return Ok(Self::Array(items.into_iter().map(Self::of).collect::<Result<_, _>>()?));
        }
        Ok(Self::Plain(text.to_string()))
    }

    /// A field of an object.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.get(key),
            _ => None,
        }
    }

    /// The text of a string.
    pub(crate) fn as_string(&self) -> Option<String> {
        match self {
            Self::Plain(text) => serde_json::from_str(text).ok(),
            _ => None,
        }
    }

    /// The nearest f64 to a number.
    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Plain(text) if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                text.parse().ok()
            }
            _ => None,
        }
    }

    /// Removes these fields at any depth.
    pub(crate) fn remove(&mut self, keys: &[&str]) {
        match self {
            Self::Object(fields) => {
                fields.retain(|key, _| !keys.contains(&key.as_str()));
                fields.values_mut().for_each(|value| value.remove(keys));
            }
            Self::Array(items) => items.iter_mut().for_each(|item| item.remove(keys)),
            Self::Plain(_) => {}
        }
    }

    /// The first place in which it is not as expected, and what is there; `None` if all is equal.
    pub(crate) fn difference(&self, expected: &Self) -> Option<String> {
        let (place, got, expected) = first_difference(Some(self), Some(expected))?;
        let place = place.strip_prefix('.').unwrap_or(&place);
        let place = if place.is_empty() { "it" } else { place };
        Some(format!("{place} is {got}, not {expected}"))
    }
}

/// The place, what is there, and what was expected.
fn first_difference(
    got: Option<&Json>,
    expected: Option<&Json>,
) -> Option<(String, String, String)> {
    let within = |step: String, got, expected| {
        first_difference(got, expected).map(|(place, got, expected)| (step + &place, got, expected))
    };
    match (got, expected) {
        (Some(Json::Object(got)), Some(Json::Object(expected))) => {
            let keys: BTreeSet<_> = got.keys().chain(expected.keys()).collect();
            keys.into_iter()
                .find_map(|key| within(format!(".{key}"), got.get(key), expected.get(key)))
        }
        (Some(Json::Array(got)), Some(Json::Array(expected))) => (0..got.len().max(expected.len()))
            .find_map(|idx| within(format!("[{idx}]"), got.get(idx), expected.get(idx))),
        _ if got == expected => None,
        _ => Some((String::new(), in_short(got), in_short(expected))),
    }
}

fn in_short(json: Option<&Json>) -> String {
    match json {
        None => "absent".to_string(),
        Some(Json::Object(fields)) => format!("an object of {} fields", fields.len()),
        Some(Json::Array(items)) => format!("an array of {}", items.len()),
        Some(Json::Plain(text)) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn a_number_is_equal_only_if_its_digits_are() {
        let expected = json(r#"{"a": [1, {"b": 0.1}], "c": "x"}"#);
        assert_eq!(json(r#"{ "c": "x", "a": [1,{"b":0.1}] }"#).difference(&expected), None);
        let said = |text: &str| json(text).difference(&expected).unwrap();
        assert_eq!(said(r#"{"a": [1, {"b": 0.10}], "c": "x"}"#), "a[1].b is 0.10, not 0.1");
        assert_eq!(said(r#"{"a": [1, {"b": 0.1}]}"#), "c is absent, not \"x\"");
        assert_eq!(said(r#"{"a": [1], "c": "x"}"#), "a[1] is absent, not an object of 1 fields");
        assert_eq!(said(r#"{"a": [], "b": null, "c": "x"}"#), "a[0] is absent, not 1");
        assert_eq!(said("-0.0"), "it is -0.0, not an object of 2 fields");
        assert_eq!(json("-0.0").difference(&json("0.0")).unwrap(), "it is -0.0, not 0.0");
    }

    #[test]
    fn fields_are_removed_at_any_depth() {
        let mut got = json(r#"{"t": 1, "a": [{"t": {"b": 2}, "b": 3}], "b": {"t": []}}"#);
        got.remove(&["t"]);
        assert_eq!(got, json(r#"{"a": [{"b": 3}], "b": {}}"#));
    }

    #[test]
    fn strings_and_numbers_are_told_apart() {
        assert_eq!(json(r#""a\u0062""#).as_string().unwrap(), "ab");
        assert_eq!(json(r#""1""#).as_number(), None);
        assert_eq!(json("null").as_number(), None);
        assert_eq!(json("true").as_number(), None);
        assert_eq!(json("-2.5e-3").as_number(), Some(-2.5e-3));
        assert!(Json::parse("{\"a\": 1} {").is_err());
    }
}
