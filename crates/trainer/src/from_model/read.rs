//! Reads texts for a training that starts from a model.

use std::sync::Arc;

use dataset::check::CheckedTable;
use dataset::{ColumnChoice, LabelOptions, LabelledTexts};

use super::divide::{DividedFrom, divide, united};
use super::labels::{Failure, is_about_labels, of_model_mostly};
use super::start_model::{Start, StartModel};
use crate::data_check::findings_for_training;
use crate::error::{Error, Result};
use crate::load::{DataRequest, LoadedData};
use crate::own_splits::OwnSplits;
use crate::prepare::{Prepared, SplitPlan, classes_of, encode, task_of};

/// Reads a file as [`load`](crate::load) does, for a training that starts from a model: with the model's classes if all
/// labels are among them, whatever their order, and encoded with its vocabulary and new words. The cache is not used, and `others` of the request are not read. Also returns
/// how the labels were read: where `request` does not say it, as the model's own texts, if that is possible.
///
/// # Errors
/// As [`LabelledTexts::read`] and [`prepare_from`]; [`Error::OtherLabels`] if most of the labels are the model's, but not
/// all, and no task is stated.
pub fn load_from(
    request: &DataRequest<'_>,
    model: &Arc<StartModel>,
) -> Result<(LoadedData, LabelOptions)> {
    let (checked, labels) = read(request, model)?;
    let table = checked.labelled();
    let preprocessing = model.encoder().config();
    let (fingerprint, (data, findings)) = rayon::join(
        || table.fingerprint(),
        || {
            rayon::join(
                || prepare_from(table, request.plan, model),
                || findings_for_training(&checked, preprocessing),
            )
        },
    );
    let (columns, notes) = (table.columns().clone(), table.notes().clone());
    let (data, findings, others) = (data?, findings?, OwnSplits::default());
    let loaded =
        LoadedData { data, columns, notes, findings, fingerprint, others, is_cached: false };
    Ok((loaded, labels))
}

/// Splits a table and encodes it with a model's vocabulary, to which frequent words of the new training texts that it
/// lacks are added. The model's outputs are kept if the table has its task and
/// its classes, in their order. Texts that the model has seen, and their groups, are for training only.
///
/// # Errors
/// As [`prepare`](crate::prepare); [`Error::NewTexts`] if too few texts are new to the model.
pub fn prepare_from(
    table: &LabelledTexts,
    plan: &SplitPlan,
    model: &Arc<StartModel>,
) -> Result<Prepared> {
    let seen = model.seen.as_ref();
    let DividedFrom { divided, new_train, n_learned, n_in_groups } = divide(table, plan, seen)?;
    // Words of the texts that it has learned were left out of its vocabulary on purpose.
    let new: Vec<&str> = table.texts_of(&new_train).collect();
    let encoder = model.encoder().extended(&new, max_new_words(model, new.len()));
    drop(new);
    let n_ids = encoder.vocab_size();
    let data = encode(table, divided, encoder)?;
    let keeps_outputs = task_of(table.classes())? == *model.task();
    let model = Arc::clone(model);
    let start = Start { model, n_ids, keeps_outputs, n_learned, n_in_groups };
    let seen = united(seen, &data.seen);
    Ok(Prepared { seen, start: Some(Arc::new(start)), ..data })
}

/// The most words that are added for `n_new` texts: of as many as a model that is trained anew may have, a share as large
/// as that of the new texts among all.
fn max_new_words(model: &StartModel, n_new: usize) -> usize {
    let n_learned = match &model.seen {
        Some(seen) => seen.train.len(),
        None => model.report.data.summary.n_train,
    };
    let share = n_new as f64 / (n_learned + n_new).max(1) as f64;
    let most = model.encoder().config().max_vocab;
    most.map_or(usize::MAX, |most| (most as f64 * share).ceil() as usize)
}

/// The table, and how its labels were read: as the model's, unless they are others.
///
/// # Errors
/// As [`load_from`].
fn read(request: &DataRequest<'_>, model: &StartModel) -> Result<(CheckedTable, LabelOptions)> {
    let &DataRequest { file, columns, labels: given, options, .. } = request;
    let data = &model.report.data;
    let as_before = LabelOptions {
        map: given.map.clone().or_else(|| data.labels.map.clone()),
        separator: given.separator.or(data.labels.separator),
        ..given.clone()
    };
    let of_model = if data.in_memory {
        columns.clone()
    } else {
        ColumnChoice {
            known_text: Some(data.text_column.clone()),
            known_label: data.label_columns.clone(),
            ..columns.clone()
        }
    };
    // A stated task that is another than the model's has other outputs.
    let may_be_known = |labels: &LabelOptions| {
        let known = classes_of(model.task(), labels.separator);
        given.task.is_none_or(|task| task == known.task).then_some(known)
    };
    let ways = [&as_before, given];
    let n_ways = if as_before == *given { 1 } else { 2 };
    let mut failures = Vec::new();
    for labels in ways.into_iter().take(n_ways) {
        let Some(known) = may_be_known(labels) else { continue };
        let with_known = LabelOptions { known: Some(known), ..labels.clone() };
        match CheckedTable::read_strictly(file, &of_model, &with_known, options) {
            Ok(table) => return Ok((table, labels.clone())),
            Err(error) if is_about_labels(&error) => {
                failures.push(Failure { labels: with_known, error });
            }
            Err(error) => return Err(Error::Data(error)),
        }
    }
    let table = CheckedTable::read_strictly(file, columns, given, options)?;
    // A stated task says that the classes are those of the file, whatever they are.
    if given.task.is_none() && task_of(table.labelled().classes())? != *model.task() {
        let mut failures = failures.into_iter();
        let is_mapped = given.map.is_some();
        let refused = |failure| of_model_mostly(failure, table.labelled(), is_mapped);
        if let Some(error) = failures.find_map(refused) {
            return Err(error);
        }
    }
    Ok((table, given.clone()))
}
