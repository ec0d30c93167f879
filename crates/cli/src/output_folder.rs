//! Where a new model goes, so that no older one is lost.

use std::path::{Path, PathBuf};

use anyhow::bail;

const PARENT: &str = "models";

/// The folder asked for, or `models/RECIPE`, numbered on where that is taken.
///
/// A folder asked for that exists is an error unless `force` is set.
pub(crate) fn choose(asked: Option<&Path>, recipe: &str, force: bool) -> anyhow::Result<PathBuf> {
    match asked {
        Some(folder) => {
            let is_empty = folder.read_dir().is_ok_and(|mut entries| entries.next().is_none());
            if folder.exists() && !is_empty && !force {
                bail!("{} exists; --force replaces a model in it", folder.display());
            }
            Ok(folder.to_path_buf())
        }
        None => Ok(first_free(Path::new(PARENT), recipe)),
    }
}

fn first_free(parent: &Path, name: &str) -> PathBuf {
    let mut folder = parent.join(name);
    let mut number = 2;
    while folder.exists() {
        folder = parent.join(format!("{name}-{number}"));
        number += 1;
    }
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_is_numbered_on() -> anyhow::Result<()> {
        let parent = tempfile::tempdir()?;
        assert_eq!(first_free(parent.path(), "default"), parent.path().join("default"));
        std::fs::create_dir(parent.path().join("default"))?;
        std::fs::create_dir(parent.path().join("default-2"))?;
        assert_eq!(first_free(parent.path(), "default"), parent.path().join("default-3"));
        Ok(())
    }
}
