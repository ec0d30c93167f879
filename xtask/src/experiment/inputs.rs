//! What figures depend on besides settings and seed: the recipe, the program, and the files of texts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::digest::digest;

const BUILT_IN: &str = "crates/trainer/recipes";
/// The folder of the program's sources, and the files beside it that decide how they are built.
const CRATES: &str = "crates";
const BUILD: [&str; 2] = ["Cargo.toml", "Cargo.lock"];
/// Endings of files that are compiled or say how.
const SOURCES: [&str; 3] = ["rs", "toml", "cu"];
/// Folders of no effect on `sentiment`.
const IGNORED: [&str; 3] = ["tests", "benches", "python"];

/// Digests of the recipe, the program's sources, and each file of labelled texts to evaluate on: SHA-256, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inputs {
    recipe: String,
    program: String,
    also: BTreeMap<String, String>,
}

impl Inputs {
    /// As they are now. `root`: the folder of the workspace; `recipe`: a name or a file.
    pub(super) fn now(root: &Path, recipe: &str, also: &[String]) -> anyhow::Result<Self> {
        let built_in = root.join(BUILT_IN).join(recipe).with_extension("toml");
        // As `sentiment` has it: the name of a built-in recipe goes before a file.
        let is_name = !recipe.contains(['/', '.']) && built_in.is_file();
        let path = if is_name { built_in } else { root.join(recipe) };
        let of_texts = |file: &String| Ok((file.clone(), digest(&root.join(file))?));
        Ok(Self {
            recipe: digest(&path)?,
            program: program(root)?,
            also: also.iter().map(of_texts).collect::<anyhow::Result<_>>()?,
        })
    }
}

/// One digest for the paths and contents of all sources.
fn program(root: &Path) -> anyhow::Result<String> {
    let mut files: Vec<PathBuf> = BUILD.map(|name| root.join(name)).into();
    add_sources(&root.join(CRATES), &mut files)?;
    files.sort_unstable();
    let mut hasher = Sha256::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy();
        hasher.update(format!("{name} {}\n", digest(&file)?));
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn add_sources(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let failed = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(failed)? {
        let path = entry.with_context(failed)?.path();
        let is = |names: &[&str], part: Option<&std::ffi::OsStr>| {
            part.is_some_and(|part| names.iter().any(|name| part == *name))
        };
        if path.is_dir() {
            if !is(&IGNORED, path.file_name()) {
                add_sources(&path, files)?;
            }
        } else if is(&SOURCES, path.extension()) {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_change_with_what_decides_figures_and_with_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = place.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let files = [
            "Cargo.toml",
            "Cargo.lock",
            "crates/a/src/lib.rs",
            "crates/a/src/b/on_device.cu",
            "crates/trainer/recipes/quick.toml",
            "crates/a/README.md",
            "crates/a/tests/b.rs",
            "mine.toml",
            "texts.csv",
        ];
        files.iter().for_each(|file| write(file, "first"));
        let now =
            |recipe: &str| Inputs::now(place.path(), recipe, &["texts.csv".to_string()]).unwrap();
        let [quick, mine] = ["quick", "mine.toml"].map(now);
        assert_ne!(digest(&place.path().join("texts.csv")).unwrap(), quick.program);
        for (file, changes) in files.iter().zip([
            [true, true],
            [true, true],
            [true, true],
            [true, true],
            [true, true],
            [false, false],
            [false, false],
            [false, true],
            [true, true],
        ]) {
            write(file, "second");
            assert_eq!([now("quick") != quick, now("mine.toml") != mine], changes, "{file}");
            write(file, "first");
        }
        assert!(now("quick") == quick);
        write("crates/c/src/lib.rs", "new");
        assert!(now("quick") != quick);
        let missing = Inputs::now(place.path(), "none.toml", &[]).unwrap_err().to_string();
        assert!(missing.contains("none.toml"), "{missing}");
    }
}
