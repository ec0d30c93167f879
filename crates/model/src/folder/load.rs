//! Reading a model folder, also while somebody replaces it.
//!
//! What is read is checked to be of one model by the ids in the very bytes that were read. A folder that is
//! replaced meanwhile shows as files of two models, or as files that are gone: it is read again. If the folder
//! is the same as before, the fault is its own.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use candle_core::Device;
use serde::Deserialize;
use text_preprocessing::TextEncoder;

use super::TrainedModel;
use super::files::{
    CONFIG_FILE, METRICS_FILE, NGRAMS_FILE, Purpose, TOKENIZER_FILE, WEIGHTS_FILE, parent_of,
};
use super::format::FolderConfig;
use super::hints::not_a_model;
use super::identity::{MODEL_ID, ModelId, file_digest};
use super::seen::SeenTexts;
use crate::error::{Error, Result};
use crate::ngrams::NgramVocabulary;
use crate::vocabularies::Vocabularies;
use crate::weights::Weights;

const ALL_FILES: &str = "model.safetensors, config.json, tokenizer.json and metrics.json";
const FILES_WITH_NGRAMS: &str = "model.safetensors, config.json, tokenizer.json, metrics.json and, for a \
                                 linear path, ngrams.safetensors";

/// How long a folder is read again that others keep replacing.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one is waited for that is not there, between two renames: should they take longer, somebody was
/// killed.
const PATIENCE_WITH_NONE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(2);

/// What a folder holds beside the model itself, of the very same model.
#[derive(Debug, Clone, PartialEq)]
pub struct Records {
    /// The model's id; none in a folder of format 2.
    pub id: Option<ModelId>,
    /// The contents of `metrics.json`.
    pub metrics: String,
    /// What the model has seen, if the folder tells.
    pub seen: Option<SeenTexts>,
}

/// Reads a model folder. One that is replaced meanwhile is read as it was before or as it is afterwards,
/// never as a mixture; and what was read stays good, as the mapped files live on.
///
/// # Errors
/// [`Error::NoModel`] if there is none; [`Error::MissingFile`], [`Error::Damaged`], [`Error::Version`],
/// [`Error::Mixed`] or [`Error::Mismatch`], each naming the file.
pub fn load(folder: &Path, device: &Device) -> Result<TrainedModel> {
    patiently(folder, || read(folder, device).map(|(model, ..)| model))
}

/// Reads a model folder, and what it tells of the same model's training.
///
/// # Errors
/// As [`load`].
pub fn load_with_records(folder: &Path, device: &Device) -> Result<(TrainedModel, Records)> {
    patiently(folder, || {
        let (model, id, metrics) = read(folder, device)?;
        let seen = SeenTexts::read(folder, id)?;
        Ok((model, Records { id, metrics, seen }))
    })
}

/// Reads again what fails because the folder was being replaced.
pub(super) fn patiently<T>(folder: &Path, read: impl Fn() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    loop {
        let stamp = Stamp::of(folder);
        let error = match read() {
            Ok(read) => return Ok(read),
            Err(error) => error,
        };
        let patience = if stamp.0.is_some() { PATIENCE } else { PATIENCE_WITH_NONE };
        if !stamp.has_changed(folder) || started.elapsed() > patience {
            return Err(error);
        }
        thread::sleep(PAUSE);
    }
}

fn read(folder: &Path, device: &Device) -> Result<(TrainedModel, Option<ModelId>, String)> {
    let config = read_config(folder)?;
    let path = |file: &str| folder.join(file);
    let (tokenizer, metrics) = (path(TOKENIZER_FILE), path(METRICS_FILE));
    let tokenizer_bytes = read_file(&tokenizer, ALL_FILES)?;
    let metrics_bytes = read_file(&metrics, ALL_FILES)?;
    let weights = Weights::open(&path(WEIGHTS_FILE));
    let weights = weights.map_err(|error| missing(error, ALL_FILES))?;

    let encoder =
        TextEncoder::from_json(&tokenizer_bytes, config.preprocessing.clone(), &tokenizer)?;
    if encoder.vocab_size() != config.vocab_size {
        let (got, expected) = (encoder.vocab_size(), config.vocab_size);
        return Err(Error::Damaged {
            path: tokenizer,
            expected: "the tokenizer of this model",
            reason: format!("it has {got} ids, {CONFIG_FILE} says {expected}"),
        });
    }
    if let Some(expected) = &config.tokenizer_digest {
        let got = file_digest(&tokenizer_bytes);
        if got != *expected {
            return Err(mixed(&tokenizer, "digest", got, expected.clone()));
        }
    }
    check_id(&path(WEIGHTS_FILE), weights.id(), config.model_id)?;
    let metrics_text = check_metrics(&metrics, metrics_bytes, config.model_id)?;
    let ngrams = match config.model.ngram_order {
        0 => None,
        order => {
            let path = path(NGRAMS_FILE);
            let (ngrams, id) = NgramVocabulary::load(&path, order)
                .map_err(|error| missing(error, FILES_WITH_NGRAMS))?;
            check_id(&path, id, config.model_id)?;
            Some(ngrams)
        }
    };
    let vocabularies = Vocabularies { n_ids: config.vocab_size, ngrams };
    let network = weights.network(&config.model, vocabularies, device)?;
    Ok((TrainedModel { network, encoder }, config.model_id, metrics_text))
}

