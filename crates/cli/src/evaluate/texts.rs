//! Which texts a model is evaluated on: those of its test, or those of any file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use classifier::folder::SeenTexts;
use dataset::{ColumnChoice, DataFile, LabelOptions, LabelledTexts};
use model::Task;
use text_preprocessing::text_digests;
use trainer::{DataOrigin, Divided, OwnOrigin, Scope, TrainingReport};

use super::{Args, SplitName};
use crate::reading::{tell_guesses, tell_notes};
use crate::same_file::is_same_file;

/// Some rows of a table.
pub(super) struct Texts {
    pub(super) table: LabelledTexts,
    pub(super) rows: Vec<u32>,
    /// The digests of their texts.
    pub(super) digests: Vec<u64>,
    /// What they are called in warnings.
    pub(super) scope: Scope,
}

impl Texts {
    /// Reads what the flags ask for: by default the test texts of the training, that the model has never seen.
    pub(super) fn of(
        args: &Args,
        report: &TrainingReport,
        seen: Option<&SeenTexts>,
        task: &Task,
    ) -> anyhow::Result<Self> {
        let data = &report.data;
        let path = match &args.data {
            Some(path) => path.clone(),
            None => own_path(args, data)?,
        };
        let is_divided = data.own_splits.is_empty();
        let is_own_data = is_same_file(&path, &data.path)
            || data.own_splits.iter().any(|(_, own)| is_same_file(&path, &own.path));
        let holds_test = match &data.own_splits.test {
            Some(test) => is_same_file(&path, &test.path),
            None => is_divided && is_own_data,
        };
        let split = args.split.unwrap_or(if holds_test { SplitName::Test } else { SplitName::All });
        // The test split cannot be reconstructed without its groups.
        let needs_groups = is_divided && (is_own_data || split == SplitName::Test);
        let table = match read(args, (data, task), &path, (is_own_data, needs_groups)) {
            Err(error @ dataset::Error::Missing { .. }) if args.data.is_none() => {
                let what = match is_divided {
                    true => "the data that the model was trained on",
                    false => "the test file of the training",
                };
                return Err(error)
                    .with_context(|| format!("cannot find {what} (pass it with --data FILE)"));
            }
            table => table?,
        };
        tell_notes(&path, table.notes());
        tell_guesses(&path, table.columns());
        let texts = match split {
            SplitName::All => Self::all(table, Scope::Given),
            SplitName::Test => Self::tested(args, table, &path, (report, seen))?,
        };
        if texts.rows.is_empty() {
            bail!("{}: no row has a text to evaluate on", path.display());
        }
        Ok(texts)
    }

    /// All rows.
    fn all(table: LabelledTexts, scope: Scope) -> Self {
        let digests = text_digests(&table.texts().collect::<Vec<_>>());
        Self { rows: (0..).take(table.len()).collect(), digests, table, scope }
    }

    /// The rows that were tested after the training.
    fn tested(
        args: &Args,
        table: LabelledTexts,
        path: &Path,
        (report, seen): (&TrainingReport, Option<&SeenTexts>),
    ) -> anyhow::Result<Self> {
        let data = &report.data;
        match &data.own_splits.test {
            Some(test) => {
                check_is_test_file(&table, path, test)?;
                return Ok(Self::all(table, Scope::Test));
            }
            None if !data.own_splits.is_empty() => return Err(untested(args)),
            None => check_is_training_data(&table, path, data)?,
        }
        let (rows, digests) =
            test_rows(&table, report, seen).with_context(|| path.display().to_string())?;
        let digest = trainer::digest_of_rows(&digests, &rows);
        if data.summary.test_digest.as_ref().is_some_and(|expected| *expected != digest) {
            bail!(
                "{}: cannot reconstruct the test split: the rows are grouped differently than when the \
                 model was trained; use --split all to evaluate on all rows",
                path.display()
            );
        }
        let digests = rows.iter().map(|&row| digests[row as usize]).collect();
        Ok(Self { table, rows, digests, scope: Scope::Test })
    }
}

