//! A trained model as a folder: what it holds, how it is written and read.
//!
//! | file | holds |
//! |---|---|
//! | `model.safetensors` | the weights under PyTorch's `state_dict` names, f32 |
//! | `config.json` | format version, network, preprocessing, vocabulary size |
//! | `tokenizer.json` | the vocabulary, readable by the Python `tokenizers` package |
//! | `metrics.json` | what training measured |
//! | `ngrams.safetensors` | with a linear path: its n-grams and their values |

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::Device;
use candle_nn::VarMap;
use serde::{Deserialize, Serialize};
use text_preprocessing::{PreprocessingConfig, TextEncoder};

use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::network::SentimentRnn;
use crate::ngrams::NgramVocabulary;
use crate::vocabularies::Vocabularies;
use crate::weights::{self, Weights};

/// The weights' file name.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// The configuration's file name.
pub const CONFIG_FILE: &str = "config.json";
/// The tokenizer's file name.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// The measurements' file name.
pub const METRICS_FILE: &str = "metrics.json";
/// The file name of a linear path's n-grams, in models that have one.
pub const NGRAMS_FILE: &str = "ngrams.safetensors";
/// The learning curve's file name; a picture for people, which may be missing.
pub const CURVE_FILE: &str = "curve.svg";

const ALL_FILES: &str = "model.safetensors, config.json, tokenizer.json and metrics.json";
const FILES_WITH_NGRAMS: &str = "model.safetensors, config.json, tokenizer.json, metrics.json and, for a \
                                 linear path, ngrams.safetensors";
const FORMAT_VERSION: u64 = 2;

/// What `config.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct FolderConfig {
    format_version: u64,
    vocab_size: usize,
    model: ModelConfig,
    preprocessing: PreprocessingConfig,
}

/// A network with the encoder that its ids come from.
#[derive(Debug, Clone)]
pub struct TrainedModel {
    /// The network.
    pub network: SentimentRnn,
    /// The encoder whose vocabulary the network was trained with.
    pub encoder: TextEncoder,
}

/// Writes a model folder, or replaces one.
///
/// The files are written to a temporary folder beside `folder` that then takes its place, so that
/// a folder is whole whenever it is there.
///
/// # Errors
/// [`Error::NotAModel`] if `folder` exists and holds something else; [`Error::Io`] if it cannot be
/// written.
pub fn save(
    folder: &Path,
    config: &ModelConfig,
    encoder: &TextEncoder,
    ngrams: Option<&NgramVocabulary>,
    variables: &VarMap,
    metrics: &impl Serialize,
) -> Result<()> {
    check_replaceable(folder)?;
    let parent = parent_of(folder);
    let io = |action, path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Io { action, path, source }
    };
    fs::create_dir_all(&parent).map_err(io("create", &parent))?;
    let staging = public_builder(0o777).tempdir_in(&parent).map_err(io("write to", &parent))?;

    let contents = FolderConfig {
        format_version: FORMAT_VERSION,
        vocab_size: encoder.vocab_size(),
        model: config.clone(),
        preprocessing: encoder.config().clone(),
    };
    write_json(staging.path(), folder, CONFIG_FILE, &contents)?;
    write_json(staging.path(), folder, METRICS_FILE, metrics)?;
    let weights = staging.path().join(WEIGHTS_FILE);
    weights::write(variables, &weights).map_err(|reason| Error::Io {
        action: "write",
        path: folder.join(WEIGHTS_FILE),
        source: std::io::Error::other(reason),
    })?;
    publish(staging.path(), WEIGHTS_FILE).map_err(io("write", &folder.join(WEIGHTS_FILE)))?;
    encoder.save(staging.path().join(TOKENIZER_FILE))?;
    if let Some(ngrams) = ngrams {
        ngrams.save(&staging.path().join(NGRAMS_FILE))?;
        publish(staging.path(), NGRAMS_FILE).map_err(io("write", &folder.join(NGRAMS_FILE)))?;
    }
    swap_in(staging, folder)
}

/// Makes a file as public as the configuration beside it, and sure to be on disk: the library of tensors
/// writes private files.
fn publish(staging: &Path, file: &str) -> std::io::Result<()> {
    let path = staging.join(file);
    let config = fs::metadata(staging.join(CONFIG_FILE))?;
    fs::set_permissions(&path, config.permissions())?;
    fs::File::open(&path)?.sync_all()
}

/// Writes `metrics.json` of a model folder anew.
///
/// # Errors
/// [`Error::Io`] if it cannot be written.
pub fn save_metrics(folder: &Path, metrics: &impl Serialize) -> Result<()> {
    let text = json(metrics).map_err(|source| Error::Io {
        action: "write",
        path: folder.join(METRICS_FILE),
        source,
    })?;
    write_whole(&folder.join(METRICS_FILE), &text)
}

