//! Outputs of which only the inside shows what would go wrong.

use std::fs;
use std::path::Path;

use super::writer::Sink;
use super::*;
use crate::error::{Error, Result};
use crate::tables::write::Existing;
use crate::tables::{BadRows, DataFile, Format, ReadOptions};
use crate::{ChunkedTable, ColumnChoice};

fn survey(file: &DataFile, options: &ReadOptions) -> ChunkedTable {
    let (files, choice) = (std::slice::from_ref(file), ColumnChoice::default());
    ChunkedTable::survey(files, &choice, options, BadRows::Stop).unwrap()
}

/// Writes all answers that are missing; in the second half of the rows, they hold tabs.
fn write(table: &ChunkedTable, path: &Path, model: &str) -> Result<AnswerWriter> {
    let names = [AnswerName { name: "answer".into(), kind: AnswerKind::Words }];
    let options = OutputOptions { identity: model.into(), ..OutputOptions::default() };
    let mut writer = AnswerWriter::create(table, path, &names, options)?;
    for chunk in table.chunks_from(writer.next_row()) {
        let chunk = chunk?;
        let is_late = 2 * chunk.first_row() >= table.n_rows();
        let word = Some(if is_late { "a\tb" } else { "a" }.to_owned());
        writer.write(&chunk, &[AnswerValues::Words(&vec![word; chunk.n_texts()])])?;
    }
    Ok(writer)
}

/// As if the program were killed when the output was there and its parts still were.
fn joined_only(writer: AnswerWriter) {
    let Sink::Parts(parts) = writer.sink else { panic!("a file has parts") };
    parts.join().unwrap();
    let manifest = parts.folder.join(manifest::NAME);
    let json = fs::read(&manifest).unwrap();
    drop(parts);
    // Dropping is more than being killed: it removes what is not needed.
    let _ = fs::create_dir(manifest.parent().unwrap());
    fs::write(manifest, json).unwrap();
}

#[test]
fn a_run_that_was_killed_after_its_output_appeared_is_done() {
    for n_rows in [3, 40_000] {
        let folder = tempfile::tempdir().unwrap();
        let file = DataFile::from_bytes("a.csv", "text\n".to_owned() + &"x y\n".repeat(n_rows));
        let table = survey(&file, &ReadOptions::default());
        let out = folder.path().join("out.csv");
        let parts = folder.path().join("out.csv.parts");
        joined_only(write(&table, &out, "m").unwrap());
        let (content, state) = (fs::read(&out).unwrap(), fs::metadata(&out).unwrap().modified());
        check_output(&out, Existing::Refuse, Layout::File).unwrap();
        // Another run is not done.
        assert!(matches!(write(&table, &out, "n"), Err(Error::OtherRun { .. })));
        let again = write(&table, &out, "m").unwrap();
        assert_eq!(again.next_row(), n_rows);
        again.finish().unwrap();
        assert!(!parts.exists());
        assert_eq!(fs::metadata(&out).unwrap().modified().unwrap(), state.unwrap());
        assert!(fs::read(&out).unwrap() == content);
        // Nothing is left to tell who wrote it.
        let error = check_output(&out, Existing::Refuse, Layout::File).unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{error}");

        // If the file is another one by now, it stays.
        fs::remove_file(&out).unwrap();
        joined_only(write(&table, &out, "m").unwrap());
        fs::write(&out, "theirs").unwrap();
        assert!(matches!(write(&table, &out, "m"), Err(Error::Exists { .. })));
        assert_eq!(fs::read(&out).unwrap(), b"theirs");
        // If it never appeared, it is joined again.
        fs::remove_file(&out).unwrap();
        write(&table, &out, "m").unwrap().finish().unwrap();
        assert!(fs::read(&out).unwrap() == content);
    }
}

#[cfg(unix)]
#[test]
fn a_tab_separated_stream_says_that_later_fields_are_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let file = DataFile::from_bytes("a.csv", "text\n".to_owned() + &"x y\n".repeat(40_000));
    let table = survey(&file, &ReadOptions::default());
    let pipe = folder.path().join("pipe.tsv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).unwrap()
    });
    write(&table, &pipe, "m").unwrap().finish().unwrap();
    let streamed = reader.join().unwrap();
    let path = folder.path().join("file.tsv");
    write(&table, &path, "m").unwrap().finish().unwrap();
    assert!(streamed == fs::read(&path).unwrap());
    assert!(streamed.starts_with(b"\"text\"\t\"answer\"\n"));
}

#[test]
fn a_stream_has_the_format_that_was_named_for_the_input() {
    for (format, content) in [
        (Format::Tsv, "text\ty\na\t1\n"),
        (Format::Csv, "text,y\na,1\n"),
        (Format::JsonLines, "{\"text\": \"a\"}\n"),
    ] {
        let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
        let table = survey(&DataFile::from_bytes("-", content), &options);
        assert_eq!(table.format_read(), format);
    }
}
