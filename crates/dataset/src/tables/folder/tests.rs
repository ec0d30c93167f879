//! Folders of every kind, good and bad.

use std::fs;
use std::path::Path;

use crate::columns::ColumnChoice;
use crate::error::{Error, Result};
use crate::labelled::LabelledTexts;
use crate::labels::LabelOptions;
use crate::tables::{DataFile, Encoding, Format, Missing, ReadOptions};

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        write(folder.path(), name, text);
    }
    folder
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn read_as(path: &Path, labels: &LabelOptions, options: &ReadOptions) -> Result<LabelledTexts> {
    LabelledTexts::read(&DataFile::open(path)?, &ColumnChoice::default(), labels, options)
}

fn read(path: &Path) -> Result<LabelledTexts> {
    read_as(path, &LabelOptions::default(), &ReadOptions::default())
}

/// A message without the path of the temporary folder.
fn without(folder: &tempfile::TempDir, error: &Error) -> String {
    error.to_string().replace(&folder.path().display().to_string(), "DIR")
}

#[track_caller]
fn message(folder: &tempfile::TempDir) -> String {
    without(folder, &read(folder.path()).unwrap_err())
}

fn notes(table: &LabelledTexts) -> Vec<String> {
    table.notes().iter().map(ToString::to_string).collect()
}

#[test]
fn classes_are_folders_and_rows_are_in_the_order_of_class_and_path() {
    let folder = folder(&[
        ("topics/b.c/2.txt", "four"),
        ("topics/b/z.txt", "six\n"),
        ("topics/b/a/1.TXT", "\u{feff}five\r\n"),
        ("topics/a,b/10.txt", "one\ntwo"),
        ("topics/a,b/9.txt", "three"),
    ]);
    let table = read(&folder.path().join("topics")).unwrap();
    assert_eq!(table.classes().names, ["a,b", "b", "b.c"]);
    let rows: Vec<(&str, u32)> = table
        .texts()
        .enumerate()
        .map(|(row, text)| (text, table.targets().of_row(row)[0]))
        .collect();
    assert_eq!(rows, [("one\ntwo", 0), ("three", 0), ("five", 1), ("six", 1), ("four", 2)]);
    assert!(!table.columns().text.guessed && !table.columns().labels[0].guessed);
    let expected = "label column \"label\": three classes: \"a,b\", \"b\", \"b.c\"";
    assert_eq!(notes(&table), [expected]);
    // The same texts are the same data, wherever they are.
    fs::rename(folder.path().join("topics"), folder.path().join("moved")).unwrap();
    let moved = read(&folder.path().join("moved")).unwrap();
    assert_eq!(table.fingerprint(), moved.fingerprint());
}

#[test]
fn folders_named_like_the_usual_classes_are_these() {
    let folder = folder(&[("pos/1.txt", "good"), ("neg/1.txt", "bad"), ("unsup/1.txt", "so")]);
    let table = read(folder.path()).unwrap();
    assert!(table.classes().is_default());
    assert_eq!(table.texts().collect::<Vec<_>>(), ["bad", "good"]);
    assert_eq!(notes(&table), ["left out the folder \"unsup\", whose texts have no labels"]);
    // Of two folders, it is a class.
    fs::remove_dir_all(folder.path().join("neg")).unwrap();
    assert_eq!(read(folder.path()).unwrap().classes().names, ["pos", "unsup"]);
}

#[test]
fn other_files_are_left_out_and_counted() {
    let folder = folder(&[
        ("pos/1.txt", "good"),
        ("neg/1.txt", "bad"),
        ("neg/.2.txt", "hidden"),
        ("pos/notes.md", "no text"),
        ("pos/.git/3.txt", "hidden"),
        (".DS_Store", "hidden"),
        ("README", "beside"),
        ("4.txt", "beside"),
    ]);
    let table = read(folder.path()).unwrap();
    assert_eq!(table.len(), 2);
    assert_eq!(
        notes(&table),
        [
            "left out 2 files that are in no class's folder, the first of them \"4.txt\"",
            "left out 4 files or folders that are hidden or do not end in .txt, the first of them \
             \".DS_Store\"",
        ]
    );
    // The notes are part of what a cache must know.
    let digest = |path| DataFile::open(path).unwrap().digest(b"").unwrap();
    let before = digest(folder.path());
    assert_eq!(before, digest(folder.path()));
    fs::remove_file(folder.path().join("README")).unwrap();
    assert_ne!(before, digest(folder.path()));
}

#[test]
fn a_folder_without_classes_is_refused_in_words() {
    let empty = folder(&[]);
    assert_eq!(message(&empty), "DIR is a folder without folders of classes in it");
    let flat = folder(&[("1.txt", "a"), ("2.txt", "b")]);
    assert_eq!(
        message(&flat),
        "DIR is a folder without folders of classes in it; 2 .txt files lie directly in it"
    );
    let advice = read(flat.path()).unwrap_err().advice().unwrap();
    assert!(advice.contains("reviews/positive/1.txt"), "{advice}");

    let one = folder(&[("pos/1.txt", "a"), ("pos/2.txt", "b")]);
    assert_eq!(
        message(&one),
        "DIR has the folder of one class only, \"pos\"; a classifier needs at least two classes"
    );
    let none = folder(&[("pos/1.txt", "a"), ("neg/1.md", "b")]);
    let expected = "DIR/neg is the folder of a class, but no .txt file is in it (1 other file is)";
    assert_eq!(message(&none), expected);
}

