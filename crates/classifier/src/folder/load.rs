//! Reads a model folder, even while it is being replaced.
//!
//! The ids in the bytes that were read show whether they belong to one model. If the folder is replaced
//! meanwhile, files are missing or belong to two models: it is read again. If the folder has not
//! changed, the error is genuine.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use candle_core::Device;
use model::{Bytes, NgramVocabulary, RecurrentClassifier, StoredTensors, Vocabularies};
use serde::Deserialize;
use text_preprocessing::TextEncoder;
use whole_file::folder_of;

use super::files::{CONFIG_FILE, METRICS_FILE, NGRAMS_FILE, Purpose, TOKENIZER_FILE, WEIGHTS_FILE};
use super::format::FolderConfig;
use super::hints::not_a_model;
use super::identity::{MODEL_ID, ModelId, check_id, file_digest, mixed};
use super::seen::SeenTexts;
use crate::classifier::Classifier;
use crate::error::{Error, Result};
use crate::source::ModelFiles;

const ALL_FILES: &str = "model.safetensors, config.json, tokenizer.json and metrics.json";
pub(super) const SAFETENSORS: &str = "safetensors";
const FILES_WITH_NGRAMS: &str = "model.safetensors, config.json, tokenizer.json, metrics.json and, for a \
                                 linear path, ngrams.safetensors";

/// How long to keep re-reading a folder that is being replaced.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for a folder that is missing between two renames; if they take longer, the program
/// was killed.
const PATIENCE_WITH_NONE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(2);

/// What a folder holds besides the model itself, checked to be of the same model.
#[derive(Debug, Clone, PartialEq)]
pub struct Records {
    /// The model's id; absent in a folder of format 2.
    pub id: Option<ModelId>,
    /// The contents of `metrics.json`.
    pub metrics: String,
    /// Digests of the texts that the model has seen, if recorded.
    pub seen: Option<SeenTexts>,
}

impl Classifier {
    /// Opens a trained model: a folder, which may be replaced meanwhile (the result is the old model or the new one,
    /// never a mixture, and stays valid), or files in memory.
    ///
    /// # Errors
    /// [`Error::NoModel`] if there is none; [`Error::MissingFile`], [`Error::Damaged`], [`Error::Version`],
    /// [`Error::Mixed`] or [`Error::Mismatch`], each naming the file.
    pub fn open(files: impl Into<ModelFiles>, device: &Device) -> Result<Self> {
        let files = files.into();
        let open = || read(&files, device).map(|(classifier, _)| classifier);
        match &files {
            ModelFiles::Folder(folder) => patiently(folder, open),
            ModelFiles::Memory(_) => open(),
        }
    }
}

/// Opens a model folder as [`Classifier::open`] does, and reads the records of the same model's training.
///
/// # Errors
/// As [`Classifier::open`].
pub fn load_with_records(folder: &Path, device: &Device) -> Result<(Classifier, Records)> {
    patiently(folder, || {
        let (classifier, metrics) = read(&folder.into(), device)?;
        let id = classifier.id();
        let seen = SeenTexts::read(folder, id)?;
        Ok((classifier, Records { id, metrics, seen }))
    })
}

impl SeenTexts {
    /// Reads the digests of a model folder. `None` if the file is missing: it was deleted on purpose,
    /// or the model predates it.
    ///
    /// To be sure that they belong to a model that was loaded, use
    /// [`load_with_records`](super::load_with_records).
    ///
    /// # Errors
    /// [`Error::Damaged`] if the file cannot be read; [`Error::Mixed`] if it belongs to another model.
    pub fn load(folder: &Path) -> Result<Option<Self>> {
        patiently(folder, || {
            let config = read_config(folder)?;
            Self::read(folder, config.model_id)
        })
    }
}

/// Retries a read that fails because the folder is being replaced.
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

