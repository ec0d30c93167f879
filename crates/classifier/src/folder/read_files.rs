//! Reads the files of a model folder into memory.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::files::{CONFIG_FILE, METRICS_FILE, NGRAMS_FILE, TOKENIZER_FILE, WEIGHTS_FILE};
use super::identity::{MODEL_ID, ModelId, mixed};
use super::load::{patiently, read_config};
use crate::error::{Error, Result};

/// Reads the files of a model folder that answers need, and the training report (`metrics.json`): to pickle a model,
/// or to send it to another machine. [`Classifier::open`](crate::Classifier::open) takes them.
///
/// # Errors
/// [`Error::NoModel`] if there is none; [`Error::Io`]; [`Error::Mixed`] if the folder is replaced again and again
/// meanwhile.
pub fn read_files(folder: &Path) -> Result<BTreeMap<String, Arc<[u8]>>> {
    patiently(folder, || {
        let id = read_config(folder)?.model_id;
        let mut files = BTreeMap::new();
        for name in [CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE, NGRAMS_FILE, METRICS_FILE] {
            let path = folder.join(name);
            match fs::read(&path) {
                Ok(bytes) => {
                    files.insert(name.to_string(), bytes.into());
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(Error::Io { action: "read", path, source }),
            }
        }
        // If the folder has been replaced meanwhile, what was read may be a mixture.
        let now = read_config(folder)?.model_id;
        if now != id {
            let shown =
                |id: Option<ModelId>| id.map_or_else(|| "missing".into(), |id| id.to_string());
            return Err(mixed(&folder.join(CONFIG_FILE), MODEL_ID, shown(now), shown(id)));
        }
        Ok(files)
    })
}
