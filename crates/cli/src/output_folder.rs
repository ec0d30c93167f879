//! Where a new model goes, so that no older one is lost and no other training is disturbed.

use std::path::Path;

use anyhow::bail;
use model::Error;
use model::folder::{Existing, OutputFolder};

const PARENT: &str = "models";

/// Claims the folder asked for, or `models/RECIPE`, numbered on where that is taken.
///
/// A folder asked for that exists is an error unless `force` is set.
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
            bail!("{} exists; --force replaces a model in it", path.display());
        }
        claimed => claimed?,
    };
    if !folder.is_locked() {
        eprintln!(
            "warning: the file system of {} knows no locks; let no other training write to it",
            folder.path().display()
        );
    }
    Ok(folder)
}
