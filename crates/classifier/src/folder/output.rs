//! Writes a model folder: claims it when training starts, and replaces it as a whole at every save.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{ModelConfig, NgramVocabulary, Task, Weights};
use safetensors::tensor::serialize_to_file;
use serde::Serialize;
use text_preprocessing::TextEncoder;
use whole_file::sync_folder;

use super::claim::Claim;
use super::files::{
    self, CONFIG_FILE, METRICS_FILE, NGRAMS_FILE, Purpose, SEEN_TEXTS_FILE, TOKENIZER_FILE,
    WEIGHTS_FILE, check_nothing_foreign, is_empty_folder, standing,
};
use super::format::{self, FolderConfig};
use super::identity::{Identifier, MODEL_ID, ModelId, file_digest};
use super::load::read_config;
use super::replace::{Exchange, exchange, move_in};
use super::seen::SeenTexts;
use crate::error::{Error, Result};
use crate::export::Export;

/// How often to retry if the target changes while a model is moved in.
const MOVE_TRIES: usize = 10;

/// What to do with a model that is already in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Keep it: the folder must be new or empty.
    Refuse,
    /// Replace it, once a new model is complete.
    Replace,
}

/// Everything that a folder holds, besides measurements.
#[derive(Clone, Copy)]
pub struct SavedModel<'a> {
    /// The network's configuration; its number of outputs may be absent.
    pub config: &'a ModelConfig,
    /// What the network is asked.
    pub task: &'a Task,
    /// The thresholds of its decisions, one for each output, if it has any.
    pub thresholds: Option<&'a [f32]>,
    /// The encoder that the network's ids come from.
    pub encoder: &'a TextEncoder,
    /// The n-grams of a linear path, if the network has one.
    pub ngrams: Option<&'a NgramVocabulary>,
    /// The network's weights.
    pub weights: &'a Weights,
    /// Digests of the texts that the model has seen; not written if there are none.
    pub seen: &'a SeenTexts,
}

/// A folder for a model, claimed exclusively until this is dropped.
///
/// The claim is a system lock on the file `.NAME.lock` beside the folder, and ends with the process.
/// Before the first [`save`](Self::save) only that file and missing parent folders are created; without
/// a save they are removed again.
///
/// A save replaces the folder in one step (see below), so it is a complete model at every moment: the
/// old one or the new. The new model is flushed to disk before the replacement, and the old one is
/// removed only after the replacement is on disk, too. A killed program leaves at most the lock file
/// and a folder `.NAME.new-XXXXXX`, which the next claim removes.
///
/// On file systems without an atomic exchange of folders (`renameat2`, `renameatx_np`), a replacement
/// takes two renames, between which the folder is missing. On file systems without locks, other
/// processes are not kept out ([`is_locked`](Self::is_locked)) and leftovers are not removed.
#[derive(Debug)]
pub struct OutputFolder {
    existing: Existing,
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    claim: Claim,
    /// The model that was saved last.
    saved: Option<ModelId>,
}

impl OutputFolder {
    /// Claims a folder for a new model. Links are resolved, so that two names of a folder count as one.
    ///
    /// # Errors
    /// [`Error::InUse`] if another training run is writing to it; [`Error::Exists`] if something is
    /// there and `existing` is [`Existing::Refuse`]; [`Error::NotAModel`] if anything but a model is
    /// there; [`Error::Io`] if it is not writable.
    pub fn claim(path: &Path, existing: Existing) -> Result<Self> {
        let claim = Claim::take(path)?;
        let folder = Self {
            existing,
            path: path.to_path_buf(),
            state: Mutex::new(State { claim, saved: None }),
        };
        folder.state().check(folder.existing)?;
        Ok(folder)
    }

