//! From files, or the cache, to encoded splits.

use std::path::Path;

use dataset::check::CheckedTable;
use dataset::{
    ColumnChoice, ColumnNames, DataFile, LabelOptions, LabelledTexts, ReadNotes, ReadOptions,
};
use text_preprocessing::PreprocessingConfig;

use crate::cache::Cache;
use crate::data_check::findings_for_training;
use crate::error::{Error, Result};
use crate::few_texts::FewTexts;
use crate::own_splits::{LoadedFile, OwnSplits};
use crate::prepare::{Prepared, SplitPlan, prepare_own_few};

/// Labelled texts in a file, or in several that the user divided, and how to prepare them.
#[derive(Debug, Clone, Copy)]
pub struct DataRequest<'a> {
    /// The file; of several, that of the training texts.
    pub file: &'a DataFile,
    /// The others, if the user divided the texts.
    pub others: OwnSplits<&'a DataFile>,
    /// Its columns. The others have the same text and label columns if they have columns of these names; otherwise
    /// theirs are guessed. Test texts have no weights. They have groups if their file has the group column, so that no
    /// group is both in training and in the test. Validation texts have none.
    pub columns: &'a ColumnChoice,
    /// What its labels mean. The others have its classes.
    pub labels: &'a LabelOptions,
    /// How the files are to be read.
    pub options: &'a ReadOptions,
    /// The split; of several files, see [`prepare_own`](crate::prepare_own).
    pub plan: &'a SplitPlan,
    /// How texts become ids.
    pub preprocessing: &'a PreprocessingConfig,
    /// What becomes of that when there are few texts.
    pub few_texts: FewTexts,
}

/// The result of a [`DataRequest`].
#[derive(Debug, Clone)]
pub struct LoadedData {
    /// The encoded splits.
    pub data: Prepared,
    /// The columns that were read.
    pub columns: ColumnNames,
    /// The reader's notes for the user.
    pub notes: ReadNotes,
    /// What a check found in the texts that should be known before a training, a sentence each without a full stop;
    /// absent if there are more than [`MOST_CHECKED`](crate::MOST_CHECKED) texts, so that nothing was checked.
    pub findings: Option<Vec<String>>,
    /// [`LabelledTexts::fingerprint`] of the file's contents.
    pub fingerprint: String,
    /// The same of the other files, if there are any.
    pub others: OwnSplits<LoadedFile>,
    /// Whether it came from the cache.
    pub is_cached: bool,
}

/// Reads the files and [prepares](crate::prepare_own) their texts, or takes the result of an earlier call with the same bytes
/// and settings from the cache. A file is read once: an entry always matches the bytes in its digest, even if the file
/// changes meanwhile.
///
/// # Errors
/// As [`LabelledTexts::read`] and [`prepare_own`](crate::prepare_own). What is wrong with one of the others is [`Error::InFile`], unless the
/// message names the file. A cache that cannot be read or written is not an error.
pub fn load(request: &DataRequest<'_>, cache: Option<&Cache>) -> Result<LoadedData> {
    let Some(cache) = cache else { return read_and_prepare(request) };
    let file = request.file.in_memory()?;
    let others = request.others.try_map(|_, file| file.in_memory())?;
    let request = DataRequest { file: &file, others: others.as_ref(), ..*request };
    let entry = cache.entry(&request)?;
    if let Some(loaded) = cache.load(&entry, &request) {
        return Ok(loaded);
    }
    let loaded = read_and_prepare(&request)?;
    let _ = cache.store(&entry, &loaded);
    Ok(loaded)
}

fn read_and_prepare(request: &DataRequest<'_>) -> Result<LoadedData> {
    let &DataRequest { file, others, columns, labels, options, plan, preprocessing, few_texts } =
        request;
    let checked = CheckedTable::read_strictly(file, columns, labels, options)?;
    let table = checked.labelled();
    let others = others.try_map(|part, file| {
        read_other(request, table, (part, file)).map_err(|error| in_file(&file.name(), error))
    })?;
    // The digest uses one core; the others use all of them.
    let (found, (data, findings)) = rayon::join(
        || (found(table), others.as_ref().map(found)),
        || {
            rayon::join(
                || prepare_own_few(table, others.as_ref(), plan, (preprocessing, few_texts)),
                || findings_for_training(&checked, preprocessing),
            )
        },
    );
    let data = data.map_err(|error| of_part(request, error))?;
    let findings = findings?;
    let (LoadedFile { columns, notes, fingerprint }, others) = found;
    Ok(LoadedData { data, columns, notes, findings, fingerprint, others, is_cached: false })
}

/// Reads a file that goes with the training table.
fn read_other(
    request: &DataRequest<'_>,
    table: &LabelledTexts,
    (part, file): (&str, &DataFile),
) -> Result<LabelledTexts> {
    let found = table.columns();
    let columns = ColumnChoice {
        known_text: Some(found.text.name.clone()),
        known_label: found.labels.iter().map(|column| column.name.clone()).collect(),
        known_group: found.group.as_ref().map(|column| column.name.clone()),
        // Nothing is fitted to the test texts, and figures count texts.
        weight: request.columns.weight.clone().filter(|_| part != "test"),
        ..ColumnChoice::default()
    };
    let labels = request.labels.of_training(table.classes());
    Ok(LabelledTexts::read(file, &columns, &labels, request.options)?)
}

fn found(table: &LabelledTexts) -> LoadedFile {
    let (columns, notes) = (table.columns().clone(), table.notes().clone());
    LoadedFile { columns, notes, fingerprint: table.fingerprint() }
}

/// Adds the file to an error about the texts of one of the others.
fn of_part(request: &DataRequest<'_>, error: Error) -> Error {
    let part = match &error {
        Error::NoWeight { part } | Error::NothingLeft { part, .. } => *part,
        _ => return error,
    };
    match request.others.iter().find(|(name, _)| *name == part) {
        Some((_, file)) => in_file(&file.name(), error),
        None => error,
    }
}

/// Adds a file to an error that does not name it.
fn in_file(path: &Path, error: Error) -> Error {
    match error.to_string().contains(&path.display().to_string()) {
        true => error,
        false => Error::InFile { path: path.to_path_buf(), source: Box::new(error) },
    }
}
