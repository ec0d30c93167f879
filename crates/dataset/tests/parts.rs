//! Tables of many parts: interrupted and gone on with, joined, in a folder, in a pipe.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its file has failed")]

#[path = "common/whole.rs"]
mod whole;

use std::fs;
use std::path::{Path, PathBuf};

use self::whole::TextTable;
use dataset::{
    AnswerKind, AnswerName, AnswerValues, AnswerWriter, BadRows, Change, ChunkedTable,
    ColumnChoice, DataFile, Error, Existing, Layout, Missing, OutputOptions, ReadOptions, Result,
    Written, check_output,
};
use serde_json::json;
use tempfile::TempDir;

/// Enough rows for several chunks.
const N_ROWS: usize = 40_000;

fn names() -> Vec<AnswerName> {
    let name = |name: &str, kind| AnswerName { name: name.to_owned(), kind };
    vec![
        name("predicted_label", AnswerKind::Words),
        name("probability", AnswerKind::Numbers),
        name("probabilities", AnswerKind::Lists),
        name("is_cut", AnswerKind::Flags),
        name("n_tokens", AnswerKind::Counts),
    ]
}

fn survey(path: &Path, bad_rows: BadRows) -> ChunkedTable {
    let files = [DataFile::open(path).unwrap()];
    let options = ReadOptions { missing: Missing::Skip, ..ReadOptions::default() };
    ChunkedTable::survey(&files, &ColumnChoice::default(), &options, bad_rows).unwrap()
}

/// Answers that depend only on the texts; writes at most `n_chunks` of them.
fn write(
    table: &ChunkedTable,
    path: &Path,
    options: OutputOptions,
    n_chunks: usize,
) -> Result<AnswerWriter> {
    let mut writer = AnswerWriter::create(table, path, &names(), options)?;
    for chunk in table.chunks_from(writer.next_row()).take(n_chunks) {
        let chunk = chunk?;
        let lengths: Vec<usize> = chunk.texts().map(str::len).collect();
        let of = |threshold| lengths.iter().map(move |&n| (n > threshold).then_some(n));
        let words: Vec<Option<String>> = of(8).map(|n| n.map(|n| format!("long {n}"))).collect();
        let numbers: Vec<f32> = lengths.iter().map(|&n| 1.0 / n as f32).collect();
        let lists: Vec<Vec<f32>> = numbers.iter().map(|&p| vec![p, 1.0 - p]).collect();
        let flags: Vec<bool> = of(9).map(|n| n.is_some()).collect();
        let counts: Vec<u32> = lengths.iter().map(|&n| n as u32).collect();
        writer.write(
            &chunk,
            &[
                AnswerValues::Words(&words),
                AnswerValues::Numbers(&numbers),
                AnswerValues::Lists(&lists),
                AnswerValues::Flags(&flags),
                AnswerValues::Counts(&counts),
            ],
        )?;
    }
    Ok(writer)
}

fn whole(table: &ChunkedTable, path: &Path) -> Written {
    write(table, path, OutputOptions::default(), usize::MAX).unwrap().finish().unwrap()
}

