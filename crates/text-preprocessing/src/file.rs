//! Saving to and loading from a standard `tokenizer.json`.
//!
//! The file holds the whole pipeline, so Python's `tokenizers` encodes as we do, including padding
//! and truncation (except [`Truncation::HeadTail`](crate::Truncation::HeadTail)). It does not hold
//! `min_frequency` and `max_vocab`: callers keep the [`PreprocessingConfig`] beside it.
//!
//! Loading trusts nothing: the library panics on some damaged merges, so everything that it relies
//! on is checked in the plain JSON first.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use tokenizers::ModelWrapper;
use tokenizers::models::bpe::Vocab;

use crate::config::PreprocessingConfig;
use crate::encoder::TextEncoder;
use crate::error::{Error, Result};
use crate::rules::{Cleaning, TokenScheme};
use crate::special_tokens::{PAD_ID, PAD_TOKEN, UNKNOWN_TOKEN};
use crate::vocabulary::Vocabulary;
use crate::words::Words;
use crate::{bpe, pipeline, vocabulary};

impl TextEncoder {
    /// Writes a `tokenizer.json` atomically: an older file at `path` stays until the new one is
    /// complete. The folder must exist. Equal encoders write equal bytes.
    ///
    /// # Errors
    /// [`Error::Write`] with the system's error.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        whole_file::write(path, &self.to_json()?)
            .map_err(|source| Error::Write { path: path.to_owned(), source })
    }

    /// The bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::Build`]; no encoder is known to cause it.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut tokenizer = self.vocabulary().to_tokenizer(self.config())?;
        tokenizer.with_padding(Some(pipeline::padding(self.config())));
        let json = tokenizer.to_string(false).map_err(|source| Error::Build { source })?;
        Ok(json.into_bytes())
    }

    /// Reads a `tokenizer.json` that [`save`](Self::save) wrote under the same `config`.
    ///
    /// # Errors
    /// - [`Error::SeqLen`], [`Error::MaxVocab`] if `config` is invalid;
    /// - [`Error::Read`] if the file cannot be read, [`Error::Json`] if it is cut short or not JSON;
    /// - [`Error::Disagreement`] if it was saved under another scheme, length or truncation, or
    ///   has more ids than `max_vocab` (`min_frequency` cannot be checked);
    /// - [`Error::CleaningDisagreement`] if it was saved under another version of cleaning;
    /// - [`Error::SpecialToken`], [`Error::TokenId`], [`Error::Merge`], [`Error::Model`] if its
    ///   vocabulary is damaged.
    pub fn load(path: impl AsRef<Path>, config: PreprocessingConfig) -> Result<Self> {
        let path = path.as_ref();
        config.check()?;
        let bytes =
            fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::from_json(&bytes, config, path)
    }

    /// [`load`](Self::load) from the bytes of a `tokenizer.json`; errors name `path` as the file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_json(bytes: &[u8], config: PreprocessingConfig, path: &Path) -> Result<Self> {
        config.check()?;
        let TokenizerFile { mut settings, model } = serde_json::from_slice(bytes)
            .map_err(|source| Error::Json { path: path.to_owned(), source })?;
        let TokenizerModel { vocab: Entries(vocab), settings: model_settings } = model;
        settings.insert(MODEL.to_owned(), Value::Object(model_settings));
        let mut json = Value::Object(settings);
        check_settings(path, &json, vocab.len(), &config)?;
        let words = check_ids(path, vocab)?;
        let vocabulary = match config.scheme {
            TokenScheme::Words | TokenScheme::WordsAndPunctuation => Vocabulary::Words(words),
            TokenScheme::Bpe => {
                check_merges(path, &json[MODEL], &words)?;
                let vocab = words.iter().map(str::to_owned).zip((0u32..).map(Value::from));
                json[MODEL][VOCAB] = Value::Object(vocab.collect());
                let model = serde_json::from_value(json[MODEL].take())
                    .map_err(|source| Error::Model { path: path.to_owned(), source })?;
                let ModelWrapper::BPE(model) = model else {
                    let source = serde::de::Error::custom("not a byte-pair model");
                    return Err(Error::Model { path: path.to_owned(), source });
                };
                Vocabulary::Pieces(Box::new(model))
            }
        };
        Ok(Self::from_parts(config, vocabulary))
    }
}

const MODEL: &str = "model";
const VOCAB: &str = "vocab";

/// A `tokenizer.json` with its vocabulary kept apart: parsing a hundred thousand words into a tree of
/// JSON values would take longer than the rest of a prediction.
#[derive(Deserialize)]
struct TokenizerFile {
    #[serde(default)]
    model: TokenizerModel,
    #[serde(flatten)]
    settings: Map<String, Value>,
}

#[derive(Default, Deserialize)]
struct TokenizerModel {
    #[serde(default)]
    vocab: Entries,
    #[serde(flatten)]
    settings: Map<String, Value>,
}

/// The entries of an object in file order; `null` has none.
#[derive(Default)]
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tokens and their ids")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }

            fn visit_unit<E>(self) -> std::result::Result<Entries, E> {
                Ok(Entries::default())
            }
        }
        deserializer.deserialize_any(EntriesVisitor)
    }
}

