//! Splits that keep the rows of a group (an author, a film, a thread) in one part.

use std::collections::BTreeMap;

use crate::classes::Classes;
use crate::error::{Error, Result};
use crate::shuffle::{Purpose, generator, shuffle};
use crate::split::by_class;
use crate::split_parts::{Split, SplitConfig, check_fractions};
use crate::targets::Targets;

/// Names of the parts, in the order of [`parts`].
const PARTS: [&str; 3] = ["training", "validation", "test"];
/// The training part must get at least this much of its share; so must validation and test together.
const LEAST_OF_SHARE: f64 = 0.5;

/// The rows of a group, and how many belong to each class.
pub(crate) struct Group {
    pub(crate) rows: Vec<u32>,
    /// The classes that occur, ascending, with their numbers of rows.
    counts: Vec<(usize, f64)>,
}

impl Group {
    /// A row on its own.
    pub(crate) fn of_row(targets: &Targets, row: u32) -> Self {
        let of_row = targets.of_row(row as usize).iter().map(|&class| (class as usize, 1.0));
        Self { rows: vec![row], counts: of_row.collect() }
    }

    /// What it counts as.
    pub(crate) fn classes(&self) -> impl Iterator<Item = usize> {
        self.counts.iter().map(|&(class, _)| class)
    }
}

/// A part of the split while it is filled.
pub(crate) struct Part {
    groups: Vec<Group>,
    /// `[n_classes]`, and one more for all rows where a row may have any number of classes.
    counts: Vec<f64>,
    /// The number of rows of each that it should get.
    targets: Vec<f64>,
    /// Its share of the rows.
    share: f64,
    n_rows: usize,
}

impl Part {
    /// A part that has nothing yet, for a share of the rows; `of_class`: all rows of each class.
    pub(crate) fn empty(of_class: &[f64], share: f64) -> Self {
        Self {
            groups: Vec::new(),
            counts: vec![0.0; of_class.len()],
            targets: of_class.iter().map(|n_rows| n_rows * share).collect(),
            share,
            n_rows: 0,
        }
    }

    /// How much farther from its targets the part would be with this group: the change in the sum of
    /// `(count - target)² / target`.
    pub(crate) fn cost(&self, group: &Group) -> f64 {
        let of_class = |&(class, more): &(usize, f64)| {
            let (count, target) = (self.counts[class], self.targets[class]);
            more * (more + 2.0 * (count - target)) / target
        };
        group.counts.iter().map(of_class).sum()
    }

    pub(crate) fn add(&mut self, group: Group) {
        group.counts.iter().for_each(|&(class, n_rows)| self.counts[class] += n_rows);
        self.n_rows += group.rows.len();
        self.groups.push(group);
    }

    fn remove(&mut self, idx: usize) -> Group {
        let group = self.groups.remove(idx);
        group.counts.iter().for_each(|&(class, n_rows)| self.counts[class] -= n_rows);
        self.n_rows -= group.rows.len();
        group
    }

    /// Removes the smallest of the groups that fit; of equal ones, the one added last.
    fn remove_smallest(&mut self, fits: impl Fn(&Group) -> bool) -> Option<Group> {
        let n_rows = |idx: &usize| self.groups[*idx].rows.len();
        let fitting = (0..self.groups.len()).rev().filter(|&idx| fits(&self.groups[idx]));
        let smallest = fitting.min_by_key(n_rows)?;
        Some(self.remove(smallest))
    }

    /// How many rows it has.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Its rows, ascending.
    pub(crate) fn into_rows(self) -> Vec<u32> {
        let mut rows: Vec<u32> = self.groups.into_iter().flat_map(|group| group.rows).collect();
        rows.sort_unstable();
        rows
    }
}

