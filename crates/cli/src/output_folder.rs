//! Chooses the folder for a new model, so that no older model is lost and no other training disturbed.

use std::path::Path;

use anyhow::bail;
use classifier::Error;
use classifier::folder::{Existing, OutputFolder};

const PARENT: &str = "models";

/// Claims the requested folder, or `models/RECIPE`, with a number if that is taken.
///
/// A requested folder that exists is an error unless `force` is set.
pub(crate) fn claim(
    asked: Option<&Path>,
    recipe: &str,
    force: bool,
) -> anyhow::Result<OutputFolder> {
    let existing = if force { Existing::Replace } else { Existing::Refuse };
    let claimed = match asked {
        Some(path) => OutputFolder::claim(path, existing),
        None => OutputFolder::claim_free(Path::new(PARENT), recipe),
    };
    let folder = match claimed {
        Err(Error::Exists { path }) => {
            bail!("{} already exists; use --force to replace the model in it", path.display());
        }
        claimed => claimed?,
    };
    if !folder.is_locked() {
        eprintln!(
            "warning: the file system of {} does not support locks; let no other training write there",
            folder.path().display()
        );
    }
    Ok(folder)
}
