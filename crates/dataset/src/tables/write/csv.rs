//! Writes CSV and TSV, quoted as in RFC 4180: an empty cell is null, `""` is an empty string.
//!
//! Polars writes the rows and quotes fields that contain the separator, a quotation mark, CR or LF.
//! Column names are written here, because a reader uses them to recognise the file. A name is quoted if
//! it looks like the beginning of something else: a comment, another separator, a byte order mark or
//! another format. In a TSV with any quoted field, all names are quoted too, so that a reader can
//! distinguish it from tables with literal quotation marks. With the predictions there are always at
//! least three columns, so no row is a blank line.

use std::io::Write;

use polars::prelude::{Column, CsvWriter, DataFrame, PolarsResult, SerWriter};

use super::{Change, OutColumn, json_text, times};
use crate::tables::Cells;

/// The line of column names.
pub(super) fn header<'a>(
    names: impl Iterator<Item = &'a str>,
    separator: u8,
    has_quotes: bool,
) -> Vec<u8> {
    let mut header = Vec::new();
    for (idx, name) in names.enumerate() {
        if idx > 0 {
            header.push(separator);
        }
        push_name(&mut header, name, separator == b'\t' && has_quotes);
    }
    header.push(b'\n');
    header
}

/// Writes numbers with the fewest digits that round-trip, booleans as `true` and `false`, dates and
/// times in ISO 8601, JSON strings as their content, and other JSON values as JSON. The flag is true if
/// any field is quoted.
pub(super) fn write(
    columns: &[OutColumn],
    separator: u8,
    sink: &mut dyn Write,
) -> PolarsResult<(Vec<Change>, bool)> {
    let columns = columns.iter().map(plain).collect::<PolarsResult<Vec<Column>>>()?;
    let mut changes = Vec::new();
    let mut has_quotes = false;
    for column in columns.iter().filter(|column| column.dtype().is_string()) {
        let mut n_nul = 0;
        for cell in column.str()?.iter().flatten() {
            n_nul += usize::from(memchr::memchr(0, cell.as_bytes()).is_some());
            has_quotes = has_quotes || needs_quotes(cell, separator);
        }
        if n_nul > 0 {
            changes.push(Change::Nul { column: column.name().to_string(), n_cells: n_nul });
        }
    }
    let mut frame = DataFrame::new_infer_height(columns)?;
    CsvWriter::new(sink).include_header(false).with_separator(separator).finish(&mut frame)?;
    Ok((changes, has_quotes))
}

/// Whether a string is written in quotation marks.
pub(crate) fn needs_quotes(cell: &str, separator: u8) -> bool {
    let bytes = cell.as_bytes();
    bytes.is_empty()
        || memchr::memchr3(b'"', b'\n', b'\r', bytes).is_some()
        || memchr::memchr(separator, bytes).is_some()
}

fn plain(OutColumn { column, cells, .. }: &OutColumn) -> PolarsResult<Column> {
    match cells {
        Cells::Text => Ok(column.clone()),
        Cells::Json => json_text::to_strings(column),
        Cells::Typed => Ok(times::to_strings(column)?.unwrap_or_else(|| column.clone())),
    }
}

fn push_name(header: &mut Vec<u8>, name: &str, in_quotes: bool) {
    let is_plain = name.starts_with(char::is_alphanumeric)
        && name.ends_with(|c: char| !c.is_whitespace())
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.'))
        // Other kinds of files begin with these.
        && !["PAR1", "BZh", "sep"].iter().any(|start| name.starts_with(start));
    if is_plain && !in_quotes {
        header.extend_from_slice(name.as_bytes());
    } else {
        header.push(b'"');
        header.extend_from_slice(name.replace('"', "\"\"").as_bytes());
        header.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_mistaken_are_quoted() {
        let written = |name, in_quotes| {
            let mut header = Vec::new();
            push_name(&mut header, name, in_quotes);
            String::from_utf8(header).unwrap()
        };
        for name in ["text", "review text", "größe_2", "a-b.c", "文"] {
            assert_eq!(written(name, false), name);
            assert_eq!(written(name, true), format!("\"{name}\""));
        }
        let names = [
            "",
            " a",
            "a ",
            "# a",
            "a;b",
            "a,b",
            "a\tb",
            "a|b",
            "\u{feff}a",
            "a\rb",
            "sep=;",
            "{",
            "__label__x",
            "PAR1",
        ];
        for name in names {
            assert_eq!(written(name, false), format!("\"{name}\""));
        }
        assert_eq!(written("a\"b", false), "\"a\"\"b\"");
    }
}
