//! Labels that are written in several ways.

use std::collections::BTreeMap;

use super::finding::{Finding, Found, Severity, Spelled};
use super::table::CheckedTable;
use crate::error::Result;
use crate::labels::{self, Source};
use crate::task_kind::TaskKind;

/// Looks at the label column as it is written, unless a label map says what is meant.
///
/// # Errors
/// Those of the column.
pub(super) fn find(table: &CheckedTable) -> Result<Option<Finding>> {
    let labelled = table.labelled();
    let classes = labelled.classes();
    let [column] = &labelled.columns().labels[..] else { return Ok(None) };
    if classes.task == TaskKind::AnyOf || labelled.label_options().map.is_some() {
        return Ok(None);
    }
    let rows = table.table_rows();
    let (path, writing) = (&*table.path, table.writing);
    let source = Source { path, table: &table.table, rows: Some(&rows), writing };
    let mut by_class: BTreeMap<u32, Vec<labels::Spelling>> = BTreeMap::new();
    for spelling in labels::spellings(&source, &column.name)? {
        let class = labelled.targets().of_row(spelling.first).first().copied();
        by_class.entry(class.unwrap_or_default()).or_default().push(spelling);
    }
    let mut rare: Vec<u32> = Vec::new();
    let mut found = Vec::new();
    for (class, mut spellings) in by_class.into_iter().filter(|(_, all)| all.len() > 1) {
        spellings.sort_by_key(|spelling| (std::cmp::Reverse(spelling.rows.len()), spelling.first));
        rare.extend(spellings[1..].iter().flat_map(|spelling| &spelling.rows));
        let spellings = spellings.into_iter().map(|it| (it.written, it.rows.len())).collect();
        found.push(Spelled { class: classes.name(class as usize).to_owned(), spellings });
    }
    rare.sort_unstable();
    let rows = rare.iter().map(|&row| labelled.file_row(row));
    let finding = Finding::of(Severity::Warning, Found::Spellings { classes: found.clone() });
    Ok((!found.is_empty()).then(|| finding.in_rows(rows)))
}

/// What in a text would give away each class: its name and what is written for it, as words in lower case.
///
/// # Errors
/// Those of the column.
pub(super) fn words_of_classes(table: &CheckedTable) -> Result<Vec<(u32, String)>> {
    let labelled = table.labelled();
    let names = labelled.classes().names.iter().zip(0u32..);
    let mut words: Vec<(u32, String)> = names.map(|(name, class)| (class, name.clone())).collect();
    if let ([column], true) =
        (&labelled.columns().labels[..], labelled.classes().task != TaskKind::AnyOf)
    {
        let rows = table.table_rows();
        let (path, writing) = (&*table.path, table.writing);
        let source = Source { path, table: &table.table, rows: Some(&rows), writing };
        for spelling in labels::spellings(&source, &column.name)? {
            let class = labelled.targets().of_row(spelling.first).first().copied();
            words.push((class.unwrap_or_default(), spelling.written));
        }
    }
    words.iter_mut().for_each(|(_, word)| *word = word.trim().to_lowercase());
    words.sort_unstable();
    words.dedup();
    Ok(words)
}