/// The rows of the test split, and the digest of every row's text.
fn test_rows(
    table: &LabelledTexts,
    report: &TrainingReport,
    seen: Option<&SeenTexts>,
) -> anyhow::Result<(Vec<u32>, Vec<u64>)> {
    let plan = &report.data.split;
    if report.from.as_ref().is_none_or(|from| !from.knows_its_texts) {
        let Divided { split, digests, .. } = trainer::split(table, plan)?;
        return Ok((split.test, digests));
    }
    let Some(seen) = seen else {
        bail!(
            "cannot reconstruct the test split: the model was trained from another one, and its folder has no list of \
             the texts that both have seen; use --split all to evaluate on all rows"
        );
    };
    Ok(trainer::test_rows_from(table, plan, seen)?)
}

/// The file of the training that holds its test texts.
fn own_path(args: &Args, data: &DataOrigin) -> anyhow::Result<PathBuf> {
    if data.in_memory {
        bail!(
            "{}: the model was trained on texts from memory, so there is no file to evaluate it on; pass labelled \
             texts with --data FILE",
            args.model.display()
        );
    }
    match &data.own_splits.test {
        Some(test) => Ok(test.path.clone()),
        None if data.own_splits.is_empty() => Ok(data.path.clone()),
        None => Err(untested(args)),
    }
}

/// That there was no test.
fn untested(args: &Args) -> anyhow::Error {
    anyhow!(
        "{}: the model was trained without test texts; pass labelled texts with --data FILE",
        args.model.display()
    )
}

fn read(
    args: &Args,
    (data, task): (&DataOrigin, &Task),
    path: &Path,
    (is_own_data, needs_groups): (bool, bool),
) -> dataset::Result<LabelledTexts> {
    let given = args.labels.options();
    // What a label stood for in training it stands for in other data, too: read otherwise, the same stars would
    // mean something else.
    let map = given.map.clone().or_else(|| data.labels.map.clone());
    let separator = given.separator.or(data.labels.separator);
    let known = Some(trainer::classes_of(task, separator));
    let labels = LabelOptions { map, separator, known, ..given };
    // Texts from memory were in no columns.
    let has_columns = !data.in_memory;
    let choice = ColumnChoice {
        text: args.text_column.clone(),
        label: args.labels.columns(),
        group: data.group_column.clone().filter(|_| needs_groups && has_columns),
        known_text: Some(data.text_column.clone()).filter(|_| has_columns),
        known_group: None,
        known_label: if has_columns { data.label_columns.clone() } else { Vec::new() },
        // Figures count texts, whatever they weighed in training.
        weight: None,
    };
    let options = match is_own_data && args.reading.is_default() {
        true => data.options.clone(),
        false => args.reading.options(),
    };
    LabelledTexts::read(&DataFile::open(path)?, &choice, &labels, &options)
}

/// The test texts are known to be unseen only if they are those of the training.
fn check_is_test_file(table: &LabelledTexts, path: &Path, test: &OwnOrigin) -> anyhow::Result<()> {
    if table.fingerprint() != test.fingerprint {
        bail!(
            "{} differs from the test file of the training ({}): use --split all to evaluate on all rows",
            path.display(),
            test.path.display()
        );
    }
    Ok(())
}

/// The test split can only be reconstructed from the data that was split.
fn check_is_training_data(
    table: &LabelledTexts,
    path: &Path,
    data: &DataOrigin,
) -> anyhow::Result<()> {
    if table.fingerprint() != data.fingerprint {
        let n_rows = data.summary.n_rows;
        let trained_on = if data.in_memory {
            format!("{n_rows} texts from memory")
        } else {
            format!("{}, {n_rows} rows", data.path.display())
        };
        bail!(
            "{} has {} rows and differs from the training data ({trained_on}): cannot reconstruct the \
             test split; use --split all to evaluate on all rows",
            path.display(),
            table.len(),
        );
    }
    Ok(())
}