/// A table with rows without text, and with fields that need quotation marks near the end.
fn input(name: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let is_json = name.ends_with("jsonl");
    let mut content = if is_json { String::new() } else { "id,text\n".to_owned() };
    for row in 0..N_ROWS {
        content += &match (row, is_json) {
            (37, true) => "{\"id\":37}\n".to_owned(),
            (37, false) => "37,\n".to_owned(),
            (_, true) if row == N_ROWS - 2 => "{\"id\":0.5,\"text\":\"x\\ty\"}\n".to_owned(),
            (_, false) if row == N_ROWS - 2 => format!("{row},\"x\ty\"\n"),
            (_, true) => format!("{{\"id\":{row},\"text\":\"text {row}\"}}\n"),
            (_, false) => format!("{row},text {row}\n"),
        };
    }
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn names_in(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn read(path: &Path) -> TextTable {
    let options = ReadOptions { missing: Missing::Skip, ..ReadOptions::default() };
    TextTable::read(&DataFile::open(path).unwrap(), &ColumnChoice::default(), &options).unwrap()
}

#[test]
fn an_output_does_not_depend_on_where_its_run_was_interrupted() {
    for input_name in ["input.csv", "input.jsonl"] {
        let (folder, input) = input(input_name);
        let table = survey(&input, BadRows::Stop);
        for ending in ["csv", "tsv", "jsonl", "parquet", "csv.gz", "jsonl.zst"] {
            let one = folder.path().join(format!("one.{ending}"));
            let written = whole(&table, &one);
            assert_eq!(written.names[2], "probabilities");
            let other = folder.path().join(format!("other.{ending}"));
            let parts = folder.path().join(format!("other.{ending}.parts"));
            let options = OutputOptions::default;
            drop(write(&table, &other, options(), 1).unwrap());
            assert!(!other.exists() && parts.exists());
            // As if the program had been killed while it wrote the second part.
            fs::write(parts.join(format!("part-00001.{ending}")), "half").unwrap();
            fs::write(parts.join(".sentiment-abcdef.unfinished"), "half").unwrap();
            let again = write(&table, &other, options(), 1).unwrap();
            assert_eq!(again.next_row(), 2 << 14);
            drop(again);
            let last = write(&table, &other, options(), usize::MAX).unwrap();
            assert_eq!(last.finish().unwrap(), written);
            assert!(fs::read(&one).unwrap() == fs::read(&other).unwrap(), "{ending}");
            assert!(!parts.exists());

            let back = read(&other);
            assert_eq!((back.n_rows(), back.len()), (N_ROWS, N_ROWS - 1), "{ending}");
            // Lists cannot be written in every format, so they are left out where they are read.
            let n_left_out = usize::from(ending == "parquet");
            assert_eq!(back.left_out_columns().len(), n_left_out);
            assert_eq!(back.frame().width(), 7 - n_left_out);
        }
        let left = names_in(folder.path());
        assert_eq!(left.len(), 13, "{left:?}");
    }
}

#[test]
fn lists_and_flags_are_written_as_each_format_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.csv");
    fs::write(&input, "text,y\nab,1\n,2\nabcdefghij,3\n").unwrap();
    let table = survey(&input, BadRows::Stop);
    let written = |name: &str| {
        let path = folder.path().join(name);
        let options = OutputOptions { existing: Existing::Replace, ..OutputOptions::default() };
        write(&table, &path, options, usize::MAX).unwrap().finish().unwrap();
        fs::read_to_string(path).unwrap()
    };
    assert_eq!(
        written("out.csv"),
        "text,y,predicted_label,probability,probabilities,is_cut,n_tokens\n\
         ab,1,,0.5,\"[0.5,0.5]\",false,2\n,2,,,,,\n\
         abcdefghij,3,long 10,0.1,\"[0.1,0.9]\",true,10\n"
    );
    assert_eq!(
        written("out.jsonl").lines().next().unwrap(),
        "{\"text\":\"ab\",\"y\":\"1\",\"predicted_label\":null,\"probability\":0.5,\
         \"probabilities\":[0.5,0.5],\"is_cut\":false,\"n_tokens\":2}"
    );
    assert!(written("out.jsonl").contains("\"probabilities\":null,\"is_cut\":null"));
}

#[test]
fn parts_of_another_run_are_not_gone_on_with() {
    let (folder, input) = input("input.csv");
    let table = survey(&input, BadRows::Stop);
    let out = folder.path().join("out.csv");
    let options = |model: &str| OutputOptions {
        identity: json!({"model": model, "top": 3}),
        ..OutputOptions::default()
    };
    drop(write(&table, &out, options("a"), 1).unwrap());
    let refused = |table: &ChunkedTable, options| {
        let error = write(table, &out, options, 1).unwrap_err();
        assert!(error.advice().unwrap().contains("--force"));
        error.to_string().replace(&folder.path().display().to_string(), "FOLDER")
    };
    assert_eq!(
        refused(&table, options("b")),
        "FOLDER/out.csv.parts holds parts of another run: model was \"a\", and is \"b\""
    );
    let other = folder.path().join("other.csv");
    fs::write(&other, "text\na\n").unwrap();
    assert_eq!(
        refused(&survey(&other, BadRows::Stop), options("a")),
        "FOLDER/out.csv.parts holds parts of another run: the input, or how it is read, is another"
    );
    // They are still there.
    assert_eq!(write(&table, &out, options("a"), 0).unwrap().next_row(), 1 << 14);
    let restart = OutputOptions { restart: true, ..options("a") };
    assert_eq!(write(&table, &out, restart, 0).unwrap().next_row(), 0);
    drop(write(&table, &out, options("a"), 1).unwrap());
    let force = OutputOptions { existing: Existing::Replace, ..options("b") };
    assert_eq!(write(&table, &out, force, 0).unwrap().next_row(), 0);
    // Without parts, nothing stays.
    assert_eq!(names_in(folder.path()), ["input.csv", "other.csv"]);
}

#[test]
fn a_part_that_was_damaged_is_written_again() {
    let (folder, input) = input("input.csv");
    let table = survey(&input, BadRows::Stop);
    let out = folder.path().join("out.csv");
    drop(write(&table, &out, OutputOptions::default(), 2).unwrap());
    fs::write(folder.path().join("out.csv.parts/part-00001.csv"), "half").unwrap();
    let writer = write(&table, &out, OutputOptions::default(), 0).unwrap();
    assert_eq!(writer.next_row(), 1 << 14);
    let error = writer.finish().unwrap_err();
    assert_eq!(error.to_string(), "16384 of 40000 rows were written");
}

#[test]
fn an_output_is_written_by_one_program_at_a_time() {
    let (folder, input) = input("input.csv");
    let table = survey(&input, BadRows::Stop);
    let out = folder.path().join("out.csv");
    let first = write(&table, &out, OutputOptions::default(), 1).unwrap();
    let error = write(&table, &out, OutputOptions::default(), 1).unwrap_err();
    let pid = std::process::id();
    assert_eq!(
        error.to_string(),
        format!("{} is being written by another process (process {pid})", out.display())
    );
    drop(first);
    assert!(write(&table, &out, OutputOptions::default(), 1).is_ok());
}

#[test]
fn a_folder_of_parts_is_a_table_each_with_a_manifest() {
    let (folder, input) = input("input.csv");
    let table = survey(&input, BadRows::Stop);
    for ending in ["csv", "jsonl", "parquet", "csv.gz"] {
        let out = folder.path().join(format!("out.{ending}"));
        let options = |existing| OutputOptions {
            layout: Layout::Folder,
            existing,
            ..OutputOptions::default()
        };
        let writer = write(&table, &out, options(Existing::Refuse), usize::MAX).unwrap();
        writer.finish().unwrap();
        let mut names: Vec<String> = vec!["_manifest.json".to_owned()];
        names.extend((0..3).map(|number| format!("part-{number:05}.{ending}")));
        assert_eq!(names_in(&out), names);
        let manifest: serde_json::Value =
            serde_json::from_slice(&fs::read(out.join("_manifest.json")).unwrap()).unwrap();
        assert_eq!(manifest["complete"], json!(true));
        let n_rows: usize = names[1..].iter().map(|name| read(&out.join(name)).n_rows()).sum();
        assert_eq!(n_rows, N_ROWS);
        let error = write(&table, &out, options(Existing::Refuse), 1).unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{error}");
        let error = table.check_output(&out, Existing::Refuse, Layout::Folder).unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{error}");
        table.check_output(&out, Existing::Replace, Layout::Folder).unwrap();
        let again = write(&table, &out, options(Existing::Replace), usize::MAX).unwrap();
        again.finish().unwrap();
        assert_eq!(names_in(&out), names);
    }
    // A folder of something else is not replaced.
    let other = folder.path().join("other.csv");
    fs::create_dir(&other).unwrap();
    let options = OutputOptions {
        layout: Layout::Folder,
        existing: Existing::Replace,
        ..OutputOptions::default()
    };
    let error = write(&table, &other, options, 1).unwrap_err();
    assert!(matches!(error, Error::NotParts { .. }), "{error}");
    let error = check_output(&other, Existing::Replace, Layout::Folder).unwrap_err();
    assert!(matches!(error, Error::NotParts { .. }), "{error}");
    check_output(folder.path().join("new.csv"), Existing::Refuse, Layout::Folder).unwrap();
}

#[test]
fn files_that_are_not_ours_are_never_removed() {
    let (folder, input) = input("input.csv");
    let table = survey(&input, BadRows::Stop);
    let out = folder.path().join("out.csv");
    let restart =
        || OutputOptions { existing: Existing::Replace, restart: true, ..OutputOptions::default() };
    // A folder of another program, as Spark writes it.
    let parts = folder.path().join("out.csv.parts");
    fs::create_dir(&parts).unwrap();
    fs::write(parts.join("part-00000-c000.csv"), "theirs").unwrap();
    for options in [OutputOptions::default(), restart()] {
        let error = write(&table, &out, options, 1).unwrap_err();
        assert!(matches!(error, Error::NotParts { .. }), "{error}");
        assert_eq!(names_in(&parts), ["part-00000-c000.csv"]);
    }
    fs::remove_dir_all(&parts).unwrap();
    // A file that somebody put among ours.
    drop(write(&table, &out, OutputOptions::default(), 2).unwrap());
    fs::write(parts.join("part-notes.csv"), "theirs").unwrap();
    write(&table, &out, restart(), usize::MAX).unwrap().finish().unwrap();
    assert_eq!(names_in(&parts), ["part-notes.csv"]);

    let out = folder.path().join("folder.csv");
    let replace = || OutputOptions { layout: Layout::Folder, ..restart() };
    write(&table, &out, replace(), usize::MAX).unwrap().finish().unwrap();
    fs::write(out.join("notes.txt"), "theirs").unwrap();
    let error = write(&table, &out, replace(), 0).unwrap_err();
    assert!(matches!(error, Error::NotParts { .. }), "{error}");
    fs::remove_file(out.join("notes.txt")).unwrap();
    let old = folder.path().join("folder.csv.old-parts");
    fs::create_dir(&old).unwrap();
    fs::write(old.join("notes.txt"), "theirs").unwrap();
    let error = write(&table, &out, replace(), 0).unwrap_err();
    assert!(error.to_string().contains("old-parts"), "{error}");
    assert_eq!(names_in(&old), ["notes.txt"]);
}

#[test]
fn a_folder_cannot_make_us_remove_files_elsewhere() {
    let (folder, input) = input("input.csv");
    let table = survey(&input, BadRows::Stop);
    let out = folder.path().join("out.csv");
    drop(write(&table, &out, OutputOptions::default(), 1).unwrap());
    let manifest = folder.path().join("out.csv.parts/_manifest.json");
    let json = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, json.replace("part-00000", "part-/../../input")).unwrap();
    let restart = OutputOptions { restart: true, ..OutputOptions::default() };
    let error = write(&table, &out, restart, 1).unwrap_err();
    assert!(matches!(error, Error::NotParts { .. }), "{error}");
    assert!(input.exists());
}