pub(super) fn read(files: &ModelFiles, device: &Device) -> Result<(Classifier, String)> {
    let config = match files {
        ModelFiles::Folder(folder) => read_config(folder)?,
        ModelFiles::Memory(_) => {
            let bytes = files.bytes(CONFIG_FILE).map_err(|error| missing(error, ALL_FILES))?;
            FolderConfig::parse(&bytes, &files.path(CONFIG_FILE))?
        }
    };
    let bytes = |name| files.bytes(name).map_err(|error| missing(error, ALL_FILES));
    let (tokenizer, metrics) = (files.path(TOKENIZER_FILE), files.path(METRICS_FILE));
    let tokenizer_bytes = bytes(TOKENIZER_FILE)?;
    let metrics_bytes = match (files, bytes(METRICS_FILE)) {
        // Answers need no report.
        (ModelFiles::Memory(_), Err(Error::MissingFile { .. })) => None,
        (_, bytes) => Some(bytes?),
    };
    let weights_path = files.path(WEIGHTS_FILE);
    let weights_bytes = bytes(WEIGHTS_FILE)?;
    let digest = match config.model_id {
        Some(id) => id.to_string(),
        // Only old models have none, and are read whole for it.
        None => file_digest(&[&*tokenizer_bytes, &*weights_bytes].concat()),
    };
    let weights = tensors_of(weights_bytes, &weights_path)?;

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
    check_id(&weights_path, ModelId::in_metadata(weights.metadata()), config.model_id)?;
    let metrics_text = match metrics_bytes {
        Some(bytes) => check_metrics(&metrics, &bytes, config.model_id)?,
        None => String::new(),
    };
    let ngrams = match config.model.ngram_order {
        0 => None,
        order => {
            let path = files.path(NGRAMS_FILE);
            let bytes = files.bytes(NGRAMS_FILE);
            let bytes = bytes.map_err(|error| missing(error, FILES_WITH_NGRAMS))?;
            let stored = tensors_of(bytes, &path)?;
            let ngrams = NgramVocabulary::from_stored(&stored, order)
                .map_err(|error| in_file(error, &path, "the n-grams of a linear path"))?;
            check_id(&path, ModelId::in_metadata(stored.metadata()), config.model_id)?;
            Some(ngrams)
        }
    };
    let vocabularies = Vocabularies { n_ids: config.vocab_size, ngrams };
    let zeros = config.absent_tensors();
    let network =
        RecurrentClassifier::from_stored(weights, &config.model, vocabularies, zeros, device)
            .map_err(|error| in_file(error, &weights_path, SAFETENSORS))?;
    let FolderConfig { model_id, task, thresholds, .. } = config;
    let classifier =
        Classifier::new(network, encoder, task, thresholds)?.saved_as(model_id, digest);
    Ok((classifier, metrics_text))
}

/// The tensors of a safetensors file.
///
/// # Errors
/// [`Error::Damaged`].
pub(super) fn tensors_of(bytes: Bytes, path: &Path) -> Result<StoredTensors> {
    StoredTensors::parse(bytes).map_err(|error| Error::Damaged {
        path: path.to_path_buf(),
        expected: SAFETENSORS,
        reason: format!("{error}; the file may be truncated: copy it again"),
    })
}

/// Adds to an error about stored tensors the file that they are in. `expected`: what it should hold.
pub(super) fn in_file(error: model::Error, path: &Path, expected: &'static str) -> Error {
    let path = path.to_path_buf();
    match error {
        model::Error::Mismatch { reason } => Error::Mismatch { path, reason },
        model::Error::Unreadable { reason } => Error::Damaged { path, expected, reason },
        error => error.into(),
    }
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

/// Turns the error for a missing file into one that says what the folder should hold.
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

/// The measurements as text, if they belong to this model.
fn check_metrics(path: &Path, bytes: &[u8], expected: Option<ModelId>) -> Result<String> {
    #[derive(Deserialize)]
    struct WithId {
        model_id: Option<ModelId>,
    }
    let damaged = |reason: String| Error::Damaged {
        path: path.to_path_buf(),
        expected: "a training report",
        reason,
    };
    let text = std::str::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
    if expected.is_some() {
        let metrics: WithId =
            serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
        let id = metrics.model_id.ok_or_else(|| damaged(format!("it has no {MODEL_ID}")))?;
        check_id(path, Some(id), expected)?;
    }
    Ok(text.to_string())
}

/// The folder that a path referred to.
struct Stamp(Option<Identity>);

impl Stamp {
    fn of(folder: &Path) -> Self {
        Self(Identity::of(folder))
    }

    /// Whether another folder is there now, or may be at any moment.
    fn has_changed(&self, folder: &Path) -> bool {
        match (&self.0, Identity::of(folder)) {
            (None, None) => is_replaced_in_two_steps(folder),
            (Some(before), Some(now)) => *before != now,
            _ => true,
        }
    }
}

/// Whether a folder is missing because its replacement is between two renames.
fn is_replaced_in_two_steps(folder: &Path) -> bool {
    let Some(name) = folder.file_name() else { return false };
    let entries = fs::read_dir(folder_of(folder)).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| Purpose::of(&entry.file_name(), name) == Some(Purpose::Old))
}

/// The identity of a folder, different from any other that may take its name.
#[cfg(unix)]
struct Identity {
    device: u64,
    node: u64,
    /// Held open so that its inode number is not reused.
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

/// The identity of a folder, by the configuration in it.
#[cfg(not(unix))]
#[derive(PartialEq)]
struct Identity(Vec<u8>);

#[cfg(not(unix))]
impl Identity {
    fn of(folder: &Path) -> Option<Self> {
        fs::read(folder.join(CONFIG_FILE)).ok().map(Self)
    }
}
