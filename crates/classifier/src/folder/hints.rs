//! Suggestions for a path that is not a model folder.

use std::fs;
use std::path::{Path, PathBuf};
use whole_file::folder_of;

use super::files::{CONFIG_FILE, Purpose, TOKENIZER_FILE, WEIGHTS_FILE, looks_like_a_model};
use crate::error::Error;

/// Maximum number of models to name.
const MAX_NAMED: usize = 4;

/// The error for a path without a model's configuration. `expected`: the files of a model folder.
pub(super) fn not_a_model(path: &Path, expected: &'static str) -> Error {
    let no_model = |found: String, meant| Error::NoModel { path: path.to_path_buf(), found, meant };
    let holds = format!("a model is a folder with {expected}");
    let parent = folder_of(path);
    if path.is_file() {
        return if looks_like_a_model(parent) {
            no_model("it is a file in a model folder".to_string(), vec![parent.to_path_buf()])
        } else {
            no_model(format!("it is a file; {holds}"), Vec::new())
        };
    }
    if !path.is_dir() {
        let aside = left_aside(path);
        if !aside.is_empty() {
            return no_model(
                "it does not exist, because its replacement was interrupted".into(),
                aside,
            );
        }
        let others = models_in(parent);
        let found = match others.as_slice() {
            [] => "it does not exist".to_string(),
            [other] => format!("it does not exist; there is {}", other.display()),
            others => format!("it does not exist; there are {}", named(others)),
        };
        return no_model(found, Vec::new());
    }
    if [WEIGHTS_FILE, TOKENIZER_FILE].iter().any(|file| path.join(file).is_file()) {
        return Error::MissingFile { path: path.join(CONFIG_FILE), expected };
    }
    match models_in(path) {
        models if models.is_empty() => no_model(format!("it lacks {CONFIG_FILE}; {holds}"), models),
        mut models => {
            models.truncate(MAX_NAMED);
            no_model("it is a folder of models".to_string(), models)
        }
    }
}

/// Models that a program killed between two renames left beside this path.
fn left_aside(path: &Path) -> Vec<PathBuf> {
    let Some(name) = path.file_name() else { return Vec::new() };
    let entries = fs::read_dir(folder_of(path)).into_iter().flatten().flatten();
    let older = entries.filter(|it| Purpose::of(&it.file_name(), name) == Some(Purpose::Old));
    older.map(|entry| entry.path()).filter(|path| looks_like_a_model(path)).collect()
}

/// The model folders in a folder, by name. Hidden ones are skipped.
fn models_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let visible = entries.filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    // A bare name is in the current folder: it is shown as short as it was given.
    let in_folder = |entry: fs::DirEntry| match folder == Path::new(".") {
        true => PathBuf::from(entry.file_name()),
        false => folder.join(entry.file_name()),
    };
    let mut models: Vec<PathBuf> =
        visible.map(in_folder).filter(|path| looks_like_a_model(path)).collect();
    models.sort();
    models
}

fn named(models: &[PathBuf]) -> String {
    let mut names: Vec<String> =
        models.iter().take(MAX_NAMED).map(|path| path.display().to_string()).collect();
    if models.len() > MAX_NAMED {
        names.push(format!("{} more", models.len() - MAX_NAMED));
    }
    match names.as_slice() {
        [names @ .., last] if !names.is_empty() => format!("{} and {last}", names.join(", ")),
        names => names.concat(),
    }
}
