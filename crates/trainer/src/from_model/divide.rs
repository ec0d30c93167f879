//! Which of the new texts are for training only: those that the model has seen already.

use std::collections::HashSet;

use classifier::folder::SeenTexts;
use dataset::LabelledTexts;

use crate::error::{Error, Result};
use crate::prepare::{Chosen, Divided, SplitPlan, choose, divide_rows};
use crate::seen::SeenSplit;

/// A divided table, and how much of its training split is there because of what a model has seen.
pub(super) struct DividedFrom {
    pub(super) divided: Divided,
    /// The rows of the training split whose texts are new to the model.
    pub(super) new_train: Vec<u32>,
    pub(super) n_learned: usize,
    pub(super) n_in_groups: usize,
}

/// Divides a table as [`split`](crate::split) does, but the texts that a model has seen, and all of their groups, are
/// in the training split: figures on the others are about texts that are new to the model.
///
/// # Errors
/// As [`split`](crate::split); [`Error::NewTexts`] if there are too few texts that are new to the model.
pub(super) fn divide(
    table: &LabelledTexts,
    plan: &SplitPlan,
    seen: Option<&SeenTexts>,
) -> Result<DividedFrom> {
    let in_words = |error| table.worded(error);
    let Chosen { unique, digests, rows } = choose(table, plan).map_err(in_words)?;
    let (learned, mut new) = parted(&rows, &digests, seen);
    let n_learned = learned.len();
    let mut train = learned;
    if let Some(groups) = table.groups() {
        let of_learned: HashSet<u32> = train.iter().map(|&row| groups[row as usize]).collect();
        let (with_them, others) =
            new.into_iter().partition(|&row| of_learned.contains(&groups[row as usize]));
        new = others;
        train.extend::<Vec<u32>>(with_them);
    }
    let (n_train, n_new) = (train.len(), new.len());
    let split = divide_rows(table, &new, plan).map_err(in_words);
    let mut split = split.map_err(|error| match n_train {
        0 => Error::Data(error),
        _ => Error::NewTexts { n_new, n_learned: n_train, reason: error.to_string() },
    })?;
    let new_train = split.train.clone();
    split.train.append(&mut train);
    split.train.sort_unstable();
    let divided = Divided { split, unique, digests };
    Ok(DividedFrom { divided, new_train, n_learned, n_in_groups: n_train - n_learned })
}

/// The rows that a model has seen, and the others.
fn parted(rows: &[u32], digests: &[u64], seen: Option<&SeenTexts>) -> (Vec<u32>, Vec<u32>) {
    let Some(seen) = seen else { return (Vec::new(), rows.to_vec()) };
    let of_rows: Vec<u64> = rows.iter().map(|&row| digests[row as usize]).collect();
    let SeenSplit { unseen, .. } = SeenSplit::of(&of_rows, seen);
    let is_new: HashSet<usize> = unseen.into_iter().collect();
    let (new, learned): (Vec<usize>, Vec<usize>) =
        (0..rows.len()).partition(|position| is_new.contains(position));
    let rows_at = |positions: Vec<usize>| positions.into_iter().map(|at| rows[at]).collect();
    (rows_at(learned), rows_at(new))
}

/// The test split of a training that started from a model, from all that its own model has seen, and the digest of
/// every row's text.
///
/// # Errors
/// As [`split`](crate::split).
pub fn test_rows_from(
    table: &LabelledTexts,
    plan: &SplitPlan,
    seen: &SeenTexts,
) -> Result<(Vec<u32>, Vec<u64>)> {
    let chosen = choose(table, plan).map_err(|error| table.worded(error));
    let Chosen { digests, rows, .. } = chosen?;
    let (_, test) = parted(&rows, &digests, Some(seen));
    Ok((test, digests))
}

/// All that a model has seen that was trained on `new` texts and started from one that had seen `old` ones; nothing if
/// that is unknown.
pub(super) fn united(old: Option<&SeenTexts>, new: &SeenTexts) -> SeenTexts {
    let Some(old) = old else { return SeenTexts::default() };
    let both = |old: &[u64], new: &[u64]| {
        let mut all = [old, new].concat();
        all.sort_unstable();
        all.dedup();
        all
    };
    SeenTexts {
        train: both(&old.train, &new.train),
        validation: both(&old.validation, &new.validation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_trainings_have_seen_is_sorted_and_named_once() {
        let seen = |train: &[u64], validation: &[u64]| SeenTexts {
            train: train.to_vec(),
            validation: validation.to_vec(),
        };
        let both = united(Some(&seen(&[2, 5], &[7])), &seen(&[1, 5], &[2, 9]));
        assert_eq!(both, seen(&[1, 2, 5], &[2, 7, 9]));
        assert!(united(None, &seen(&[1], &[2])).is_empty(), "it is not known of all of them");
    }

    #[test]
    fn rows_are_parted_by_what_was_learned_or_chosen_by() {
        let seen = SeenTexts { train: vec![10, 30], validation: vec![20] };
        let digests = [40, 10, 20, 50, 30];
        assert_eq!(parted(&[0, 1, 2, 4], &digests, Some(&seen)), (vec![1, 2, 4], vec![0]));
        assert_eq!(parted(&[0, 1], &digests, None), (vec![], vec![0, 1]));
    }
}