/// Checks that the file's pipeline is the one that `config` describes.
fn check_settings(
    path: &Path,
    json: &Value,
    n_ids: usize,
    config: &PreprocessingConfig,
) -> Result<()> {
    let disagreement = |setting, expected: String, found: String| {
        Err(Error::Disagreement { path: path.to_owned(), setting, expected, found })
    };
    let expected = blank_file(config)?;
    if !same_scheme(&expected, json) {
        let found = rules_of(config, json)?;
        if let Some((scheme, found)) = found
            && scheme == config.scheme
        {
            let (path, expected) = (path.to_owned(), config.cleaning);
            return Err(Error::CleaningDisagreement { path, expected, found });
        }
        let found = found
            .map_or("unknown (from another program)".to_owned(), |(scheme, _)| scheme.to_string());
        return disagreement("scheme", config.scheme.to_string(), found);
    }
    if json["padding"] != expected["padding"] {
        let found = &json["padding"]["strategy"]["Fixed"];
        return disagreement("seq_len", config.seq_len.to_string(), found.to_string());
    }
    if json["truncation"] != expected["truncation"] {
        let found = match json["truncation"]["direction"].as_str() {
            Some("Right") => "head".to_owned(),
            Some("Left") => "tail".to_owned(),
            _ => json["truncation"].to_string(),
        };
        return disagreement("truncation", config.truncation.to_string(), found);
    }
    match config.vocab_limit() {
        Some(limit) if n_ids > limit => {
            disagreement("max_vocab", limit.to_string(), format!("{n_ids} or more"))
        }
        _ => Ok(()),
    }
}

/// The JSON of a file for `config` with an empty vocabulary.
fn blank_file(config: &PreprocessingConfig) -> Result<Value> {
    let model = match config.scheme {
        TokenScheme::Bpe => bpe::model(Vocab::default(), Vec::new())?.into(),
        TokenScheme::Words | TokenScheme::WordsAndPunctuation => {
            vocabulary::word_level(&Words::default())?
        }
    };
    let mut tokenizer = pipeline::without_stages(config, model)?;
    tokenizer.with_padding(Some(pipeline::padding(config)));
    let mut json = serde_json::to_value(&tokenizer)
        .map_err(|source| Error::Build { source: source.into() })?;
    json["normalizer"] = pipeline::normalizer(config);
    json["pre_tokenizer"] = pipeline::pre_tokenizer(config);
    Ok(json)
}

/// Whether two files normalise and split texts alike and have the same kind of model.
fn same_scheme(expected: &Value, found: &Value) -> bool {
    let stages = ["added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"];
    let Some(model) = expected["model"].as_object() else { return false };
    stages.iter().all(|&stage| expected[stage] == found[stage])
        && model
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "vocab" | "merges"))
            .all(|(key, value)| *value == found["model"][key])
}

/// The scheme and the cleaning version that a file was written under.
fn rules_of(config: &PreprocessingConfig, json: &Value) -> Result<Option<(TokenScheme, Cleaning)>> {
    for scheme in TokenScheme::ALL {
        for cleaning in Cleaning::ALL {
            let config = PreprocessingConfig { scheme, cleaning, ..config.clone() };
            if same_scheme(&blank_file(&config)?, json) {
                return Ok(Some((scheme, cleaning)));
            }
        }
    }
    Ok(None)
}

/// The tokens in id order; ids must be 0 to n-1, each once, `[PAD]` first and `[UNK]` last.
fn check_ids(path: &Path, vocab: Vec<(String, Value)>) -> Result<Words> {
    let n_ids = vocab.len();
    let last_id = (n_ids as u64).saturating_sub(1);
    for (token, expected) in [(PAD_TOKEN, u64::from(PAD_ID)), (UNKNOWN_TOKEN, last_id)] {
        let entry = vocab.iter().rev().find(|(other, _)| other == token);
        let found = entry.and_then(|(_, id)| id.as_u64());
        if found != Some(expected) {
            return Err(Error::SpecialToken { path: path.to_owned(), token, expected, found });
        }
    }
    let mut by_id: Vec<Option<String>> = vec![None; n_ids];
    for (token, id) in vocab {
        let place = id.as_u64().and_then(|id| by_id.get_mut(usize::try_from(id).ok()?));
        match place {
            Some(place @ None) => *place = Some(token),
            _ => {
                return Err(Error::TokenId { path: path.to_owned(), token, id: id.to_string() });
            }
        }
    }
    let mut words = Words::default();
    for (id, token) in by_id.into_iter().flatten().enumerate() {
        // A repeated token keeps its first number.
        if words.insert(&token) as usize != id {
            return Err(Error::TokenId { path: path.to_owned(), token, id: id.to_string() });
        }
    }
    Ok(words)
}

/// Checks that each merge joins two known tokens into a known token.
fn check_merges(path: &Path, model: &Value, words: &Words) -> Result<()> {
    let is_known = |token: &str| words.number_of(token).is_some();
    let is_sound = |merge: &Value| match merge.as_array().map(Vec::as_slice) {
        Some([Value::String(left), Value::String(right)]) => {
            is_known(left) && is_known(right) && is_known(&format!("{left}{right}"))
        }
        _ => false,
    };
    let Some(merges) = model["merges"].as_array() else {
        return Err(Error::Merge { path: path.to_owned(), rank: 0 });
    };
    match merges.iter().position(|merge| !is_sound(merge)) {
        Some(rank) => Err(Error::Merge { path: path.to_owned(), rank }),
        None => Ok(()),
    }
}