#[test]
fn parts_of_another_version_are_replaced_only_if_that_is_wanted() {
    let (folder, input) = input("input.csv");
    let table = survey(&input, BadRows::Stop);
    let out = folder.path().join("out.csv");
    drop(write(&table, &out, OutputOptions::default(), 2).unwrap());
    let manifest = folder.path().join("out.csv.parts/_manifest.json");
    let json = fs::read_to_string(&manifest).unwrap();
    assert!(json.contains("\"version\": 1"));
    fs::write(&manifest, json.replace("\"version\": 1", "\"version\": 0")).unwrap();
    let error = write(&table, &out, OutputOptions::default(), 1).unwrap_err();
    assert!(matches!(error, Error::OldParts { .. }), "{error}");
    assert!(error.advice().unwrap().contains("--force"));
    let force = OutputOptions { existing: Existing::Replace, ..OutputOptions::default() };
    write(&table, &out, force, usize::MAX).unwrap().finish().unwrap();
    assert_eq!(names_in(folder.path()), ["input.csv", "out.csv"]);
}

#[test]
fn rows_of_several_files_are_named_with_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let contents = [("e1.csv", "text,y\nab,1\n"), ("e2.csv", "text,y\nx\nab,1\n")];
    let files = contents.map(|(name, content)| {
        fs::write(folder.path().join(name), content).unwrap();
        DataFile::open(folder.path().join(name)).unwrap()
    });
    let choice = ColumnChoice::default();
    let table =
        ChunkedTable::survey(&files, &choice, &ReadOptions::default(), BadRows::Keep).unwrap();
    let out = folder.path().join("out.jsonl");
    whole(&table, &out);
    let content = fs::read_to_string(out).unwrap();
    let line = content.lines().nth(1).unwrap();
    let start = format!("{}, row 1 (line 2): expected 2 fields", files[1].path().display());
    assert!(line.contains(&format!("\"error\":\"{start}")), "{line}");
}

