//! Checks what the line reader skips: escapes in strings, and everything inside lists and objects.

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::explain::RowError;

/// Checks a value whose start and end are known.
pub(super) fn check(json: &str) -> Result<(), RowError> {
    let is_escaped = || memchr::memchr(b'\\', json.as_bytes()).is_some();
    match json.as_bytes().first() {
        Some(b'"') if is_escaped() => {
            serde_json::from_str::<String>(json).map(drop).map_err(RowError::Json)
        }
        Some(b'{' | b'[') => {
            let mut repeated = None;
            let mut deserializer = serde_json::Deserializer::from_str(json);
            let result = Inner(&mut repeated).deserialize(&mut deserializer);
            match (repeated, result) {
                (Some(key), _) => Err(RowError::RepeatedKey(key)),
                (None, result) => result.map_err(RowError::Json),
            }
        }
        _ => Ok(()),
    }
}

/// Visits a list or an object down to its leaves; `serde_json` limits the depth.
struct Inner<'r>(&'r mut Option<String>);

impl<'de> DeserializeSeed<'de> for Inner<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Inner<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(Inner(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if let Some(key) = seen.replace(key) {
                *self.0 = Some(key);
                return Err(de::Error::custom("repeated key"));
            }
            map.next_value_seed(Inner(&mut *self.0))?;
        }
        Ok(())
    }
}