impl Split {
    /// Splits rows by group: all rows of a group go into the same part. Each part gets as close to its
    /// share of each class as whole groups allow, which is not close if there are few groups.
    ///
    /// The seed decides the order of the groups, and each goes to the part that needs it most. A class
    /// that training would lack gets the smallest group with rows of it.
    ///
    /// `targets` and `groups`: of the whole table; `rows`: the rows to split.
    ///
    /// # Errors
    /// As [`Split::stratified`]; `TooFewGroups` if a part would get no group, or the training part less
    /// than half of its share; `LargeGroup` if one group leaves too little for validation and test;
    /// `ClassNotInTraining` if all rows of a class are in the only group of another part.
    ///
    /// # Panics
    /// If a row is past the end of `targets` or `groups`, like a slice.
    pub fn grouped(
        targets: &Targets,
        classes: &Classes,
        rows: &[u32],
        groups: &[u32],
        config: &SplitConfig,
    ) -> Result<Self> {
        check_fractions(config)?;
        let of_class = by_class(targets, classes, rows)?;
        let mut of_class: Vec<f64> = of_class.iter().map(|rows| rows.len() as f64).collect();
        let n_all = rows.len();
        let counts_rows = matches!(targets, Targets::AnyOf { .. });
        if counts_rows {
            // Rows may have no class, so the rows themselves are shared as if they were one.
            of_class.push(n_all as f64);
        }
        let mut shuffled = gathered(targets, classes.len(), rows, (groups, counts_rows));
        let n_groups = shuffled.len();
        check_largest(&shuffled, n_all, config)?;
        shuffle(&mut shuffled, &mut generator(config.seed, Purpose::Split));

        let mut parts = [config.train, config.validation, config.test]
            .map(|share| Part::empty(&of_class, share));
        for group in shuffled {
            let open = parts.iter_mut().filter(|part| part.share > 0.0);
            let best = open.min_by(|a, b| a.cost(&group).total_cmp(&b.cost(&group)));
            if let Some(best) = best {
                best.add(group);
            }
        }
        let too_few = |idx: usize, n_rows| {
            Err(Error::TooFewGroups { n_groups, part: PARTS[idx], n_rows, n_all })
        };
        for idx in 0..parts.len() {
            if parts[idx].share > 0.0 && parts[idx].groups.is_empty() {
                let richest = parts.iter_mut().max_by_key(|part| part.groups.len());
                let spare = richest.filter(|part| part.groups.len() > 1);
                match spare.and_then(|part| part.remove_smallest(|_| true)) {
                    Some(group) => parts[idx].add(group),
                    None => return too_few(idx, 0),
                }
            }
        }
        let n_train = parts[0].n_rows();
        if (n_train as f64) < LEAST_OF_SHARE * config.train * n_all as f64 {
            return too_few(0, n_train);
        }
        for (class, &n_rows) in of_class.iter().enumerate() {
            if n_rows > 0.0 && parts[0].counts[class] == 0.0 {
                bring_to_training(&mut parts, class).ok_or_else(|| Error::ClassNotInTraining {
                    label: classes.name(class).to_owned(),
                    n_rows: n_rows as usize,
                })?;
            }
        }
        let [train, validation, test] = parts
            .map(|part| part.groups.into_iter().flat_map(|group| group.rows).collect::<Vec<u32>>());
        Self { train, validation, test }.finished(n_all, config)
    }
}

/// The groups, in the order of their numbers. `counts_rows`: whether a row counts as one besides its classes.
pub(crate) fn gathered(
    targets: &Targets,
    n_classes: usize,
    rows: &[u32],
    (groups, counts_rows): (&[u32], bool),
) -> Vec<Group> {
    let mut by_group: BTreeMap<u32, (Vec<u32>, BTreeMap<usize, f64>)> = BTreeMap::new();
    for &row in rows {
        let (of_group, counts) = by_group.entry(groups[row as usize]).or_default();
        of_group.push(row);
        for &class in targets.of_row(row as usize) {
            *counts.entry(class as usize).or_default() += 1.0;
        }
        if counts_rows {
            *counts.entry(n_classes).or_default() += 1.0;
        }
    }
    let group = |(rows, counts): (Vec<u32>, BTreeMap<usize, f64>)| Group {
        rows,
        counts: counts.into_iter().collect(),
    };
    by_group.into_values().map(group).collect()
}