#[test]
fn rows_that_cannot_be_read_are_in_the_output_with_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.csv");
    fs::write(&input, "text,error\nab,1\nx\nabcdefghij,3\n").unwrap();
    let table = survey(&input, BadRows::Keep);
    assert_eq!((table.n_rows(), table.n_texts(), table.n_bad_rows()), (3, 2, 1));
    let out = folder.path().join("out.csv");
    let written = whole(&table, &out);
    assert_eq!(written.names.last().unwrap(), "error_2");
    let content = fs::read_to_string(out).unwrap();
    let lines: Vec<&str> = content.lines().collect();
    assert_eq!(lines[1], "ab,1,,0.5,\"[0.5,0.5]\",false,2,");
    assert!(
        lines[2]
            .starts_with(",,,,,,,\"row 2 (line 3): expected 2 fields, as in the first line, got 1"),
        "{}",
        lines[2]
    );
}

#[test]
fn changes_of_all_parts_are_counted_together() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.parquet");
    use polars::prelude::*;
    let texts: Vec<&str> = (0..N_ROWS).map(|row| if row % 2 == 0 { "a\0b" } else { "c" }).collect();
    let mut frame = df!("text" => texts).unwrap();
    ParquetWriter::new(fs::File::create(&input).unwrap()).finish(&mut frame).unwrap();
    let table = survey(&input, BadRows::Stop);
    let out = folder.path().join("out.csv");
    drop(write(&table, &out, OutputOptions::default(), 1).unwrap());
    let written = whole(&table, &out);
    let expected = Change::Nul { column: "text".to_owned(), n_cells: N_ROWS / 2 };
    assert_eq!(written.changes, [expected]);
}

