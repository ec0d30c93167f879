//! The parts of an output, in a folder beside it, from which an interrupted run goes on.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use polars::prelude::{ParquetReader, SerReader as _};
use sha2::{Digest as _, Sha256};
use whole_file::folder_of;

use super::layout::Layout;
use super::lock::{self, Asked, Lock};
use super::manifest::{self, Found, Manifest, Part, Run};
use super::owned::Owned;
use crate::digest::{add_all, hex};
use crate::error::{Error, Result};
use crate::tables::Format;
use crate::tables::write::{Destination, Encoded, Existing, Groups, failed, header};

/// What the names of folders beside an output end with: that of its parts, and an output that is being replaced.
const PARTS: &str = ".parts";
const OLD: &str = ".old-parts";

/// Parts of an output, locked.
#[derive(Debug)]
pub(super) struct Parts {
    /// The output as it was given, for messages.
    path: PathBuf,
    /// The output itself, at the end of all links.
    target: PathBuf,
    pub(super) folder: PathBuf,
    existing: Existing,
    pub(super) manifest: Manifest,
    /// Whether the output is there already, and only its parts are still to be removed.
    is_done: bool,
    /// The rows of a table that is only one part: packed, and not on disk.
    only: Option<Vec<u8>>,
    /// `None` once the parts have become the output.
    lock: Option<Lock>,
}

impl Parts {
    /// Locks the folder of parts of an output, and finds those of an earlier run.
    ///
    /// # Errors
    /// `OutputInUse`; `Exists`; `OtherRun` and `OldParts` if the parts are not of this run and may not be
    /// replaced; `NotParts`; `Write`, `Read`.
    pub(super) fn of(
        path: &Path,
        target: PathBuf,
        run: Run,
        (existing, restart): (Existing, bool),
    ) -> Result<Self> {
        let folder = beside(&target, PARTS);
        let failed = |source| Error::Write { path: path.to_owned(), source };
        // Before a lock is put into a folder that is not ours.
        found_in(&folder)?;
        let lock = match Lock::ask(&folder).map_err(failed)? {
            Asked::Ours(lock) => lock,
            Asked::Taken(pid) => return Err(Error::OutputInUse { path: path.to_owned(), pid }),
        };
        let found = found_in(&folder)?;
        let may_replace = restart || existing == Existing::Replace;
        let owned = found.as_ref().map(Found::owned).unwrap_or_default();
        let earlier = match found {
            None => None,
            Some(Found::Old(_)) if may_replace => None,
            Some(Found::Old(_)) => return Err(Error::OldParts { path: folder }),
            Some(Found::Current(manifest)) => match run.difference(&manifest.run) {
                None if restart => None,
                None => Some(manifest),
                Some(_) if may_replace => None,
                Some(difference) => return Err(Error::OtherRun { path: folder, difference }),
            },
        };
        let is_done = earlier.as_ref().is_some_and(|earlier| is_of(&target, earlier));
        let mut manifest = earlier.unwrap_or_else(|| Manifest::new(run));
        if !is_done {
            if manifest.run.layout == Layout::File {
                Destination::File { target: target.clone() }.check(path, existing)?;
            }
            manifest.joined = None;
            manifest.keep_complete(&folder);
            let is_kept = |name: &String| manifest.parts.iter().any(|part| part.name == *name);
            let parts = owned.parts.into_iter().filter(|name| !is_kept(name)).collect();
            Owned { parts }.remove_parts(&folder);
            if manifest.parts.is_empty() {
                // That of another run would be taken for one with parts.
                let _ = fs::remove_file(folder.join(manifest::NAME));
            }
        }
        let (path, lock) = (path.to_owned(), Some(lock));
        Ok(Self { path, target, folder, existing, manifest, is_done, only: None, lock })
    }

