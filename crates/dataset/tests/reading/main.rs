//! Good and bad files as users have them, and the crate's messages about each.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its file has failed")]
#![allow(clippy::panic, reason = "a test says why it fails")]

mod columns;
mod delimited;
mod encodings;
mod files;
mod json_lines;
mod parquet;
mod properties;
mod tabs;
#[path = "../common/whole.rs"]
mod whole;

use std::fs;
use std::path::{Path, PathBuf};

use dataset::{
    ColumnChoice, DataFile, Error, LabelOptions, LabelledTexts, ReadOptions, Result, Targets,
};
use tempfile::TempDir;
use whole::TextTable;

/// A folder that contains one file.
fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn read(path: &Path) -> Result<LabelledTexts> {
    read_as(path, &ReadOptions::default())
}

fn read_as(path: &Path, options: &ReadOptions) -> Result<LabelledTexts> {
    let (choice, labels) = (ColumnChoice::default(), LabelOptions::default());
    LabelledTexts::read(&DataFile::open(path)?, &choice, &labels, options)
}

fn text_table(path: &Path) -> Result<TextTable> {
    TextTable::read(&DataFile::open(path)?, &ColumnChoice::default(), &ReadOptions::default())
}

fn without(folder: &Path, error: &Error) -> String {
    error.to_string().replace(&format!("{}/", folder.display()), "")
}

/// The message about a file, without the folder; any advice follows after a line break.
fn refusal(name: &str, content: impl AsRef<[u8]>, options: &ReadOptions) -> String {
    let (folder, path) = file(name, content);
    match read_as(&path, options) {
        Ok(table) => format!("READ {:?} {:?}", table.texts().collect::<Vec<_>>(), table.targets()),
        Err(error) => {
            let advice = error.advice().map_or(String::new(), |advice| format!("\n{advice}"));
            without(folder.path(), &error) + &advice
        }
    }
}

/// The message about a file, without the folder.
fn message(name: &str, content: impl AsRef<[u8]>) -> String {
    let refusal = refusal(name, content, &ReadOptions::default());
    refusal.split('\n').next().unwrap_or_default().to_owned()
}

/// Checks rejected files: name, content, and what the message or the advice must contain.
fn all_refused(cases: &[(&str, &str, &[&str])]) {
    let mut failures = Vec::new();
    for (name, content, expected) in cases {
        let refusal = refusal(name, content, &ReadOptions::default());
        let missing: Vec<_> = expected.iter().filter(|part| !refusal.contains(**part)).collect();
        if refusal.starts_with("READ") || !missing.is_empty() {
            failures.push(format!("{content:?}\n  lacks {missing:?}\n  in {refusal}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Checks the texts and labels of a file.
fn check(name: &str, content: impl AsRef<[u8]>, texts: &[&str], labels: &[u8]) {
    let (_folder, path) = file(name, content);
    let table = read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(table.texts().collect::<Vec<_>>(), texts, "{name}");
    assert_eq!(table.targets(), &Targets::from(labels.to_vec()), "{name}");
    assert!(table.classes().is_default(), "{name}");
}

/// The notes about a file.
fn notes(name: &str, content: impl AsRef<[u8]>) -> Vec<String> {
    let (_folder, path) = file(name, content);
    let table = read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    table.notes().iter().map(ToString::to_string).collect()
}
