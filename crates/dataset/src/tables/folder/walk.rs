//! Which files lie in a folder and below it, in an order that is the same on every machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The ending of the files that are read, in any case.
const ENDING: &str = "txt";

/// What lies directly in a folder; names ascend by their bytes.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) folders: Vec<String>,
    /// Files that are not hidden and end in `.txt`.
    pub(super) texts: Vec<String>,
    /// All other files, and hidden folders.
    pub(super) others: Vec<String>,
}

impl Listing {
    /// Looks into a folder. Links count as what they lead to.
    ///
    /// # Errors
    /// `Read`; `FolderName` if a name is not Unicode.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let failed = |source: io::Error| Error::Read { path: path.to_owned(), source };
        let mut listing = Self::default();
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let inner = entry.path();
            let Ok(name) = entry.file_name().into_string() else {
                return Err(Error::FolderName { path: inner });
            };
            let metadata = inner.metadata();
            let is_folder = metadata.is_ok_and(|metadata| metadata.is_dir());
            let is_text = inner.extension().is_some_and(|it| it.eq_ignore_ascii_case(ENDING));
            let list = match (name.starts_with('.'), is_folder, is_text) {
                (false, true, _) => &mut listing.folders,
                (false, false, true) => &mut listing.texts,
                _ => &mut listing.others,
            };
            list.push(name);
        }
        for names in [&mut listing.folders, &mut listing.texts, &mut listing.others] {
            names.sort_unstable();
        }
        Ok(listing)
    }
}

/// All files of a class.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// The texts, below the folder, with slashes, ascending.
    pub(super) texts: Vec<String>,
    /// What was left out, likewise.
    pub(super) others: Vec<String>,
}

impl Files {
    /// Walks the folder `name` of `root` and all folders below it.
    ///
    /// # Errors
    /// As [`Listing::of`]; `Read` if a link leads back to a folder that it is in.
    pub(super) fn below(root: &Path, name: &str) -> Result<Self> {
        let mut files = Self::default();
        files.walk(root, name, &mut Vec::new())?;
        files.texts.sort_unstable();
        files.others.sort_unstable();
        Ok(files)
    }

    fn walk(&mut self, root: &Path, name: &str, above: &mut Vec<PathBuf>) -> Result<()> {
        let path = root.join(name);
        let failed = |source: io::Error| Error::Read { path: path.clone(), source };
        let real = path.canonicalize().map_err(failed)?;
        if above.contains(&real) {
            return Err(failed(io::Error::other("a link leads back to a folder that it is in")));
        }
        let Listing { folders, texts, others } = Listing::of(&path)?;
        let below = |inner: &String| format!("{name}/{inner}");
        self.texts.extend(texts.iter().map(below));
        self.others.extend(others.iter().map(below));
        above.push(real);
        for inner in &folders {
            self.walk(root, &below(inner), above)?;
        }
        above.pop();
        Ok(())
    }
}