#[test]
fn the_answers_must_be_those_declared() {
    let (folder, input) = input("input.csv");
    let table = survey(&input, BadRows::Stop);
    let out = folder.path().join("out.csv");
    let mut writer =
        AnswerWriter::create(&table, &out, &names()[..1], OutputOptions::default()).unwrap();
    let second = table.chunks().nth(1).unwrap().unwrap();
    let words = vec![None; second.n_texts()];
    let error = writer.write(&second, &[AnswerValues::Words(&words)]).unwrap_err();
    assert_eq!(error.to_string(), "expected the chunk that begins with row 1, got row 16385");
    let first = table.chunks().next().unwrap().unwrap();
    let error = writer.write(&first, &[AnswerValues::Counts(&[])]).unwrap_err();
    assert!(matches!(error, Error::AnswerKinds), "{error}");
    let error = writer.write(&first, &[AnswerValues::Words(&[])]).unwrap_err();
    assert!(matches!(error, Error::LengthMismatch { .. }), "{error}");
}

#[test]
fn compressed_outputs_are_known_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.csv.gz", "a.tsv.zst", "a.jsonl.gz"] {
        check_output(folder.path().join(name), Existing::Refuse, Layout::File).unwrap();
    }
    for name in ["a.parquet.gz", "a.gz"] {
        assert!(
            check_output(folder.path().join(name), Existing::Refuse, Layout::File).is_err(),
            "{name}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_gets_all_chunks_as_a_file_would() {
    let (folder, input) = input("input.csv");
    let table = survey(&input, BadRows::Stop);
    for ending in ["csv", "tsv", "jsonl", "parquet"] {
        let pipe = folder.path().join(format!("pipe.{ending}"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = {
            let pipe = pipe.clone();
            std::thread::spawn(move || fs::read(pipe).unwrap())
        };
        whole(&table, &pipe);
        let file = folder.path().join(format!("file.{ending}"));
        whole(&table, &file);
        assert!(reader.join().unwrap() == fs::read(file).unwrap(), "{ending}");
    }
}
