//! What the folders of a folder are: classes, texts without labels, or splits.

use std::path::Path;

use super::walk::{Files, Listing};
use crate::error::{Error, Result};
use crate::tables::notes::Note;

/// Names of folders of texts without labels, which lie beside those of the classes.
const UNLABELLED: [&str; 4] = ["unsup", "unsupervised", "unlabeled", "unlabelled"];
/// Names of splits.
const TRAINING: [&str; 2] = ["train", "training"];
const SPLITS: [(&str, &[&str]); 3] = [
    ("train", &TRAINING),
    ("validation", &["validation", "valid", "val", "dev"]),
    ("test", &["test", "testing"]),
];

/// A class and its files.
#[derive(Debug)]
pub(super) struct Class {
    /// The name of its folder.
    pub(super) name: String,
    /// Its texts, below the folder of all classes, with slashes, ascending; at least one.
    pub(super) files: Vec<String>,
}

/// The classes of a folder, by name, and what was left out.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) classes: Vec<Class>,
    pub(super) notes: Vec<Note>,
}

impl Layout {
    /// Looks through a folder.
    ///
    /// # Errors
    /// `NoClassFolder`, `EmptyClassFolder`, `SplitFolders`; as [`Listing::of`].
    pub(super) fn of(path: &Path) -> Result<Self> {
        let top = Listing::of(path)?;
        if top.folders.is_empty() {
            return Err(Error::NoClassFolder { path: path.to_owned(), n_texts: top.texts.len() });
        }
        check_no_splits(path, &top.folders)?;
        let (unlabelled, names): (Vec<String>, Vec<String>) = match top.folders.len() {
            // They could be the classes.
            1 | 2 => (Vec::new(), top.folders),
            _ => top.folders.into_iter().partition(|name| is_one_of(&UNLABELLED, name)),
        };
        let (mut classes, mut others) = (Vec::with_capacity(names.len()), Vec::new());
        for name in names {
            let files = Files::below(path, &name)?;
            if files.texts.is_empty() {
                let path = path.join(&name);
                return Err(Error::EmptyClassFolder { path, n_others: files.others.len() });
            }
            others.extend(files.others);
            classes.push(Class { name, files: files.texts });
        }
        let (hidden, beside): (Vec<String>, Vec<String>) =
            top.others.into_iter().partition(|name| name.starts_with('.'));
        let mut beside = [beside, top.texts].concat();
        beside.sort_unstable();
        let others = [hidden, others].concat();
        let mut notes: Vec<Note> =
            unlabelled.into_iter().map(|folder| Note::FolderWithoutLabel { folder }).collect();
        if let Some(first) = beside.first() {
            notes.push(Note::FilesBeside { n_files: beside.len(), first: first.clone() });
        }
        if let Some(first) = others.first() {
            notes.push(Note::OtherFiles { n_files: others.len(), first: first.clone() });
        }
        Ok(Self { classes, notes })
    }
}

fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Fails if the folders are those of splits, and not of classes: their texts would be taken for those of a class
/// "train" and a class "test".
///
/// # Errors
/// `SplitFolders`; as [`Listing::of`].
fn check_no_splits(path: &Path, folders: &[String]) -> Result<()> {
    if !folders.iter().any(|name| is_one_of(&TRAINING, name)) {
        return Ok(());
    }
    let is_split = |name: &&String| SPLITS.iter().any(|(_, names)| is_one_of(names, name));
    let found: Vec<&String> = folders.iter().filter(is_split).collect();
    for name in &found {
        // A class may be called "train"; but then its texts lie in it.
        if Listing::of(&path.join(name))?.folders.is_empty() {
            return Ok(());
        }
    }
    let first = |(split, names): (&'static str, &[&str])| {
        let name = found.iter().find(|name| is_one_of(names, name))?;
        Some((split, (*name).clone()))
    };
    let splits = SPLITS.into_iter().filter_map(first).collect();
    let (path, folders) = (path.to_owned(), found.into_iter().cloned().collect());
    Err(Error::SplitFolders { path, folders, splits })
}