/// Reads a model folder.
///
/// # Errors
/// [`Error::MissingFile`], [`Error::Damaged`], [`Error::Version`] or [`Error::Mismatch`], each
/// naming the file.
pub fn load(folder: &Path, device: &Device) -> Result<TrainedModel> {
    for file in [CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE, METRICS_FILE] {
        let path = folder.join(file);
        if !path.is_file() {
            return Err(Error::MissingFile { path, expected: ALL_FILES });
        }
    }
    let config = read_config(&folder.join(CONFIG_FILE))?;
    let encoder = TextEncoder::load(folder.join(TOKENIZER_FILE), config.preprocessing.clone())?;
    if encoder.vocab_size() != config.vocab_size {
        return Err(Error::Damaged {
            path: folder.join(TOKENIZER_FILE),
            expected: "the tokenizer of this model",
            reason: format!(
                "it has {} ids, {CONFIG_FILE} says {}",
                encoder.vocab_size(),
                config.vocab_size
            ),
        });
    }
    let ngrams = match config.model.ngram_order {
        0 => None,
        order => {
            let path = folder.join(NGRAMS_FILE);
            if !path.is_file() {
                return Err(Error::MissingFile { path, expected: FILES_WITH_NGRAMS });
            }
            Some(NgramVocabulary::load(&path, order)?)
        }
    };
    let vocabularies = Vocabularies { n_ids: config.vocab_size, ngrams };
    let weights = Weights::open(&folder.join(WEIGHTS_FILE), &config.model, &vocabularies)?;
    let network = weights.network(&config.model, vocabularies, device)?;
    Ok(TrainedModel { network, encoder })
}

fn read_config(path: &Path) -> Result<FolderConfig> {
    let damaged = |reason: String| Error::Damaged {
        path: path.to_path_buf(),
        expected: "a model's configuration",
        reason,
    };
    let bytes = fs::read(path).map_err(|source| Error::Io {
        action: "read",
        path: path.to_path_buf(),
        source,
    })?;
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    // The version first: another version's other fields are none of our business.
    match value.get("format_version").and_then(serde_json::Value::as_u64) {
        Some(FORMAT_VERSION) => {}
        Some(got) => {
            return Err(Error::Version { path: path.to_path_buf(), got, expected: FORMAT_VERSION });
        }
        None => return Err(damaged("it has no format_version".to_string())),
    }
    let config: FolderConfig =
        serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
    config.model.check().map_err(|error| damaged(error.to_string()))?;
    config.preprocessing.validate().map_err(|error| damaged(error.to_string()))?;
    Ok(config)
}

/// Writes one file of a model folder, such as the learning curve, so that it is whole or not there.
///
/// # Errors
/// [`Error::Io`] if it cannot be written.
pub fn write_whole(path: &Path, contents: &[u8]) -> Result<()> {
    let io = |source| Error::Io { action: "write", path: path.to_path_buf(), source };
    let mut file = public_builder(0o666).tempfile_in(parent_of(path)).map_err(io)?;
    file.write_all(contents).and_then(|()| file.as_file().sync_all()).map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

fn write_json(staging: &Path, folder: &Path, file: &str, contents: &impl Serialize) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut to = fs::File::create(staging.join(file))?;
        to.write_all(&json(contents)?)?;
        to.sync_all()
    };
    write().map_err(|source| Error::Io { action: "write", path: folder.join(file), source })
}

fn json(contents: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(contents)?;
    text.push(b'\n');
    Ok(text)
}

/// Whether `folder` can be written without losing anything but an older model.
///
/// # Errors
/// [`Error::NotAModel`] if it is no folder or holds anything that is no part of a model;
/// [`Error::Io`] if it cannot be read, or the nearest existing folder above it cannot be written.
pub fn check_replaceable(folder: &Path) -> Result<()> {
    let parts = [WEIGHTS_FILE, CONFIG_FILE, TOKENIZER_FILE, METRICS_FILE, NGRAMS_FILE, CURVE_FILE];
    let not_a_model = |found| Error::NotAModel { path: folder.to_path_buf(), found };
    if folder.file_name().is_none() {
        return Err(not_a_model("a model needs a folder with a name of its own".to_string()));
    }
    if folder.exists() {
        let io = |source| Error::Io { action: "read", path: folder.to_path_buf(), source };
        if !folder.is_dir() {
            return Err(not_a_model("it is a file".to_string()));
        }
        for entry in fs::read_dir(folder).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            if !parts.iter().any(|part| name == *part) {
                return Err(not_a_model(format!("it holds {}", name.to_string_lossy())));
            }
        }
    }
    // Folders that are missing are made later: what counts is the nearest one that is there.
    let above = folder.ancestors().skip(1).find(|path| path.exists());
    let above = above.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new()
        .prefix(".model-")
        .tempdir_in(above)
        .map(drop)
        .map_err(|source| Error::Io { action: "write to", path: above.to_path_buf(), source })
}

/// Puts the staged folder in the place of `folder`, whose old contents go last.
fn swap_in(staging: tempfile::TempDir, folder: &Path) -> Result<()> {
    let io = |source| Error::Io { action: "write", path: folder.to_path_buf(), source };
    if !folder.exists() {
        fs::rename(staging.path(), folder).map_err(io)?;
        // What was staged has gone: there is nothing left to remove.
        let _ = staging.keep();
        return Ok(());
    }
    let old = public_builder(0o777).tempdir_in(parent_of(folder)).map_err(io)?;
    // Until one of the two is in place again, nothing may be removed.
    let old = old.keep();
    let moved = old.join("model");
    fs::rename(folder, &moved).map_err(io)?;
    if let Err(error) = fs::rename(staging.path(), folder) {
        return match fs::rename(&moved, folder) {
            Ok(()) => Err(io(error)),
            Err(_) => {
                Err(Error::Stranded { path: folder.to_path_buf(), old: moved, source: error })
            }
        };
    }
    let _ = staging.keep();
    // Best effort: the new model is in place, and what may stay behind is only the old one.
    let _ = fs::remove_dir_all(&old);
    Ok(())
}

/// Temporary files and folders are private by default; these become the user's, so the umask
/// decides who reads them.
fn public_builder(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".model-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

/// The folder that holds `folder`.
fn parent_of(folder: &Path) -> PathBuf {
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
