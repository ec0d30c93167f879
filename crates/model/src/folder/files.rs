//! The files of a model folder: their names, and writing so that what is written is whole and on disk.
//! Knows nothing of what the files hold.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

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

/// Every name that a file of a model can have.
const PARTS: [&str; 7] = [
    WEIGHTS_FILE,
    CONFIG_FILE,
    TOKENIZER_FILE,
    METRICS_FILE,
    NGRAMS_FILE,
    SEEN_TEXTS_FILE,
    CURVE_FILE,
];

/// What the names of temporary files began with that older versions left in a folder when they were killed.
const OLD_TEMPORARY: &str = ".model-";

/// Characters that make the name of a temporary file or folder its own.
const N_RANDOM: usize = 6;

/// Whether a file of this name is part of a model.
pub(super) fn is_part(name: &OsStr) -> bool {
    PARTS.iter().any(|part| name == *part)
        || name.to_str().and_then(|name| name.strip_prefix(OLD_TEMPORARY)).is_some_and(is_random)
}

/// What a temporary file or folder beside a model folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It will take the folder's place, or one of its files' place.
    New,
    /// It was the folder until now.
    Old,
}

impl Purpose {
    /// What the names begin with that stand for this beside the folder `name`.
    fn prefix(self, name: &OsStr) -> OsString {
        let purpose = match self {
            Purpose::New => ".new-",
            Purpose::Old => ".old-",
        };
        hidden(name, purpose)
    }

    /// The purpose that something beside the folder `name` has by its own name, if it is ours.
    pub(super) fn of(other: &OsStr, name: &OsStr) -> Option<Self> {
        [Purpose::New, Purpose::Old].into_iter().find(|purpose| {
            let prefix = purpose.prefix(name);
            let rest = other.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
            rest.and_then(|rest| std::str::from_utf8(rest).ok()).is_some_and(is_random)
        })
    }

    /// A builder of temporary files (`mode` 0o666) or folders (0o777) of this purpose.
    ///
    /// Temporary files and folders are private by default; these become the user's, so the umask decides
    /// who reads them.
    pub(super) fn temporary(self, name: &OsStr, mode: u32) -> Temporary {
        Temporary { prefix: self.prefix(name), mode }
    }
}

/// How a temporary file or folder is made.
pub(super) struct Temporary {
    prefix: OsString,
    mode: u32,
}

impl Temporary {
    pub(super) fn folder_in(&self, parent: &Path) -> io::Result<tempfile::TempDir> {
        self.with_builder(|builder| builder.tempdir_in(parent))
    }

    fn file_in(&self, parent: &Path) -> io::Result<tempfile::NamedTempFile> {
        self.with_builder(|builder| builder.tempfile_in(parent))
    }

    fn with_builder<T>(&self, make: impl FnOnce(&tempfile::Builder<'_, '_>) -> T) -> T {
        let mut builder = tempfile::Builder::new();
        builder.prefix(&self.prefix).rand_bytes(N_RANDOM);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(self.mode));
        #[cfg(not(unix))]
        let _ = self.mode;
        make(&builder)
    }
}

/// `.NAME` and an ending: hidden, and beside the folder in every listing.
pub(super) fn hidden(name: &OsStr, ending: &str) -> OsString {
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(ending);
    hidden
}

/// Whether this is what makes a temporary name its own, and not the name of something else that goes on.
fn is_random(rest: &str) -> bool {
    rest.len() == N_RANDOM && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The folder that holds `path`.
pub(super) fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// What stands under a path itself, links not followed; `None` if nothing does.
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

/// Fails with [`Error::NotAModel`] if `at` is there and is anything but an empty folder or a model; the error
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

/// Whether a folder is there and has nothing in it.
pub(super) fn is_empty_folder(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|mut entries| entries.next().is_none())
}

/// Puts a file into a folder, whole and sure to be on disk, in place of an older one. Until it is complete it
/// stands beside the folder, so that a killed program leaves nothing strange in a model.
pub(super) fn replace_file(folder: &Path, file: &str, contents: &[u8]) -> io::Result<()> {
    let (parent, name) = (parent_of(folder), folder.file_name().unwrap_or_default());
    let mut staged = Purpose::New.temporary(name, 0o666).file_in(&parent)?;
    staged.write_all(contents)?;
    staged.as_file().sync_all()?;
    staged.persist(folder.join(file)).map_err(|error| error.error)?;
    sync_folder(folder)?;
    sync_folder(&parent)
}

/// Writes a file of a folder that nobody else sees yet.
pub(super) fn write_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

/// Makes a file as public as `other`, and sure to be on disk: the library of tensors writes private files.
pub(super) fn publish(path: &Path, other: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::metadata(other)?.permissions())?;
    File::open(path)?.sync_all()
}

/// Makes sure that the names in a folder are on disk, where the system can do that.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened, and its names are as safe as the system makes them.
    #[cfg(unix)]
    {
        let result = File::open(folder)?.sync_all();
        let is_unknown = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
        };
        match result {
            Err(error) if !is_unknown(&error) => return Err(error),
            _ => {}
        }
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// JSON for people: indented, and with a line's end.
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
