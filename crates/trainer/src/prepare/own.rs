//! Splits that the user made: training texts in one table, validation and test texts in others.

use dataset::{LabelledTexts, MIN_ROWS, SplitConfig, TaskKind};
use text_preprocessing::PreprocessingConfig;

use super::overlaps::Apart;
use super::parts::{Part, Parts, Used};
use super::{Prepared, SplitPlan, digests_of, divide_rows, n_groups, prepare_few, sampled, unique};
use crate::error::{Error, Result};
use crate::few_texts::FewTexts;
use crate::own_splits::OwnSplits;
use crate::summary::LeftOut;

/// The share of the training texts that is for validation, if there is no table of validation texts.
const VALIDATION_SHARE: f64 = 0.1;

impl SplitPlan {
    /// The same plan for a training table beside which there are others: nothing of it is for testing, and a tenth is for
    /// validation unless the validation texts are in another (`has_validation`).
    #[must_use]
    pub fn with_own_splits(self, has_validation: bool) -> Self {
        let validation = if has_validation { 0.0 } else { VALIDATION_SHARE };
        let shares = SplitConfig { train: 1.0 - validation, validation, test: 0.0, ..self.shares };
        Self { shares, ..self }
    }
}

/// As [`prepare`](super::prepare), of texts that the user divided: `table` has the training texts, `others` those of the other splits,
/// with the same classes. Without others, `table` is divided as `plan` says.
///
/// All test texts are tested, also those that occur several times, so that figures can be compared with those of other
/// programs. Validation texts that are also test texts are left out, and so are training texts that are also test or
/// validation texts, as [`DataSummary::left_out`](crate::DataSummary::left_out) says; texts are the same if their
/// [`text_digest`](text_preprocessing::text_digest) is. If training and test texts have groups with
/// [names](LabelledTexts::group_names), training texts of groups that the test texts have, too, are left out. Repeated texts are removed from the training texts only. Without
/// validation texts, a tenth of the training texts is split off with the seed of `plan`, of whose shares nothing else is
/// used ([`SplitPlan::with_own_splits`]). Without test texts, there is no test.
///
/// # Errors
/// As [`prepare`](super::prepare); [`Error::OtherClasses`]; `OneWithWeights` if only training or only validation texts have weights;
/// [`Error::NothingLeft`] if a split has too few texts; [`Error::FoldOfOwnSplits`] if the plan has a fold; and [`Error::NotDivided`] if the training texts have groups, but
/// are not divided.
pub fn prepare_own(
    table: &LabelledTexts,
    others: OwnSplits<&LabelledTexts>,
    plan: &SplitPlan,
    preprocessing: &PreprocessingConfig,
) -> Result<Prepared> {
    prepare_own_few(table, others, plan, (preprocessing, FewTexts::Keep))
}

/// The same, with settings that may follow the number of texts.
pub(crate) fn prepare_own_few(
    table: &LabelledTexts,
    others: OwnSplits<&LabelledTexts>,
    plan: &SplitPlan,
    (preprocessing, few_texts): (&PreprocessingConfig, FewTexts),
) -> Result<Prepared> {
    if others.is_empty() {
        return prepare_few(table, plan, (preprocessing, few_texts));
    }
    if plan.fold.is_some() {
        return Err(Error::FoldOfOwnSplits);
    }
    if table.groups().is_some() && others.validation.is_some() {
        return Err(Error::NotDivided);
    }
    check_alike(table, others)?;
    let plan = plan.with_own_splits(others.validation.is_some());
    let digests = digests_of(table);
    let unique = unique(table, &digests, &plan).map_err(|error| table.worded(error))?;
    let other_digests = others.map(digests_of);
    let of_others = other_digests.as_ref().map(Vec::as_slice);
    let apart = Apart::of((&digests, &unique.kept), of_others);
    let apart = match others.test {
        Some(test) => apart.without_groups_of(test, table),
        None => apart,
    };
    let Apart { train, others: rows, left_out } = apart;
    check_left("training", (unique.kept.len(), train.len()), &left_out)?;
    for (name, (table, rows)) in others.zip(rows.as_ref()).iter() {
        check_left(name, (table.len(), rows.len()), &left_out)?;
    }
    let split = sampled(table, &train, &plan)
        .and_then(|rows| divide_rows(table, &rows, &plan))
        .map_err(|error| table.worded(error))?;

    let of_table = |rows| Part { table, digests: &digests, rows };
    let given = others.zip(of_others).zip(rows.as_ref());
    let given = given.map(|((table, digests), rows)| Part { table, digests, rows });
    let parts = Parts {
        train: of_table(&split.train),
        validation: given.validation.unwrap_or_else(|| of_table(&split.validation)),
        test: given.test.unwrap_or_else(|| of_table(&[])),
    };
    let n_groups = table.groups().map(|groups| n_groups(groups, &split));
    let encoder = parts.encoder(few_texts.preprocessing(preprocessing, split.train.len()))?;
    parts.prepared(encoder, Used { unique, n_groups, left_out: Some(left_out) })
}

/// Fails if too few of a table's texts are left. Training texts of which none was left out are judged when they are
/// divided.
fn check_left(
    part: &'static str,
    (n_texts, n_left): (usize, usize),
    left_out: &LeftOut,
) -> Result<()> {
    let is_training = part == "training";
    let needed = if is_training { MIN_ROWS } else { 1 };
    if n_left >= needed || is_training && n_left == n_texts {
        return Ok(());
    }
    Err(Error::NothingLeft { part, n_texts, n_left, needed, left_out: Box::new(*left_out) })
}

/// Fails if a table has other classes than the training table, whose targets would be taken for those, or if only one of
/// the tables that are fitted to has weights.
fn check_alike(table: &LabelledTexts, others: OwnSplits<&LabelledTexts>) -> Result<()> {
    fn of(table: &LabelledTexts) -> (TaskKind, &[String]) {
        (table.classes().task, &table.classes().names)
    }
    if let Some((part, _)) = others.iter().find(|(_, other)| of(other) != of(table)) {
        return Err(Error::OtherClasses { part });
    }
    let is_weighted = |table: &LabelledTexts| table.weights().is_some();
    match others.validation.is_some_and(|other| is_weighted(other) != is_weighted(table)) {
        true => Err(dataset::Error::OneWithWeights.into()),
        false => Ok(()),
    }
}
