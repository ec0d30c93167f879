//! Cross-validation: the rows are dealt to folds of nearly equal size and nearly equal shares of each class, and each
//! fold is the test of one training on all the others.

use std::cmp::Reverse;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::classes::Classes;
use crate::error::{Error, Result};
use crate::grouped::{Group, Part, gathered};
use crate::shuffle::{Purpose, generator, shuffle};
use crate::split::{MIN_ROWS, by_class};
use crate::split_parts::{Split, SplitConfig, check_fractions};
use crate::targets::Targets;

/// The fewest folds: with one, nothing would be left to train on.
pub const MIN_FOLDS: usize = 2;
/// Each fold needs so many rows on average.
const MIN_ROWS_OF_FOLD: usize = 5;

/// One of several folds. Displays as `2/5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fold {
    number: usize,
    of: usize,
}

impl Fold {
    /// The fold `number`, from 1, of `of` folds, at least 2; `None` if there is no such fold.
    pub fn new(number: usize, of: usize) -> Option<Self> {
        (of >= MIN_FOLDS && (1..=of).contains(&number)).then_some(Self { number, of })
    }

    /// All of `of` folds, in order; none if `of` is less than 2.
    pub fn all(of: usize) -> impl Iterator<Item = Self> {
        (1..=of).filter_map(move |number| Self::new(number, of))
    }

