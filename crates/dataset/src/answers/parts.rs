//! The parts of an output, in a folder beside it, from which an interrupted run goes on.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use polars::prelude::{ParquetReader, SerReader as _};
use whole_file::folder_of;

use super::layout::Layout;
use super::lock::{self, Asked, Lock};
use super::manifest::{self, Manifest, Part, Run};
use crate::error::{Error, Result};
use crate::tables::Format;
use crate::tables::write::{Destination, Encoded, Existing, Groups, failed, header};

/// Parts of an output, locked.
#[derive(Debug)]
pub(super) struct Parts {
    /// The output as it was given, for messages.
    path: PathBuf,
    /// The output itself, at the end of all links.
    target: PathBuf,
    folder: PathBuf,
    existing: Existing,
    pub(super) manifest: Manifest,
    /// The rows of a table that is only one part: packed, and not on disk.
    only: Option<Vec<u8>>,
    /// `None` once the parts have become the output.
    lock: Option<Lock>,
}

impl Parts {
    /// Locks the folder of parts of an output, and finds those of an earlier run.
    ///
    /// # Errors
    /// `OutputInUse`; `OtherRun` if the parts are not of this run and may not be replaced; `NotParts`;
    /// `Write`, `Read`.
    pub(super) fn of(
        path: &Path,
        target: PathBuf,
        run: Run,
        (existing, restart): (Existing, bool),
    ) -> Result<Self> {
        let folder = folder_of(&target).join(beside(&target, ".parts"));
        let failed = |source| Error::Write { path: path.to_owned(), source };
        let lock = match Lock::ask(&folder).map_err(failed)? {
            Asked::Ours(lock) => lock,
            Asked::Taken(pid) => return Err(Error::OutputInUse { path: path.to_owned(), pid }),
        };
        let may_replace = restart || existing == Existing::Replace;
        let mut manifest = match Manifest::read(&folder) {
            Err(Error::NotParts { .. }) if may_replace => None,
            result => result?,
        };
        if let Some(found) = &manifest {
            match run.difference(&found.run) {
                Some(_) if may_replace => manifest = None,
                Some(difference) => return Err(Error::OtherRun { path: folder, difference }),
                None => {}
            }
        }
        let mut manifest = manifest.filter(|_| !restart).unwrap_or_else(|| Manifest::new(run));
        manifest.keep_complete(&folder);
        let path = path.to_owned();
        let lock = Some(lock);
        let parts = Self { path, target, folder, existing, manifest, only: None, lock };
        parts.remove_others();
        if parts.manifest.parts.is_empty() {
            // That of another run would be taken for one with parts.
            let _ = fs::remove_file(parts.folder.join(manifest::NAME));
        }
        Ok(parts)
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
        let number = self.manifest.parts.len();
        let name = format!("part-{number:05}.{}", kind.extension());
        let n_bytes = bytes.len() as u64;
        let part = Part { name, n_rows, n_bytes, has_quotes, changes };
        if is_only {
            self.only = Some(bytes);
            self.manifest.parts.push(part);
            return Ok(());
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
            Layout::File => self.join()?,
            Layout::Folder => return self.become_output(),
        }
        self.remove();
        Ok(())
    }

    /// Joins the parts into one file.
    fn join(&self) -> Result<()> {
        let Manifest { run, parts, .. } = &self.manifest;
        let destination = Destination::File { target: self.target.clone() };
        destination.write(&self.path, self.existing, |sink| {
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
        })
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
        let old = folder_of(&self.target).join(beside(&self.target, ".old-parts"));
        let is_replaced = check_folder(&self.path, &self.target, self.existing)?;
        self.manifest.complete = true;
        self.manifest.write(&self.folder)?;
        if is_replaced {
            let _ = fs::remove_dir_all(&old);
            fs::rename(&self.target, &old).map_err(failed)?;
        }
        fs::remove_file(self.folder.join(lock::NAME)).map_err(failed)?;
        fs::rename(&self.folder, &self.target).map_err(failed)?;
        self.lock = None;
        let _ = whole_file::sync_folder(folder_of(&self.target));
        if is_replaced {
            fs::remove_dir_all(&old).map_err(failed)?;
        }
        Ok(())
    }

    /// Removes what a killed or another run left of parts.
    fn remove_others(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for name in entries.flatten().map(|entry| entry.file_name()) {
            let is_part = name.to_str().is_some_and(|name| name.starts_with("part-"));
            if is_part && !self.manifest.parts.iter().any(|part| name == *part.name) {
                let _ = fs::remove_file(self.folder.join(name));
            }
        }
    }

    /// Removes the folder of parts, unless somebody put something else into it.
    fn remove(&mut self) {
        self.manifest.parts.clear();
        self.remove_others();
        for name in [manifest::NAME, lock::NAME] {
            let _ = fs::remove_file(self.folder.join(name));
        }
        let _ = fs::remove_dir(&self.folder);
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
/// `Exists`; `NotParts` if what is there is not an output of this program.
pub(super) fn check_folder(path: &Path, target: &Path, existing: Existing) -> Result<bool> {
    if fs::symlink_metadata(target).is_err() {
        return Ok(false);
    }
    if existing == Existing::Refuse {
        return Err(Error::Exists { path: path.to_owned() });
    }
    match Manifest::read(target) {
        Ok(Some(_)) => Ok(true),
        _ => Err(Error::NotParts { path: path.to_owned() }),
    }
}

/// A name beside the output.
fn beside(target: &Path, ending: &str) -> OsString {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    name
}
