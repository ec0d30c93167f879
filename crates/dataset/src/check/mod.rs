//! Findings about a table of labelled texts, before anything is trained on it.
//!
//! Texts are compared by digests and token ids that the caller computes. Each file looks for one kind of fault and
//! returns what it found.

mod advice;
mod between;
mod classes;
mod damage;
mod duplicates;
mod error;
mod finding;
mod labels_in_texts;
mod leaks;
mod lengths;
mod near;
mod report;
mod rows;
mod scripts;
mod spellings;
mod table;
mod tokens;
mod unknown;
mod wording;

pub use self::between::OtherTexts;
pub use self::finding::{Finding, Found, Severity, Spelled};
pub use self::lengths::Lengths;
pub use self::report::{ClassCount, Report};
pub use self::table::CheckedTable;
pub use self::tokens::{Reader, TextTokens};

use self::rows::Rows;
use crate::error::Result;
use crate::task_kind::TaskKind;

/// Looks for faults in a table.
///
/// `tokens`: those of [`CheckedTable::texts`]. `other`: the texts of another file, such as those kept for a test, with
/// their tokens; texts that are in both are a finding.
///
/// # Errors
/// `LengthMismatch` if there are not as many digests or lists of ids as texts; errors of the label column.
pub fn check(
    table: &CheckedTable,
    tokens: &TextTokens,
    reader: &Reader,
    other: Option<(&OtherTexts, &TextTokens)>,
) -> Result<Report> {
    tokens.check(table.labelled().len())?;
    if let Some((texts, tokens)) = other {
        tokens.check(texts.len())?;
    }
    let mut report = Report::of_table(table);
    let rows = Rows::of(table, tokens);
    report.add(rows.empty());
    if rows.with_text.is_empty() {
        report.add_all([Finding::unusable(Found::NoTexts)]);
        return Ok(report.sorted());
    }
    let (lengths, of_lengths) = lengths::find(&rows, reader);
    report.lengths = Some(lengths);
    report.add_all(duplicates::find(&rows));
    if report.worst() == Some(Severity::Unusable) {
        // Of a few texts, nothing else can be said.
        return Ok(report.sorted());
    }
    let shingles = near::shingles(tokens);
    report.add(near::find(&rows, &shingles));
    report.add_all(classes::find(table));
    report.add(spellings::find(table)?);
    report.add_all(damage::find(&rows));
    let no_spaces = scripts::find(&rows, reader);
    if no_spaces.is_none() {
        // Sentences that are not split are rare words, and few of them.
        report.add_all(of_lengths);
        report.add(unknown::find(&rows));
    }
    report.add(no_spaces);
    if table.labelled().classes().task != TaskKind::AnyOf {
        report.add_all(leaks::find(table));
    }
    report.add_all(labels_in_texts::find(&rows)?);
    if let Some((texts, tokens)) = other {
        report.add(between::find((&rows, &shingles), texts, tokens));
    }
    Ok(report.sorted())
}
