//! Checks an output before there is one: whether it may be written, and what would be lost.

use std::path::{Path, PathBuf};

use super::layout::{Kind, Layout};
use super::parts::{check_folder, is_joined};
use crate::chunked::ChunkedTable;
use crate::error::{Error, Result};
use crate::tables::write::{Destination, Existing};

/// Checks whether a table can be written to `path`, as far as possible before there is one.
///
/// Takes the format from the name, follows links to files, and creates and removes a file next to the output.
/// `-` is standard output. Pipes and devices are always accepted as files. A folder may be replaced only if it
/// holds parts of this program and nothing else.
///
/// # Errors
/// `Exists`, `UnknownExtension`, `NoFolder`; `IsFolder` for a file, `NotParts` for a folder of parts; `Write` if
/// the system refuses.
pub fn check_output(path: impl AsRef<Path>, existing: Existing, layout: Layout) -> Result<()> {
    let path = path.as_ref();
    let destination = find(path, layout)?;
    match &destination {
        Destination::File { target } => {
            Kind::of(path)?;
            check_target(path, target, existing, layout)?;
        }
        Destination::Stream(_) => destination.check(path, existing)?,
    }
    destination.probe(path)
}

impl ChunkedTable {
    /// Like [`check_output`], and also checks that overwriting an input file would lose no columns.
    ///
    /// # Errors
    /// As [`check_output`]; `ColumnsLost`.
    pub fn check_output(
        &self,
        path: impl AsRef<Path>,
        existing: Existing,
        layout: Layout,
    ) -> Result<()> {
        let path = path.as_ref();
        check_output(path, existing, layout)?;
        self.check_not_lost(path)
    }
}

/// Finds where an output goes; links to a folder of parts are not followed.
///
/// # Errors
/// `NoFolder`, `IsFolder`, `Write`; `NotParts` if a folder is wanted and there is a pipe or a device.
pub(super) fn find(path: &Path, layout: Layout) -> Result<Destination> {
    match (Destination::find(path), layout) {
        (Err(Error::IsFolder { .. }), Layout::Folder) if path.file_name().is_some() => {
            // Without the trailing slash.
            let target: PathBuf = path.components().collect();
            Ok(Destination::File { target })
        }
        (Ok(Destination::Stream(_)), Layout::Folder) => {
            Err(Error::NotParts { path: path.to_owned() })
        }
        (result, _) => result,
    }
}

/// Checks that nothing at the output would be lost. A file beside which there are still the parts that it was
/// joined from may be that of this very run, which is then found out.
///
/// # Errors
/// `Exists`, `NotParts`.
pub(super) fn check_target(
    path: &Path,
    target: &Path,
    existing: Existing,
    layout: Layout,
) -> Result<()> {
    match layout {
        Layout::Folder => check_folder(path, target, existing).map(drop),
        Layout::File if is_joined(target) => Ok(()),
        Layout::File => Destination::File { target: target.to_owned() }.check(path, existing),
    }
}