    /// Adds a part, which is on disk then; if it is the whole of a file, it is kept until that is written.
    ///
    /// # Errors
    /// `Write`.
    pub(super) fn add(&mut self, bytes: Vec<u8>, n_rows: usize, encoded: Encoded) -> Result<()> {
        let Run { kind, columns, layout, .. } = &self.manifest.run;
        let failed = |source| Error::Write { path: self.path.clone(), source };
        let Encoded { changes, has_quotes } = encoded;
        let bytes = match layout {
            Layout::File => bytes,
            Layout::Folder => {
                let names = columns.iter().map(String::as_str);
                let mut whole = header(names, kind.format, has_quotes);
                whole.extend_from_slice(&bytes);
                whole
            }
        };
        let is_only = *layout == Layout::File && n_rows == self.manifest.run.n_rows;
        let bytes = kind.packing.packed(bytes).map_err(failed)?;
        let name = self.manifest.next_name();
        let n_bytes = bytes.len() as u64;
        let part = Part { name, n_rows, n_bytes, has_quotes, changes };
        if is_only {
            self.only = Some(bytes);
            self.manifest.parts.push(part);
            return Ok(());
        }
        if self.manifest.parts.is_empty() {
            // It says that the first part is ours, also if we are killed before that is listed.
            self.manifest.write(&self.folder)?;
        }
        whole_file::write(&self.folder.join(&part.name), &bytes).map_err(failed)?;
        self.manifest.parts.push(part);
        self.manifest.write(&self.folder)
    }

    /// Makes the output of the parts.
    ///
    /// # Errors
    /// `Exists`, `NotParts`, `Write`, `Encode`.
    pub(super) fn finish(mut self) -> Result<()> {
        match self.manifest.run.layout {
            Layout::File if self.is_done => {}
            Layout::File => self.join()?,
            Layout::Folder => return self.become_output(),
        }
        self.remove();
        Ok(())
    }

    /// Joins the parts into one file. The manifest says so before the file appears, so that one that did is known
    /// if we are killed before its parts are removed.
    pub(super) fn join(&self) -> Result<()> {
        let destination = Destination::File { target: self.target.clone() };
        destination.write(&self.path, self.existing, |sink| {
            let mut sink = Hashed { sink, hasher: Sha256::new() };
            self.join_into(&mut sink)?;
            let joined = Some(hex(sink.hasher));
            let mut manifest = self.manifest.clone();
            manifest.joined = joined;
            manifest.write(&self.folder)
        })
    }

    fn join_into(&self, sink: &mut dyn Write) -> Result<()> {
        let Manifest { run, parts, .. } = &self.manifest;
        let failed = |source| Error::Write { path: self.path.clone(), source };
        if run.kind.format == Format::Parquet {
            return match &self.only {
                Some(bytes) => sink.write_all(bytes).map_err(failed),
                None => self.join_groups(sink),
            };
        }
        let has_quotes = parts.iter().any(|part| part.has_quotes);
        let names = run.columns.iter().map(String::as_str);
        let header = header(names, run.kind.format, has_quotes);
        let empty = header.is_empty();
        let header = if empty { Ok(header) } else { run.kind.packing.packed(header) };
        sink.write_all(&header.map_err(failed)?).map_err(failed)?;
        if let Some(bytes) = &self.only {
            return sink.write_all(bytes).map_err(failed);
        }
        for part in parts {
            let path = self.folder.join(&part.name);
            let copied = File::open(&path).and_then(|mut file| io::copy(&mut file, sink));
            copied.map_err(failed)?;
        }
        Ok(())
    }

    /// Joins parts of Parquet, each as a row group.
    fn join_groups(&self, sink: &mut dyn Write) -> Result<()> {
        let format = Format::Parquet;
        let mut groups: Option<Groups<&mut dyn Write>> = None;
        let mut sink = Some(sink);
        for part in &self.manifest.parts {
            let path = self.folder.join(&part.name);
            let bytes = fs::read(&path).map_err(|source| Error::Read { path, source })?;
            let frame = ParquetReader::new(io::Cursor::new(bytes)).finish();
            let add = || {
                let frame = frame?;
                if let Some(sink) = sink.take() {
                    groups = Some(Groups::new(&frame, sink)?);
                }
                groups.as_mut().map_or(Ok(()), |groups| groups.add(frame))
            };
            add().map_err(|error| failed(&self.path, format, error))?;
        }
        let result = groups.map_or(Ok(()), |mut groups| groups.finish());
        result.map_err(|error| failed(&self.path, format, error))
    }

    /// Renames the folder of parts, which is the output.
    fn become_output(mut self) -> Result<()> {
        let failed = |source| Error::Write { path: self.path.clone(), source };
        let is_replaced = check_folder(&self.path, &self.target, self.existing)?;
        self.manifest.complete = true;
        self.manifest.write(&self.folder)?;
        let old = beside(&self.target, OLD);
        // What a killed run left.
        remove_owned(&old);
        fs::remove_file(self.folder.join(lock::NAME)).map_err(failed)?;
        let old = is_replaced.then_some(old);
        swap(&self.folder, &self.target, old.as_deref()).map_err(failed)?;
        self.lock = None;
        let _ = whole_file::sync_folder(folder_of(&self.target));
        old.iter().for_each(|old| remove_owned(old));
        Ok(())
    }

