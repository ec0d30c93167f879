//! All that was found, with the figures of the table.

use serde::Serialize;

use super::error::refused;
use super::finding::{Finding, Severity};
use super::lengths::Lengths;
use super::table::CheckedTable;
use crate::columns::ColumnNames;
use crate::error::Error;
use crate::tables::ReadNotes;
use crate::task_kind::TaskKind;

/// A class and its texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// Its name.
    pub name: String,
    /// The number of rows.
    pub n_rows: usize,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Rows with a text and labels.
    pub n_rows: usize,
    /// The columns that were read; absent if the table cannot be read.
    pub columns: Option<ColumnNames>,
    /// What the labels mean.
    pub task: Option<TaskKind>,
    /// The classes, in their order.
    pub classes: Vec<ClassCount>,
    /// Words of the texts.
    pub lengths: Option<Lengths>,
    /// What was found, worst first.
    pub findings: Vec<Finding>,
    /// What the reader did that the user should know.
    #[serde(skip)]
    pub notes: ReadNotes,
}

impl Report {
    /// The report on a file that cannot be read as a table of labelled texts.
    pub fn of_error(error: &Error) -> Self {
        Self { findings: vec![refused(error)], ..Self::default() }
    }

    /// How bad the worst finding is; `None` if there is none.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    pub(super) fn of_table(table: &CheckedTable) -> Self {
        let labelled = table.labelled();
        let counts = labelled.class_counts();
        let names = labelled.classes().names.iter().zip(counts);
        let count = |(name, n_rows): (&String, usize)| ClassCount { name: name.clone(), n_rows };
        Self {
            n_rows: labelled.len(),
            columns: Some(labelled.columns().clone()),
            task: Some(labelled.classes().task),
            classes: names.map(count).collect(),
            lengths: None,
            findings: Vec::new(),
            notes: labelled.notes().clone(),
        }
    }

    pub(super) fn add(&mut self, finding: Option<Finding>) {
        self.findings.extend(finding);
    }

    pub(super) fn add_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    /// The same with the worst findings first.
    pub(super) fn sorted(mut self) -> Self {
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        self
    }
}
