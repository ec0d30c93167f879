//! Saving to and loading from a standard `tokenizer.json`.
//!
//! The file holds the whole pipeline, so Python's `tokenizers` encodes as we do, padding and
//! cutting included ([`Truncation::HeadTail`](crate::Truncation::HeadTail) excepted). It does not
//! hold `min_frequency` and `max_vocab`: callers keep the [`PreprocessingConfig`] beside it.
//!
//! Loading trusts nothing: the library panics on some damaged merges, so all that it relies on is
//! checked on the plain JSON before it sees the file.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde_json::Value;
use tokenizers::Tokenizer;
use tokenizers::models::bpe::Vocab;

use crate::config::{PreprocessingConfig, TokenScheme};
use crate::encoder::TextEncoder;
use crate::error::{Error, Result};
use crate::vocabulary::{PAD_ID, PAD_TOKEN, UNKNOWN_TOKEN};
use crate::{bpe, pipeline, vocabulary};

impl TextEncoder {
    /// Writes a `tokenizer.json`, whole or not at all: an older file at `path` stays until the
    /// new one is complete. The folder must exist. Equal encoders write equal bytes.
    ///
    /// # Errors
    /// [`Error::Write`] with the system's reason.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut tokenizer = self.tokenizer().clone();
        tokenizer.with_padding(Some(pipeline::padding(self.config())));
        let json = tokenizer.to_string(false).map_err(|source| Error::Build { source })?;
        write_whole(path, json.as_bytes())
            .map_err(|source| Error::Write { path: path.to_owned(), source })
    }

    /// Reads a `tokenizer.json` that [`save`](Self::save) wrote under the same `config`.
    ///
    /// # Errors
    /// - [`Error::SeqLen`], [`Error::MaxVocab`] if `config` makes no sense;
    /// - [`Error::Read`] if there is no such file, [`Error::Json`] if it is cut short or garbage;
    /// - [`Error::Disagreement`] if it was saved under another scheme, length or truncation, or
    ///   has more ids than `max_vocab` (`min_frequency` cannot be checked);
    /// - [`Error::SpecialToken`], [`Error::TokenId`], [`Error::Merge`], [`Error::Model`] if its
    ///   vocabulary is damaged.
    pub fn load(path: impl AsRef<Path>, config: PreprocessingConfig) -> Result<Self> {
        let path = path.as_ref();
        config.validate()?;
        let bytes =
            fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let json: Value = serde_json::from_slice(&bytes)
            .map_err(|source| Error::Json { path: path.to_owned(), source })?;
        check_settings(path, &json, &config)?;
        check_vocabulary(path, &json["model"], &config)?;
        let mut tokenizer: Tokenizer = serde_json::from_value(json)
            .map_err(|source| Error::Model { path: path.to_owned(), source })?;
        tokenizer.with_padding(None);
        Ok(Self::from_parts(config, tokenizer))
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; this one becomes an ordinary file (minus umask).
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Checks that the file describes the pipeline that `config` asks for.
fn check_settings(path: &Path, json: &Value, config: &PreprocessingConfig) -> Result<()> {
    let disagreement = |setting, expected: String, found: String| {
        Err(Error::Disagreement { path: path.to_owned(), setting, expected, found })
    };
    let expected = blank_file(config)?;
    if !same_scheme(&expected, json) {
        let found = scheme_of(config, json)?;
        let found = found.map_or("of another program".to_owned(), |scheme| scheme.to_string());
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
    let n_ids = json["model"]["vocab"].as_object().map_or(0, serde_json::Map::len);
    match config.vocab_limit() {
        Some(limit) if n_ids > limit => {
            disagreement("max_vocab", limit.to_string(), format!("exceeded by {n_ids} ids"))
        }
        _ => Ok(()),
    }
}

/// The JSON of a file under `config` with an empty vocabulary.
fn blank_file(config: &PreprocessingConfig) -> Result<Value> {
    let model = match config.scheme {
        TokenScheme::Bpe => bpe::model(Vocab::default(), Vec::new())?,
        TokenScheme::Words | TokenScheme::WordsAndPunctuation => {
            vocabulary::word_level(Vec::new())?
        }
    };
    let mut tokenizer = pipeline::tokenizer(config, model)?;
    tokenizer.with_padding(Some(pipeline::padding(config)));
    serde_json::to_value(&tokenizer).map_err(|source| Error::Build { source: source.into() })
}

/// Whether two files normalise and split alike and have the same kind of model.
fn same_scheme(expected: &Value, found: &Value) -> bool {
    let stages = ["added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"];
    let Some(model) = expected["model"].as_object() else { return false };
    stages.iter().all(|&stage| expected[stage] == found[stage])
        && model
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "vocab" | "merges"))
            .all(|(key, value)| *value == found["model"][key])
}

fn scheme_of(config: &PreprocessingConfig, json: &Value) -> Result<Option<TokenScheme>> {
    for scheme in TokenScheme::ALL {
        let config = PreprocessingConfig { scheme, ..config.clone() };
        if same_scheme(&blank_file(&config)?, json) {
            return Ok(Some(scheme));
        }
    }
    Ok(None)
}

/// Checks that ids are 0 to n-1, once each, `[PAD]` first and `[UNK]` last, and that merges make
/// known tokens of known tokens.
fn check_vocabulary(path: &Path, model: &Value, config: &PreprocessingConfig) -> Result<()> {
    let empty = serde_json::Map::new();
    let vocab = model["vocab"].as_object().unwrap_or(&empty);
    let last_id = (vocab.len() as u64).saturating_sub(1);
    for (token, expected) in [(PAD_TOKEN, u64::from(PAD_ID)), (UNKNOWN_TOKEN, last_id)] {
        let found = vocab.get(token).and_then(Value::as_u64);
        if found != Some(expected) {
            return Err(Error::SpecialToken { path: path.to_owned(), token, expected, found });
        }
    }
    let mut taken = vec![false; vocab.len()];
    for (token, id) in vocab {
        let slot = id.as_u64().and_then(|id| taken.get_mut(usize::try_from(id).ok()?));
        match slot {
            Some(taken) if !*taken => *taken = true,
            _ => {
                return Err(Error::TokenId {
                    path: path.to_owned(),
                    token: token.clone(),
                    id: id.to_string(),
                });
            }
        }
    }
    if config.scheme != TokenScheme::Bpe {
        return Ok(());
    }
    let is_sound = |merge: &Value| match merge.as_array().map(Vec::as_slice) {
        Some([Value::String(left), Value::String(right)]) => {
            [left, right, &format!("{left}{right}")].iter().all(|&token| vocab.contains_key(token))
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
