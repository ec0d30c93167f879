//! What is written about the parts of an output: of which run they are, and which are complete.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::layout::{Kind, Layout};
use super::owned::Owned;
use crate::error::{Error, Result};
use crate::tables::write::Change;

/// The name of the manifest in the folder of parts. Programs that read a folder as one table skip names that begin
/// so.
pub(super) const NAME: &str = "_manifest.json";
/// The version of its format.
const VERSION: u32 = 1;

/// The parts of an output. They stay whole: only the last may be missing or unfinished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    version: u32,
    pub(super) run: Run,
    pub(super) parts: Vec<Part>,
    /// Whether all rows are written; only a folder that is the output itself stays so.
    pub(super) complete: bool,
    /// The SHA-256 of the file that the parts were joined into, once that is about to appear.
    #[serde(default)]
    pub(super) joined: Option<String>,
}

/// A manifest that was found.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Current(Manifest),
    /// One of another version of this program, with the names of its parts.
    Old(Vec<String>),
}

/// What decides the bytes of all parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    /// The digest of the input, and of how it is read.
    pub(super) input: String,
    /// What the caller says.
    pub(super) identity: serde_json::Value,
    /// The number of rows of the whole table.
    pub(super) n_rows: usize,
    /// All columns, as they are written.
    pub(super) columns: Vec<String>,
    pub(super) kind: Kind,
    pub(super) layout: Layout,
}

/// A part that is complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Part {
    /// The name of its file.
    pub(super) name: String,
    pub(super) n_rows: usize,
    pub(super) n_bytes: u64,
    /// Whether any of its fields is quoted.
    pub(super) has_quotes: bool,
    pub(super) changes: Vec<Change>,
}

impl Manifest {
    pub(super) fn new(run: Run) -> Self {
        Self { version: VERSION, run, parts: Vec::new(), complete: false, joined: None }
    }

    /// Reads the manifest in a folder; `None` if there is none.
    ///
    /// # Errors
    /// `NotParts` if it is none of this program; `Read`.
    pub(super) fn read(folder: &Path) -> Result<Option<Found>> {
        let path = folder.join(NAME);
        let json = match fs::read(&path) {
            Ok(json) => json,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Read { path, source }),
        };
        let not_parts = || Error::NotParts { path: folder.to_owned() };
        if let Ok(manifest) = serde_json::from_slice::<Self>(&json)
            && manifest.version == VERSION
        {
            let names = manifest.parts.iter().map(|part| part.name.as_str());
            let is_ours = names.clone().all(is_part);
            return if is_ours { Ok(Some(Found::Current(manifest))) } else { Err(not_parts()) };
        }
        let other: Other = serde_json::from_slice(&json).map_err(|_| not_parts())?;
        let names = other.parts.into_iter().map(|part| part.name).collect::<Vec<_>>();
        if other.version == VERSION || !names.iter().all(|name| is_part(name)) {
            return Err(not_parts());
        }
        Ok(Some(Found::Old(names)))
    }

    /// Writes the manifest, whole or not at all.
    ///
    /// # Errors
    /// `Write`.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(NAME);
        let json = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        json.and_then(|json| whole_file::write(&path, &json))
            .map_err(|source| Error::Write { path, source })
    }

    /// The name of the next part.
    pub(super) fn next_name(&self) -> String {
        format!("part-{:05}.{}", self.parts.len(), self.run.kind.extension())
    }

    /// The files of the parts, also of the next one, which may be on disk and not listed yet.
    pub(super) fn owned(&self) -> Owned {
        let names = self.parts.iter().map(|part| part.name.clone());
        Owned { parts: names.chain([self.next_name()]).collect() }
    }

    /// The rows of all parts.
    pub(super) fn n_rows(&self) -> usize {
        self.parts.iter().map(|part| part.n_rows).sum()
    }

    /// The first part whose file is missing or has another length, and all after it are forgotten.
    pub(super) fn keep_complete(&mut self, folder: &Path) {
        let is_complete = |part: &Part| {
            let metadata = fs::metadata(folder.join(&part.name));
            metadata.is_ok_and(|file| file.is_file() && file.len() == part.n_bytes)
        };
        let n_complete = self.parts.iter().take_while(|part| is_complete(part)).count();
        self.parts.truncate(n_complete);
    }
}

impl Found {
    /// The files of the parts.
    pub(super) fn owned(&self) -> Owned {
        match self {
            Self::Current(manifest) => manifest.owned(),
            Self::Old(names) => Owned { parts: names.clone() },
        }
    }
}

/// What manifests of all versions have.
#[derive(Deserialize)]
struct Other {
    version: u32,
    parts: Vec<OtherPart>,
    #[serde(rename = "run")]
    _run: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct OtherPart {
    name: String,
}

/// Whether a name is that of a part, and not a path to somewhere else.
fn is_part(name: &str) -> bool {
    name.starts_with("part-") && !name.contains(['/', '\\'])
}

impl Run {
    /// What differs from another run, as a clause; `None` if nothing does.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        if self.input != other.input {
            return Some("the input, or how it is read, is another".to_owned());
        }
        if let Some(difference) = of_values("", &self.identity, &other.identity) {
            return Some(difference);
        }
        if self.kind != other.kind {
            return Some(format!("the format was {}, and is {}", other.kind, self.kind));
        }
        if self.columns != other.columns {
            return Some("the columns are others".to_owned());
        }
        if self.layout != other.layout {
            return Some(match other.layout {
                Layout::File => "it was to become one file, and now a folder".to_owned(),
                Layout::Folder => "it was to become a folder, and now one file".to_owned(),
            });
        }
        (self != other).then(|| "the number of rows is another".to_owned())
    }
}

/// The first difference of two JSON values, with its place.
fn of_values(place: &str, own: &serde_json::Value, other: &serde_json::Value) -> Option<String> {
    use serde_json::Value::{Null, Object};
    if own == other {
        return None;
    }
    if let (Object(own), Object(other)) = (own, other) {
        let keys = own.keys().chain(other.keys());
        let mut differences = keys.filter_map(|key| {
            let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            of_values(&place, own.get(key).unwrap_or(&Null), other.get(key).unwrap_or(&Null))
        });
        return differences.next();
    }
    let name = if place.is_empty() { "identity" } else { place };
    Some(format!("{name} was {other}, and is {own}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_named_with_both_values() {
        let own = json!({"model": "b", "top": {"k": 3}});
        let differs = |other| of_values("", &own, &other);
        assert_eq!(differs(own.clone()), None);
        let other = json!({"model": "a", "top": {"k": 3}});
        assert_eq!(differs(other).unwrap(), "model was \"a\", and is \"b\"");
        let other = json!({"model": "b", "top": {}});
        assert_eq!(differs(other).unwrap(), "top.k was null, and is 3");
        assert_eq!(of_values("", &json!(1), &json!(2)).unwrap(), "identity was 2, and is 1");
    }
}