    /// Its number, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// How many there are.
    pub fn of(&self) -> usize {
        self.of
    }
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl Split {
    /// The split in which a fold is the test. The other rows are divided between training and validation in the
    /// proportion of their fractions; the fraction of the test does not matter.
    ///
    /// All folds of a seed are disjoint and together have all rows. Each gets its share of each class, as close as
    /// whole rows, or whole `groups`, allow. A class with fewer rows than there are folds is missing from some of them,
    /// and one with a single row, or a single group, from the training that is tested with it.
    ///
    /// `targets` and `groups`: of the whole table; `rows`: the rows to divide.
    ///
    /// # Errors
    /// `TooFewForFolds` with fewer than five rows for each fold, or 20 in all, or fewer groups than folds; as
    /// [`Split::stratified`] and [`Split::grouped`], which divide the rows outside the fold.
    ///
    /// # Panics
    /// If a row is past the end of `targets` or `groups`, like a slice.
    pub fn fold(
        targets: &Targets,
        classes: &Classes,
        rows: &[u32],
        groups: Option<&[u32]>,
        fold: Fold,
        config: &SplitConfig,
    ) -> Result<Self> {
        check_fractions(config)?;
        let mut parts = deal(targets, classes, rows, groups, (fold.of, config.seed))?;
        let test = parts.swap_remove(fold.number - 1);
        let rest: Vec<u32> =
            rows.iter().copied().filter(|row| test.binary_search(row).is_err()).collect();
        let kept = config.train + config.validation;
        let shares = SplitConfig {
            train: config.train / kept,
            validation: config.validation / kept,
            test: 0.0,
            seed: config.seed,
        };
        let of_rest = match groups {
            None => Self::stratified(targets, classes, &rest, &shares)?,
            Some(groups) => Self::grouped(targets, classes, &rest, groups, &shares)?,
        };
        Ok(Self { test, ..of_rest })
    }
}

/// Deals rows, or groups of rows, to folds; each fold is ascending.
///
/// In random order, those that are hardest to place first (large groups, then rare classes), each goes to the fold
/// that lacks its classes, and rows, most.
fn deal(
    targets: &Targets,
    classes: &Classes,
    rows: &[u32],
    groups: Option<&[u32]>,
    (n_folds, seed): (usize, u64),
) -> Result<Vec<Vec<u32>>> {
    let n_rows = rows.len();
    // With two folds, what is outside one must be enough for training and validation.
    let needed = n_folds.saturating_mul(MIN_ROWS_OF_FOLD).max(2 * MIN_ROWS);
    let too_few = |n_groups| Error::TooFewForFolds { n_rows, n_groups, n_folds, needed };
    if n_rows < needed {
        return Err(too_few(None));
    }
    let of_class = by_class(targets, classes, rows)?;
    let mut of_class: Vec<f64> = of_class.iter().map(|rows| rows.len() as f64).collect();
    of_class.push(n_rows as f64);
    let mut units = match groups {
        Some(groups) => gathered(targets, classes.len(), rows, (groups, true)),
        None => rows.iter().map(|&row| Group::of_row(targets, row)).collect(),
    };
    if units.len() < n_folds {
        return Err(too_few(Some(units.len())));
    }
    shuffle(&mut units, &mut generator(seed, Purpose::Folds));
    // Class by class, so that what is left over of one goes where rows are lacking.
    let rarest = |unit: &Group| {
        let n_rows = |&class: &usize| (of_class[class] as usize, class);
        unit.classes().min_by_key(n_rows).map_or((usize::MAX, 0), |class| n_rows(&class))
    };
    units.sort_by_key(|unit| (Reverse(unit.rows.len()), rarest(unit)));
    let share = 1.0 / n_folds as f64;
    let mut folds: Vec<Part> = (0..n_folds).map(|_| Part::empty(&of_class, share)).collect();
    for unit in units {
        let order = |a: &&mut Part, b: &&mut Part| {
            a.cost(&unit).total_cmp(&b.cost(&unit)).then(a.n_rows().cmp(&b.n_rows()))
        };
        if let Some(best) = folds.iter_mut().min_by(order) {
            best.add(unit);
        }
    }
    Ok(folds.into_iter().map(Part::into_rows).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task_kind::TaskKind;

    fn many(n_classes: usize) -> Classes {
        let names = (0..n_classes).map(|class| format!("c{class}")).collect();
        Classes::new(if n_classes == 2 { TaskKind::Binary } else { TaskKind::OneOf }, names)
    }

    fn all_folds(
        targets: &Targets,
        classes: &Classes,
        groups: Option<&[u32]>,
        (of, seed): (usize, u64),
    ) -> Vec<Split> {
        let rows: Vec<u32> = (0..targets.len() as u32).collect();
        let config = SplitConfig { seed, ..SplitConfig::default() };
        Fold::all(of)
            .map(|fold| Split::fold(targets, classes, &rows, groups, fold, &config).unwrap())
            .collect()
    }

    /// Every row is tested once, and is in exactly one part of each split.
    fn check_cover(splits: &[Split], n_rows: usize) {
        let mut tested: Vec<u32> = splits.iter().flat_map(|split| split.test.clone()).collect();
        tested.sort_unstable();
        assert_eq!(tested, (0..n_rows as u32).collect::<Vec<_>>());
        for split in splits {
            let mut all = [&split.train[..], &split.validation, &split.test].concat();
            all.sort_unstable();
            assert_eq!(all, (0..n_rows as u32).collect::<Vec<_>>());
            for part in [&split.train, &split.validation, &split.test] {
                assert!(part.is_sorted() && !part.is_empty(), "{part:?}");
            }
        }
    }

    #[test]
    fn every_row_is_tested_once_and_folds_are_alike() {
        for (n_classes, n_rows, n_folds) in
            [(2usize, 300, 5), (3, 979, 5), (7, 100, 10), (2, 21, 2)]
        {
            let labels: Vec<u32> =
                (0..n_rows as u32).map(|row| row * row % n_classes as u32).collect();
            let targets = Targets::OneOf(labels);
            let rows: Vec<u32> = (0..n_rows as u32).collect();
            for seed in 0..5 {
                let splits = all_folds(&targets, &many(n_classes), None, (n_folds, seed));
                check_cover(&splits, n_rows);
                let sizes: Vec<usize> = splits.iter().map(|split| split.test.len()).collect();
                assert!(
                    sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1,
                    "{sizes:?}"
                );
                let of_all = targets.select(&rows).counts(n_classes);
                for split in &splits {
                    let counts = targets.select(&split.test).counts(n_classes);
                    for (count, all) in counts.iter().zip(&of_all) {
                        let share = *all as f64 / n_folds as f64;
                        assert!((*count as f64 - share).abs() <= 1.0, "{counts:?} of {of_all:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn rare_classes_do_not_all_fall_into_the_first_folds() {
        let targets = Targets::OneOf((0..600).map(|row| row % 200).collect());
        let splits = all_folds(&targets, &many(200), None, (5, 0));
        check_cover(&splits, 600);
        assert!(splits.iter().all(|split| split.test.len() == 120));
    }

    #[test]
    fn no_group_is_in_two_folds() {
        let groups: Vec<u32> = (0..400u32).map(|row| row * row % 61).collect();
        let targets = Targets::OneOf((0..400).map(|row| row % 2).collect());
        let splits = all_folds(&targets, &many(2), Some(&groups), (4, 3));
        check_cover(&splits, 400);
        let of = |rows: &[u32]| -> std::collections::BTreeSet<u32> {
            rows.iter().map(|&row| groups[row as usize]).collect()
        };
        for split in &splits {
            let (train, validation, test) =
                (of(&split.train), of(&split.validation), of(&split.test));
            assert!(train.is_disjoint(&test) && validation.is_disjoint(&test));
            assert!(train.is_disjoint(&validation));
            assert!(split.test.len().abs_diff(100) <= 20, "{}", split.test.len());
        }
    }

    #[test]
    fn rows_of_any_number_of_classes_are_shared_alike() {
        let rows: Vec<Vec<u32>> = (0..200u32)
            .map(|row| (0..4).filter(|class| row % (class + 2) == 0).collect())
            .collect();
        let mut starts = vec![0];
        starts.extend(rows.iter().scan(0, |sum, row| {
            *sum += row.len();
            Some(*sum)
        }));
        let targets = Targets::AnyOf { starts, classes: rows.concat() };
        let names = (0..4).map(|class| format!("c{class}")).collect();
        let classes = Classes::new(TaskKind::AnyOf, names);
        let splits = all_folds(&targets, &classes, None, (5, 1));
        check_cover(&splits, 200);
        let all = targets.counts(4);
        for split in &splits {
            assert!(split.test.len().abs_diff(40) <= 3, "{}", split.test.len());
            for (count, all) in targets.select(&split.test).counts(4).iter().zip(&all) {
                assert!((*count as f64 - *all as f64 / 5.0).abs() <= 3.0);
            }
        }
    }

    #[test]
    fn seeds_give_different_folds_and_each_always_the_same() {
        let targets = Targets::OneOf((0..60).map(|row| row % 2).collect());
        let tests = |seed| all_folds(&targets, &many(2), None, (3, seed));
        assert_eq!(tests(4), tests(4));
        assert_ne!(tests(4), tests(5));
    }

    #[test]
    fn what_cannot_be_dealt_is_refused() {
        let refused = |n_rows: u32, n_folds, groups: Option<&[u32]>| {
            let targets = Targets::OneOf((0..n_rows).map(|row| row % 2).collect());
            let rows: Vec<u32> = (0..n_rows).collect();
            let fold = Fold::new(1, n_folds).unwrap();
            let config = SplitConfig::default();
            Split::fold(&targets, &many(2), &rows, groups, fold, &config).unwrap_err().to_string()
        };
        assert_eq!(
            refused(24, 5, None),
            "24 different texts are too few for 5 folds; at least 25 are needed"
        );
        let groups: Vec<u32> = (0..100).map(|row| row % 4).collect();
        assert_eq!(
            refused(100, 5, Some(&groups)),
            "4 groups are too few for 5 folds: no group is ever in two"
        );
    }

    #[test]
    fn a_fold_is_one_of_at_least_two() {
        let fold = Fold::new(2, 5).unwrap();
        assert_eq!((fold.number(), fold.of(), fold.to_string()), (2, 5, "2/5".to_string()));
        for (number, of) in [(0, 5), (6, 5), (1, 1), (0, 0)] {
            assert_eq!(Fold::new(number, of), None, "{number}/{of}");
        }
        assert_eq!(Fold::all(1).count(), 0);
        assert_eq!(Fold::all(3).map(|fold| fold.number()).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
