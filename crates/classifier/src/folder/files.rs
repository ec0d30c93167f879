//! The files of a model folder: their names, and atomic, durable writing. Knows nothing of their
//! contents.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;
use whole_file::{Staged, folder_of, sync_folder};

use crate::error::{Error, Result};

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
/// The file name of the digests of the texts that a model has seen; it may be deleted.
pub const SEEN_TEXTS_FILE: &str = "seen_texts.safetensors";
/// The learning curve's file name; a picture for people, which may be missing.
pub const CURVE_FILE: &str = "curve.svg";

/// All file names that a model can have.
const PARTS: [&str; 7] = [
    WEIGHTS_FILE,
    CONFIG_FILE,
    TOKENIZER_FILE,
    METRICS_FILE,
    NGRAMS_FILE,
    SEEN_TEXTS_FILE,
    CURVE_FILE,
];

/// Prefix of the temporary files that older versions left in a folder when they were killed.
const OLD_TEMPORARY: &str = ".model-";

/// Number of random characters in the name of a temporary file or folder.
const N_RANDOM: usize = 6;

/// Whether a file of this name is part of a model.
pub(super) fn is_part(name: &OsStr) -> bool {
    PARTS.iter().any(|part| name == *part)
        || name.to_str().and_then(|name| name.strip_prefix(OLD_TEMPORARY)).is_some_and(is_random)
}

/// Purpose of a temporary file or folder beside a model folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It will replace the folder, or one of its files.
    New,
    /// It is the folder that was replaced.
    Old,
}

impl Purpose {
    /// Prefix of names with this purpose beside the folder `name`.
    fn prefix(self, name: &OsStr) -> OsString {
        let purpose = match self {
            Purpose::New => ".new-",
            Purpose::Old => ".old-",
        };
        hidden(name, purpose)
    }

    /// The purpose of a file or folder beside the folder `name`, by its own name; `None` if it is not
    /// ours.
    pub(super) fn of(other: &OsStr, name: &OsStr) -> Option<Self> {
        [Purpose::New, Purpose::Old].into_iter().find(|purpose| {
            let prefix = purpose.prefix(name);
            let rest = other.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
            rest.and_then(|rest| std::str::from_utf8(rest).ok()).is_some_and(is_random)
        })
    }

    /// A temporary folder of this purpose in `parent`, for the folder `name`.
    pub(super) fn folder_in(self, parent: &Path, name: &OsStr) -> io::Result<tempfile::TempDir> {
        whole_file::builder(0o777)
            .prefix(&self.prefix(name))
            .rand_bytes(N_RANDOM)
            .tempdir_in(parent)
    }
}

/// `.NAME` and an ending: hidden, and next to the folder in listings.
pub(super) fn hidden(name: &OsStr, ending: &str) -> OsString {
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(ending);
    hidden
}

/// Whether `rest` is just the random part of a temporary name, and not the end of another name.
fn is_random(rest: &str) -> bool {
    rest.len() == N_RANDOM && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Metadata of a path itself, without following links; `None` if nothing is there.
pub(super) fn standing(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a folder looks like a model: enough of it is there to be loaded.
pub(super) fn looks_like_a_model(folder: &Path) -> bool {
    [CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE].iter().all(|file| folder.join(file).is_file())
}

/// Fails with [`Error::NotAModel`] if `at` exists and is neither an empty folder nor a model; the error
/// names `folder`.
pub(super) fn check_nothing_foreign(at: &Path, folder: &Path) -> Result<()> {
    let not_a_model = |found| Error::NotAModel { path: folder.to_path_buf(), found };
    let io = |source| Error::Io { action: "read", path: folder.to_path_buf(), source };
    let Some(metadata) = standing(at).map_err(io)? else { return Ok(()) };
    if metadata.is_symlink() {
        return Err(not_a_model("it is a link".to_string()));
    }
    if !metadata.is_dir() {
        return Err(not_a_model("it is a file".to_string()));
    }
    for entry in fs::read_dir(at).map_err(io)? {
        let entry = entry.map_err(io)?;
        let (name, is_folder) = (entry.file_name(), entry.file_type().map_err(io)?.is_dir());
        if is_folder || !is_part(&name) {
            let kind = if is_folder { "the folder " } else { "" };
            return Err(not_a_model(format!("it holds {kind}{}", name.to_string_lossy())));
        }
    }
    Ok(())
}

/// Whether a folder exists and is empty.
pub(super) fn is_empty_folder(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|mut entries| entries.next().is_none())
}

/// Writes a file of a folder atomically and durably, replacing an older one. Until it is complete it
/// stays beside the folder, so that a killed program leaves nothing foreign in a model.
pub(super) fn replace_file(folder: &Path, file: &str, contents: &[u8]) -> io::Result<()> {
    let (parent, name) = (folder_of(folder), folder.file_name().unwrap_or_default());
    let mut staged = Staged::in_folder(parent, &Purpose::New.prefix(name), N_RANDOM)?;
    staged.file().write_all(contents)?;
    staged.replace(&folder.join(file))?;
    sync_folder(folder)?;
    sync_folder(parent)
}

/// Writes a file of a folder that no other process sees yet.
pub(super) fn write_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

/// Gives a file the permissions of `other` and flushes it to disk: the safetensors library writes
/// private files.
pub(super) fn publish(path: &Path, other: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::metadata(other)?.permissions())?;
    File::open(path)?.sync_all()
}

/// Human-readable JSON: indented, with a final newline.
pub(super) fn json(contents: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(contents)?;
    text.push(b'\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_temporary_names_are_known() {
        let purpose = |other: &str| Purpose::of(OsStr::new(other), OsStr::new("model"));
        assert_eq!(purpose(".model.new-a1B2c3"), Some(Purpose::New));
        assert_eq!(purpose(".model.old-a1B2c3"), Some(Purpose::Old));
        for other in [
            "model",
            ".model.lock",
            ".model.new-",
            ".model.new-a1B2c",
            ".model.new-a1B2c3d",
            ".model.new-a1B2c3.new-x1y2z3",
            ".model-2.new-a1B2c3",
            ".other.new-a1B2c3",
            "model.new-a1B2c3",
            ".model.new-notes!",
        ] {
            assert_eq!(purpose(other), None, "{other}");
        }
    }

    #[test]
    fn parts_of_a_model_and_leftovers_of_older_versions_are_known_by_name() {
        for name in ["config.json", "seen_texts.safetensors", "curve.svg", ".model-a1B2c3"] {
            assert!(is_part(OsStr::new(name)), "{name}");
        }
        for name in ["notes.txt", ".hidden", ".model-", ".model-plan.txt", "Config.json"] {
            assert!(!is_part(OsStr::new(name)), "{name}");
        }
    }
}