    /// Removes the folder of parts, unless somebody put something else into it.
    fn remove(&mut self) {
        self.manifest.owned().remove_all(&self.folder);
        self.lock = None;
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        // Without parts, there is nothing to go on with.
        if self.lock.is_some() && (self.manifest.parts.is_empty() || self.only.is_some()) {
            self.remove();
        }
    }
}

/// Checks that a folder of parts may become the output; whether it replaces one.
///
/// # Errors
/// `Exists`; `NotParts` if what is there is not an output of this program, or holds anything else.
pub(super) fn check_folder(path: &Path, target: &Path, existing: Existing) -> Result<bool> {
    if fs::symlink_metadata(target).is_err() {
        return Ok(false);
    }
    if existing == Existing::Refuse {
        return Err(Error::Exists { path: path.to_owned() });
    }
    if !is_owned(target) {
        return Err(Error::NotParts { path: path.to_owned() });
    }
    let old = beside(target, OLD);
    if fs::symlink_metadata(&old).is_ok() && !is_owned(&old) {
        return Err(Error::NotParts { path: old });
    }
    Ok(true)
}

/// Whether the parts beside a file were joined into a file before.
pub(super) fn is_joined(target: &Path) -> bool {
    let found = Manifest::read(&beside(target, PARTS));
    matches!(found, Ok(Some(Found::Current(Manifest { joined: Some(_), .. }))))
}

/// Whether a file is the one that parts were joined into.
fn is_of(target: &Path, manifest: &Manifest) -> bool {
    let Some(joined) = &manifest.joined else { return false };
    let mut hasher = Sha256::new();
    let added = File::open(target).and_then(|mut file| add_all(&mut hasher, &mut file));
    added.is_ok() && hex(hasher) == *joined
}

/// The manifest in a folder of parts; `None` if there is no folder, or nothing in it.
///
/// # Errors
/// `NotParts` if the folder is not ours; `Read`.
fn found_in(folder: &Path) -> Result<Option<Found>> {
    let found = Manifest::read(folder)?;
    if found.is_none() && Owned::default().has_others(folder) {
        return Err(Error::NotParts { path: folder.to_owned() });
    }
    Ok(found)
}

/// Whether a folder holds parts of this program and nothing else.
fn is_owned(folder: &Path) -> bool {
    let found = Manifest::read(folder);
    matches!(found, Ok(Some(found)) if !found.owned().has_others(folder))
}

/// Removes a folder of parts, as far as it is ours and the system lets us.
fn remove_owned(folder: &Path) {
    if let Ok(Some(found)) = Manifest::read(folder) {
        found.owned().remove_all(folder);
    }
}

/// Gives a folder the name of another, which is called `old` from then on, or has its name again if that fails.
fn swap(folder: &Path, target: &Path, old: Option<&Path>) -> io::Result<()> {
    let Some(old) = old else { return fs::rename(folder, target) };
    fs::rename(target, old)?;
    fs::rename(folder, target).inspect_err(|_| drop(fs::rename(old, target)))
}

/// The path of something beside the output.
fn beside(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    folder_of(target).join(name)
}

/// Passes bytes on, and knows the digest of all of them.
struct Hashed<'s> {
    sink: &'s mut dyn Write,
    hasher: Sha256,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_bytes = self.sink.write(bytes)?;
        self.hasher.update(&bytes[..n_bytes]);
        Ok(n_bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_replaced_has_its_name_again() {
        let folder = tempfile::tempdir().unwrap();
        let [parts, target, old] = ["parts", "target", "old"].map(|name| folder.path().join(name));
        fs::create_dir(&target).unwrap();
        fs::write(target.join("a"), "a").unwrap();
        assert!(swap(&parts, &target, Some(&old)).is_err());
        assert!(target.join("a").exists() && !old.exists());
        fs::create_dir(&parts).unwrap();
        swap(&parts, &target, Some(&old)).unwrap();
        assert!(!target.join("a").exists() && old.join("a").exists());
    }
}