#[test]
fn splits_are_not_taken_for_classes() {
    let folder = folder(&[
        ("train/pos/1.txt", "good"),
        ("train/neg/1.txt", "bad"),
        ("test/pos/2.txt", "great"),
        ("test/neg/2.txt", "awful"),
    ]);
    let error = read(folder.path()).unwrap_err();
    assert_eq!(
        without(&folder, &error),
        "DIR has the folders \"test\", \"train\", which look like splits of the texts, not like classes"
    );
    let advice = error.advice().unwrap();
    let advice = advice.replace(&*folder.path().to_string_lossy(), "DIR");
    assert_eq!(
        advice,
        "To train with these splits, name them: --train DIR/train --test DIR/test. Otherwise name one of them, \
         such as DIR/train."
    );
    assert_eq!(read(&folder.path().join("train")).unwrap().len(), 2);
    write(folder.path(), "dev/pos/3.txt", "fine");
    let advice = read(folder.path()).unwrap_err().advice().unwrap();
    let advice = advice.replace(&*folder.path().to_string_lossy(), "DIR");
    assert!(
        advice.contains(": --train DIR/train --validation DIR/dev --test DIR/test."),
        "{advice}"
    );
    fs::remove_dir_all(folder.path().join("dev")).unwrap();
    write(folder.path(), "valid/3.txt", "a class of this name");
    assert_eq!(read(folder.path()).unwrap().classes().names, ["test", "train", "valid"]);
}

#[test]
fn a_file_that_is_not_text_is_named() {
    for (content, found) in [
        (&b"fine\ncaf\xe9\n"[..], "byte 0xe9, which is not valid UTF-8"),
        (&b"a\nb\0c"[..], "a NUL character"),
    ] {
        let folder = folder(&[("pos/1.txt", "good"), ("neg/1.txt", "bad")]);
        write(folder.path(), "pos/deep/2.txt", content);
        let expected =
            format!("DIR/pos/deep/2.txt, line 2: expected a text in UTF-8, found {found}");
        assert_eq!(message(&folder), expected);
    }
}

#[test]
fn a_file_without_text_or_with_a_doubtful_label_is_named() {
    let folder = folder(&[("pos/1.txt", "good"), ("neg/1.txt", "bad"), ("neg/2.txt", " \n")]);
    assert_eq!(message(&folder), "DIR/neg/2.txt: column \"text\" has no value");
    let skip = ReadOptions { missing: Missing::Skip, ..ReadOptions::default() };
    let table = read_as(folder.path(), &LabelOptions::default(), &skip).unwrap();
    assert_eq!((table.len(), notes(&table).concat()), (2, "left out 1 row without text".into()));
    write(folder.path(), "neg/2.txt", "worse");
    write(folder.path(), "nan/1.txt", "what");
    let message = message(&folder);
    assert!(message.starts_with("DIR/nan/1.txt: unknown label \"nan\""), "{message}");
}

#[test]
fn options_of_bytes_do_not_suit_a_folder() {
    let folder = folder(&[("pos/1.txt", "good"), ("neg/1.txt", "bad")]);
    let refused = |options: ReadOptions| {
        let error = read_as(folder.path(), &LabelOptions::default(), &options).unwrap_err();
        without(&folder, &error)
    };
    let format = ReadOptions { format: Some(Format::Csv), ..ReadOptions::default() };
    assert_eq!(refused(format), "DIR is a folder of texts, to which --format does not apply");
    let encoding = Some(Encoding::named("latin1").unwrap());
    let encoding = ReadOptions { encoding, ..ReadOptions::default() };
    assert_eq!(refused(encoding), "DIR is a folder of texts, to which --encoding does not apply");
    let encoding = Some(Encoding::UTF_8);
    let encoding = ReadOptions { encoding, ..ReadOptions::default() };
    assert!(read_as(folder.path(), &LabelOptions::default(), &encoding).is_ok());
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles() {
    use std::os::unix::fs::symlink;

    let folder =
        folder(&[("texts/pos/1.txt", "good"), ("texts/neg/1.txt", "bad"), ("more/2.txt", "b")]);
    let texts = folder.path().join("texts");
    symlink(folder.path().join("more"), texts.join("pos/more")).unwrap();
    assert_eq!(read(&texts).unwrap().len(), 3);
    symlink(&texts, texts.join("neg/again")).unwrap();
    let message = without(&folder, &read(&texts).unwrap_err());
    assert!(message.starts_with("cannot read DIR/texts/neg/again/neg"), "{message}");
}