    /// Claims the first of `NAME`, `NAME-2`, `NAME-3` ... in `parent` that does not exist, that no other training run
    /// has claimed, and that `is_free` says is free in other respects.
    ///
    /// # Errors
    /// [`Error::NotAModel`] if `name` is not a valid name; [`Error::Io`] if `parent` is not writable.
    pub fn claim_free(parent: &Path, name: &str, is_free: impl Fn(&Path) -> bool) -> Result<Self> {
        let mut number = 1;
        loop {
            let path = match number {
                1 => parent.join(name),
                _ => parent.join(format!("{name}-{number}")),
            };
            number += 1;
            let is_there = || standing(&path).is_ok_and(|found| found.is_some());
            if is_there() || !is_free(&path) {
                continue;
            }
            match Self::claim(&path, Existing::Refuse) {
                // Another training run may have ended in between and left its model.
                Ok(folder) if !is_there() => return Ok(folder),
                Ok(_) | Err(Error::InUse { .. } | Error::Exists { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The folder, as the caller named it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether other processes are kept out. False on file systems without locks, where the user must
    /// make sure that no second training run writes to the folder.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.state().claim.is_locked()
    }

    /// Writes a model, or replaces the one that is there, in the newest format. `metrics`: a struct or map, for
    /// `metrics.json`.
    ///
    /// # Errors
    /// An error of the model if the configuration or the thresholds do not fit the task;
    /// [`Error::NotAModel`] or [`Error::Exists`] if something else has been put there since the claim,
    /// which stays; [`Error::InUse`] if the lock file was removed and another training run has the lock
    /// now; [`Error::Io`] if the model cannot be written (an older one stays); [`Error::Stranded`].
    pub fn save(&self, model: &SavedModel<'_>, metrics: &impl Serialize) -> Result<()> {
        let &SavedModel { config, task, thresholds, encoder, ngrams, weights, seen } = model;
        let config = config.for_task(task)?;
        if let Some(thresholds) = thresholds {
            task.check_thresholds(thresholds)?;
        }
        let mut state = self.state();
        state.claim.renew()?;
        state.check(self.existing)?;
        let io = |action, path: &Path| {
            let path = path.to_path_buf();
            move |source| Error::Io { action, path, source }
        };
        let parent = state.claim.parent();
        let staging = Purpose::New.folder_in(&parent, state.claim.name());
        let staging = staging.map_err(io("write to", &parent))?;
        self.keep_permissions(&state.claim.target, staging.path())?;

        let tokenizer = encoder.to_json()?;
        let weights = Export::of(weights)?;
        let mut identifier = Identifier::new();
        let described = (&config, task, thresholds, encoder.config());
        let described = serde_json::to_vec(&described)
            .map_err(|error| io("write", &self.path.join(CONFIG_FILE))(io::Error::other(error)))?;
        identifier.part(CONFIG_FILE, &described);
        identifier.part(TOKENIZER_FILE, &tokenizer);
        if let Some(ngrams) = ngrams {
            for (name, tensor) in ngrams.tensors()? {
                identifier.tensor(name, &tensor);
            }
        }
        weights.identify(&mut identifier);
        let id = identifier.id();

        let contents = FolderConfig {
            format_version: format::NEWEST,
            program_version: Some(env!("CARGO_PKG_VERSION").to_string()),
            model_id: Some(id),
            tokenizer_digest: Some(file_digest(&tokenizer)),
            vocab_size: encoder.vocab_size(),
            task: task.clone(),
            thresholds: thresholds.map(<[f32]>::to_vec),
            model: config,
            preprocessing: encoder.config().clone(),
        };
        let write = |file: &str, contents: io::Result<Vec<u8>>| {
            contents
                .and_then(|bytes| files::write_file(&staging.path().join(file), &bytes))
                .map_err(io("write", &self.path.join(file)))
        };
        write(CONFIG_FILE, files::json(&contents))?;
        write(METRICS_FILE, files::json(&WithId { id, metrics }))?;
        write(TOKENIZER_FILE, Ok(tokenizer))?;
        let own = staging.path().join(CONFIG_FILE);
        let publish = |file: &str, result: std::result::Result<(), String>| {
            result
                .map_err(io::Error::other)
                .and_then(|()| files::publish(&staging.path().join(file), &own))
                .map_err(io("write", &self.path.join(file)))
        };
        let written = weights.write(id, &staging.path().join(WEIGHTS_FILE));
        publish(WEIGHTS_FILE, written)?;
        if let Some(ngrams) = ngrams {
            let at = staging.path().join(NGRAMS_FILE);
            let written = serialize_to_file(ngrams.tensors()?, Some(id.metadata()), &at);
            publish(NGRAMS_FILE, written.map_err(|error| error.to_string()))?;
        }
        if !seen.is_empty() {
            publish(SEEN_TEXTS_FILE, seen.write(id, &staging.path().join(SEEN_TEXTS_FILE)))?;
        }
        sync_folder(staging.path()).map_err(io("write", &self.path))?;
        state.move_in(self.existing, staging)?;
        state.saved = Some(id);
        Ok(())
    }

    /// Rewrites `metrics.json` of the saved model.
    ///
    /// # Errors
    /// [`Error::NothingSaved`] before the first save; [`Error::Mixed`] if another model has replaced
    /// the saved one; [`Error::Io`] if the file cannot be written.
    pub fn save_metrics(&self, metrics: &impl Serialize) -> Result<()> {
        let id = self.saved()?;
        let path = self.path.join(METRICS_FILE);
        let bytes = files::json(&WithId { id, metrics }).map_err(|source| Error::Io {
            action: "write",
            path,
            source,
        })?;
        self.write_file(METRICS_FILE, &bytes)
    }

    /// Writes a file that does not affect the saved model's predictions, such as the learning curve.
    ///
    /// # Errors
    /// As [`save_metrics`](Self::save_metrics).
    pub fn write_file(&self, name: &str, contents: &[u8]) -> Result<()> {
        let id = self.saved()?;
        let mut state = self.state();
        state.claim.renew()?;
        let path = self.path.join(name);
        if let Some(there) = read_config(&state.claim.target)?.model_id
            && there != id
        {
            return Err(Error::Mixed {
                path,
                key: MODEL_ID,
                got: id.to_string(),
                expected: there.to_string(),
            });
        }
        files::replace_file(&state.claim.target, name, contents).map_err(|source| Error::Io {
            action: "write",
            path,
            source,
        })
    }

    /// The id of the model that was saved last, or [adopted](Self::adopt).
    #[must_use]
    pub fn saved_id(&self) -> Option<ModelId> {
        self.state().saved
    }

    /// The id of the model that is in the folder, whoever saved it; `None` if there is none, or one without an id.
    ///
    /// # Errors
    /// An error of reading if there is something that is not a model of this version.
    pub fn there(&self) -> Result<Option<ModelId>> {
        let state = self.state();
        let target = &state.claim.target;
        match standing(target) {
            Ok(None) => Ok(None),
            Ok(Some(_)) if is_empty_folder(target) => Ok(None),
            Ok(Some(_)) => Ok(read_config(target)?.model_id),
            Err(source) => Err(Error::Io { action: "read", path: self.path.clone(), source }),
        }
    }

    /// Goes on with the model that is in the folder, as if it had been saved here: for a training that goes on after
    /// its program ended. `model`: what [`there`](Self::there) said.
    pub fn adopt(&self, model: ModelId) {
        self.state().saved = Some(model);
    }

    fn saved(&self) -> Result<ModelId> {
        self.state().saved.ok_or_else(|| Error::NothingSaved { path: self.path.clone() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A folder that replaces another gets its permissions.
    fn keep_permissions(&self, old: &Path, new: &Path) -> Result<()> {
        let copy = || match standing(old)? {
            Some(metadata) if metadata.is_dir() => fs::set_permissions(new, metadata.permissions()),
            _ => Ok(()),
        };
        copy().map_err(|source| Error::Io { action: "write", path: self.path.clone(), source })
    }
}

impl State {
    /// Fails if a save would destroy anything but an empty folder, an older model that may be replaced,
    /// or what was saved here before.
    fn check(&self, existing: Existing) -> Result<()> {
        self.check_at(&self.claim.target, existing)
    }

    /// The same check of what was in the folder's place and is now at `at`.
    fn check_at(&self, at: &Path, existing: Existing) -> Result<()> {
        let given = &self.claim.given;
        let read = |source| Error::Io { action: "read", path: given.clone(), source };
        let is_free = standing(at).map_err(read)?.is_none() || is_empty_folder(at);
        if existing == Existing::Refuse && !is_free {
            let there = read_config(at).ok().and_then(|config| config.model_id);
            if self.saved.is_none() || there != self.saved {
                return Err(Error::Exists { path: given.clone() });
            }
        }
        check_nothing_foreign(at, given)
    }

    /// Moves a staged folder into place. Its older contents, if any, are removed last.
    fn move_in(&self, existing: Existing, staging: tempfile::TempDir) -> Result<()> {
        let (target, given) = (&self.claim.target, &self.claim.given);
        let io = |source| Error::Io { action: "write", path: given.clone(), source };
        for _ in 0..MOVE_TRIES {
            if standing(target).map_err(io)?.is_none() || is_empty_folder(target) {
                match move_in(staging.path(), target) {
                    Ok(()) => {
                        // The staged folder has moved: nothing is left to remove.
                        let _ = staging.keep();
                        return self.claim.sync().map_err(io);
                    }
                    Err(error) if !is_taken(&error) => return Err(io(error)),
                    Err(_) if is_empty_folder(target) => {}
                    // Something has been put there just now.
                    Err(_) => {
                        self.check(existing)?;
                        continue;
                    }
                }
            }
            exchange(Exchange::Atomic, staging.path(), target, given)?;
            // What was put there between the check and the exchange is not ours to remove.
            if let Err(error) = self.check_at(staging.path(), existing) {
                return match exchange(Exchange::Atomic, staging.path(), target, given) {
                    Ok(()) => Err(error),
                    Err(_) => {
                        let (old, source) = (staging.keep(), io::Error::other(error));
                        Err(Error::Stranded { path: given.clone(), old, source })
                    }
                };
            }
            // The older model is removed with the staging folder, which now has its contents.
            return self.claim.sync().map_err(io);
        }
        Err(io(io::Error::other("the folder keeps changing")))
    }
}

/// Whether a rename failed because something is in its place.
fn is_taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory};
    matches!(error.kind(), AlreadyExists | DirectoryNotEmpty | NotADirectory)
}

/// Measurements, with the id of their model.
#[derive(Serialize)]
struct WithId<'a, M> {
    #[serde(rename = "model_id")]
    id: ModelId,
    #[serde(flatten)]
    metrics: &'a M,
}