/// Moves the smallest group with rows of a class to training, from a part that has other groups.
fn bring_to_training(parts: &mut [Part; 3], class: usize) -> Option<()> {
    let has_class = |group: &Group| group.counts.iter().any(|&(of_group, _)| of_group == class);
    let [train, others @ ..] = parts;
    let spare = others.iter_mut().filter(|part| part.groups.len() > 1);
    let group = spare.into_iter().find_map(|part| part.remove_smallest(has_class))?;
    train.add(group);
    Some(())
}

/// Fails if the largest group leaves too little for validation and test.
fn check_largest(groups: &[Group], n_all: usize, config: &SplitConfig) -> Result<()> {
    let Some(largest) = groups.iter().max_by_key(|group| group.rows.len()) else { return Ok(()) };
    let n_rows = largest.rows.len();
    let held_out = (config.validation + config.test) * n_all as f64;
    match largest.rows.first() {
        Some(row) if ((n_all - n_rows) as f64) < LEAST_OF_SHARE * held_out => {
            Err(Error::LargeGroup { n_rows, n_all, row: *row as usize + 1 })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task_kind::TaskKind;

    const SEEDS: std::ops::Range<u64> = 0..30;

    /// Consecutive groups of these sizes, with alternating labels.
    fn table(sizes: &[usize]) -> (Vec<u8>, Vec<u32>, Vec<u32>) {
        let groups: Vec<u32> =
            (0u32..).zip(sizes).flat_map(|(group, &n)| std::iter::repeat_n(group, n)).collect();
        let n_rows = groups.len() as u32;
        ((0..n_rows).map(|row| (row % 2) as u8).collect(), (0..n_rows).collect(), groups)
    }

    fn split(sizes: &[usize], seed: u64) -> Result<Split> {
        let (labels, rows, groups) = table(sizes);
        let config = SplitConfig { seed, ..SplitConfig::default() };
        Split::grouped(&labels.into(), &Classes::binary(), &rows, &groups, &config)
    }

    fn message(sizes: &[usize]) -> String {
        split(sizes, 0).unwrap_err().to_string()
    }

    #[test]
    fn no_group_stands_on_two_sides_and_every_row_on_one() {
        let sizes: Vec<usize> = (0..60).map(|i| 1 + i * 7 % 13).collect();
        let (_, rows, groups) = table(&sizes);
        for seed in SEEDS {
            let split = split(&sizes, seed).unwrap();
            let mut all = [&split.train[..], &split.validation, &split.test].concat();
            all.sort_unstable();
            assert_eq!(all, rows);
            let of = |rows: &[u32]| -> std::collections::BTreeSet<u32> {
                rows.iter().map(|&row| groups[row as usize]).collect()
            };
            let [train, validation, test] =
                [&split.train, &split.validation, &split.test].map(|r| of(r));
            assert!(train.is_disjoint(&validation) && train.is_disjoint(&test));
            assert!(validation.is_disjoint(&test));
        }
    }

    #[test]
    fn shares_of_rows_and_classes_are_kept_where_groups_are_small() {
        let sizes: Vec<usize> = (0..200).map(|i| 1 + i * 7 % 9).collect();
        let (labels, rows, _) = table(&sizes);
        for seed in SEEDS {
            let split = split(&sizes, seed).unwrap();
            for (part, share) in [(&split.train, 0.8), (&split.validation, 0.1), (&split.test, 0.1)]
            {
                let n_positive = part.iter().filter(|&&row| labels[row as usize] == 1).count();
                let target = share * rows.len() as f64;
                // Half of the largest group.
                assert!((part.len() as f64 - target).abs() <= 5.0, "{} {target}", part.len());
                assert!((n_positive as f64 - target / 2.0).abs() <= 5.0, "{n_positive} {target}");
            }
        }
    }

    #[test]
    fn seeds_decide_and_repeat_the_split() {
        let sizes = [5; 40];
        assert_eq!(split(&sizes, 1).unwrap(), split(&sizes, 1).unwrap());
        assert_ne!(split(&sizes, 1).unwrap().test, split(&sizes, 2).unwrap().test);
        // A change here changes every user's test rows; `tests/pinned_split.py` computes the same rows
        // without this code.
        let pinned = split(&[4; 10], 7).unwrap();
        assert_eq!(pinned.validation, [8, 9, 10, 11]);
        assert_eq!(pinned.test, [20, 21, 22, 23]);
    }

    #[test]
    fn few_groups_fill_every_part_all_the_same() {
        for seed in SEEDS {
            let split = split(&[20; 5], seed).unwrap();
            let sizes = [split.train.len(), split.validation.len(), split.test.len()];
            assert_eq!(sizes, [60, 20, 20]);
        }
    }

    #[test]
    fn groups_that_allow_no_split_are_named() {
        assert_eq!(
            message(&[20, 20]),
            "2 groups are too few to split: rows of one group stay together, so test would get 0 of \
             40 rows"
        );
        assert_eq!(
            message(&[20, 20, 20]),
            "3 groups are too few to split: rows of one group stay together, so training would get \
             20 of 60 rows"
        );
        assert_eq!(
            message(&[1, 1, 96, 1, 1]),
            "one group has 96 of 100 rows (including row 3), and rows of one group stay together: \
             the requested fractions are not possible"
        );
        assert!(split(&[3, 3, 84, 3, 3, 4], 0).is_ok());
        assert_eq!(message(&[5]), "5 rows are too few to split; at least 10 are needed");

        // All positive rows are in one group, and most of the rest must be in training too.
        let labels = [[1; 10], [0; 10]].concat();
        let groups: Vec<u32> = (0..20).map(|row: u32| row.saturating_sub(9)).collect();
        let rows: Vec<u32> = (0..20).collect();
        let config = SplitConfig::default();
        let targets = Targets::from(labels);
        let classes = Classes::binary();
        let split = Split::grouped(&targets, &classes, &rows, &groups, &config).unwrap();
        assert!((0..10).all(|row| split.train.contains(&row)), "{split:?}");
    }

    #[test]
    fn a_class_of_one_group_is_in_training() {
        // Twenty groups of five rows; each of the classes 1 to 20 is one row of its own group.
        let labels: Vec<u32> =
            (0..100).map(|row| if row % 5 == 0 { row / 5 + 1 } else { 0 }).collect();
        let groups: Vec<u32> = (0..100).map(|row| row / 5).collect();
        let rows: Vec<u32> = (0..100).collect();
        let names = (0..21).map(|class| format!("c{class}")).collect();
        let classes = Classes::new(TaskKind::OneOf, names);
        for seed in SEEDS {
            let config = SplitConfig { seed, ..SplitConfig::default() };
            let targets = Targets::OneOf(labels.clone());
            let refused = Split::grouped(&targets, &classes, &rows, &groups, &config).unwrap_err();
            // Every group has a class that only it has, so no other part can have one.
            assert!(matches!(refused, Error::ClassNotInTraining { .. }), "{refused}");
            let targets = Targets::OneOf(labels.iter().map(|&label| label.min(3)).collect());
            let split = Split::grouped(&targets, &classes, &rows, &groups, &config).unwrap();
            assert!(targets.select(&split.train).counts(4).iter().all(|&count| count > 0));
        }
    }

    #[test]
    fn groups_of_rows_with_any_number_of_classes_are_shared() {
        // A third of the groups has no class at all.
        let targets = Targets::any_of((0u32..600).map(|row| match row / 6 % 3 {
            0 => vec![],
            _ => (0..3).filter(|class| (row + class) % 3 != 1).collect::<Vec<u32>>(),
        }));
        let groups: Vec<u32> = (0..600).map(|row| row / 6).collect();
        let rows: Vec<u32> = (0..600).collect();
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let classes = Classes::new(TaskKind::AnyOf, names);
        for seed in SEEDS {
            let config = SplitConfig { seed, ..SplitConfig::default() };
            let split = Split::grouped(&targets, &classes, &rows, &groups, &config).unwrap();
            for (part, share) in [(&split.train, 0.8), (&split.validation, 0.1), (&split.test, 0.1)]
            {
                assert!((part.len() as f64 - 600.0 * share).abs() <= 12.0, "{}", part.len());
                for (n_part, n_all) in targets.select(part).counts(3).iter().zip(targets.counts(3))
                {
                    assert!((*n_part as f64 - n_all as f64 * share).abs() <= 12.0, "{n_part}");
                }
            }
        }
    }
}