/// Reads `config.json` of a folder, or says why there is none.
pub(super) fn read_config(folder: &Path) -> Result<FolderConfig> {
    let path = folder.join(CONFIG_FILE);
    match fs::read(&path) {
        Ok(bytes) => FolderConfig::parse(&bytes, &path),
        Err(error) if is_absent(&error) => Err(not_a_model(folder, ALL_FILES)),
        Err(source) => Err(Error::Io { action: "read", path, source }),
    }
}

fn read_file(path: &Path, expected: &'static str) -> Result<Vec<u8>> {
    let io = |source| Error::Io { action: "read", path: path.to_path_buf(), source };
    fs::read(path).map_err(|source| missing(io(source), expected))
}

/// Says what a folder should hold if an error is that a file is not there.
fn missing(error: Error, expected: &'static str) -> Error {
    match error {
        Error::Io { path, source, .. } if is_absent(&source) => {
            Error::MissingFile { path, expected }
        }
        error => error,
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Fails if a file names another model than the configuration beside it. Models of format 2 have no ids.
pub(super) fn check_id(path: &Path, got: Option<ModelId>, expected: Option<ModelId>) -> Result<()> {
    match expected {
        Some(expected) if got != Some(expected) => {
            let got = got.map_or_else(
                || "missing (a file that you made yourself needs it in its metadata)".to_string(),
                |id| id.to_string(),
            );
            Err(mixed(path, MODEL_ID, got, expected.to_string()))
        }
        _ => Ok(()),
    }
}

fn mixed(path: &Path, key: &'static str, got: String, expected: String) -> Error {
    Error::Mixed { path: path.to_path_buf(), key, got, expected }
}

/// The measurements as text, if they are of this model.
fn check_metrics(path: &Path, bytes: Vec<u8>, expected: Option<ModelId>) -> Result<String> {
    #[derive(Deserialize)]
    struct WithId {
        model_id: Option<ModelId>,
    }
    let damaged = |reason: String| Error::Damaged {
        path: path.to_path_buf(),
        expected: "a training report",
        reason,
    };
    let text = String::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
    if expected.is_some() {
        let metrics: WithId =
            serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        let id = metrics.model_id.ok_or_else(|| damaged(format!("it has no {MODEL_ID}")))?;
        check_id(path, Some(id), expected)?;
    }
    Ok(text)
}

/// Which folder stood under a name.
struct Stamp(Option<Identity>);

impl Stamp {
    fn of(folder: &Path) -> Self {
        Self(Identity::of(folder))
    }

    /// Whether another folder stands there now, or may at any moment.
    fn has_changed(&self, folder: &Path) -> bool {
        match (&self.0, Identity::of(folder)) {
            (None, None) => is_replaced_in_two_steps(folder),
            (Some(before), Some(now)) => *before != now,
            _ => true,
        }
    }
}

/// Whether a folder is not there because its replacement is between two renames.
fn is_replaced_in_two_steps(folder: &Path) -> bool {
    let Some(name) = folder.file_name() else { return false };
    let entries = fs::read_dir(parent_of(folder)).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| Purpose::of(&entry.file_name(), name) == Some(Purpose::Old))
}

/// A folder, told from all others that may take its name.
#[cfg(unix)]
struct Identity {
    device: u64,
    node: u64,
    /// Held open, so that its number is not given to another folder.
    _open: Option<fs::File>,
}

#[cfg(unix)]
impl Identity {
    fn of(folder: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let open = fs::File::open(folder).ok();
        let metadata = match &open {
            Some(open) => open.metadata().ok()?,
            None => fs::metadata(folder).ok()?,
        };
        Some(Self { device: metadata.dev(), node: metadata.ino(), _open: open })
    }
}

#[cfg(unix)]
impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        (self.device, self.node) == (other.device, other.node)
    }
}

/// A folder, told from others by the configuration in it.
#[cfg(not(unix))]
#[derive(PartialEq)]
struct Identity(Vec<u8>);

#[cfg(not(unix))]
impl Identity {
    fn of(folder: &Path) -> Option<Self> {
        fs::read(folder.join(CONFIG_FILE)).ok().map(Self)
    }
}
