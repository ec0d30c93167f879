//! Iterative stratification: splits rows with any number of classes, so that each part gets its share of
//! every class.
//!
//! Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data", 2011: the rows of the
//! rarest class are given out first, each to the part that lacks most of this class.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;

use crate::shuffle::{below, shuffle};
use crate::split_parts::{Split, SplitConfig};
use crate::targets::Targets;

const TRAIN: usize = 0;
const N_PARTS: usize = 3;

/// What each part still lacks.
struct Wanted {
    /// `[part]`: rows.
    rows: [f64; N_PARTS],
    /// `[class][part]`: rows of the class.
    of_class: Vec<[f64; N_PARTS]>,
    /// Whether a part was requested.
    is_open: [bool; N_PARTS],
}

impl Wanted {
    /// The part that lacks most of a class, or most rows if there is none; ties are broken by the number
    /// of rows it lacks, then at random.
    fn most(&self, class: Option<usize>, rng: &mut ChaCha8Rng) -> usize {
        let lack = |part: usize| {
            let of_class = class.map_or(0.0, |class| self.of_class[class][part]);
            (of_class, self.rows[part])
        };
        let mut best: Vec<usize> = Vec::with_capacity(N_PARTS);
        for part in (0..N_PARTS).filter(|&part| self.is_open[part]) {
            let order = best.first().map(|&first| lack(part).partial_cmp(&lack(first)));
            match order.flatten() {
                Some(std::cmp::Ordering::Less) => {}
                Some(std::cmp::Ordering::Equal) => best.push(part),
                _ => best = vec![part],
            }
        }
        match best[..] {
            [] => TRAIN,
            [part] => part,
            _ => best[below(rng, best.len() as u32) as usize],
        }
    }
}

/// Splits rows; the parts are not sorted. A class is in training before it is in another part.
pub(crate) fn split(
    targets: &Targets,
    n_classes: usize,
    mut rows: Vec<u32>,
    config: &SplitConfig,
    rng: &mut ChaCha8Rng,
) -> Split {
    let shares = [config.train, config.validation, config.test];
    let n_rows = rows.len();
    shuffle(&mut rows, rng);
    let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); n_classes];
    for (idx, &row) in rows.iter().enumerate() {
        for &class in targets.of_row(row as usize) {
            of_class[class as usize].push(idx);
        }
    }
    let mut n_left: Vec<usize> = of_class.iter().map(Vec::len).collect();
    let mut wanted = Wanted {
        rows: shares.map(|share| n_rows as f64 * share),
        of_class: n_left.iter().map(|&n| shares.map(|share| n as f64 * share)).collect(),
        is_open: shares.map(|share| share > 0.0),
    };
    let mut in_training = vec![false; n_classes];
    let mut part_of: Vec<Option<usize>> = vec![None; n_rows];
    // Classes by the number of their rows that are still to be given out, rarest first.
    let mut queue: BTreeSet<(usize, usize)> =
        n_left.iter().enumerate().filter(|(_, n)| **n > 0).map(|(class, &n)| (n, class)).collect();
    while let Some((_, rarest)) = queue.pop_first() {
        for &idx in &of_class[rarest] {
            if part_of[idx].is_some() {
                continue;
            }
            let classes = targets.of_row(rows[idx] as usize);
            let is_last =
                |&class: &u32| n_left[class as usize] == 1 && !in_training[class as usize];
            let part =
                if classes.iter().any(is_last) { TRAIN } else { wanted.most(Some(rarest), rng) };
            part_of[idx] = Some(part);
            wanted.rows[part] -= 1.0;
            for class in classes.iter().map(|&class| class as usize) {
                wanted.of_class[class][part] -= 1.0;
                in_training[class] |= part == TRAIN;
                if queue.remove(&(n_left[class], class)) && n_left[class] > 1 {
                    queue.insert((n_left[class] - 1, class));
                }
                n_left[class] -= 1;
            }
        }
    }
    let mut parts: [Vec<u32>; N_PARTS] = Default::default();
    for (&row, part) in rows.iter().zip(part_of) {
        // Rows without a class go where rows are lacking.
        let part = part.unwrap_or_else(|| {
            let part = wanted.most(None, rng);
            wanted.rows[part] -= 1.0;
            part
        });
        parts[part].push(row);
    }
    let [train, validation, test] = parts;
    Split { train, validation, test }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::Classes;
    use crate::error::{Error, Result};
    use crate::task_kind::TaskKind;

    fn names(n_classes: usize) -> Classes {
        Classes::new(TaskKind::AnyOf, (0..n_classes).map(|class| format!("c{class}")).collect())
    }

    fn stratified(targets: &Targets, n_classes: usize, seed: u64) -> Result<Split> {
        let rows: Vec<u32> = (0..targets.len() as u32).collect();
        let config = SplitConfig { seed, ..SplitConfig::default() };
        Split::stratified(targets, &names(n_classes), &rows, &config)
    }

    /// 1,000 rows of ten classes of different frequency; a tenth of the rows has none.
    fn made() -> Targets {
        Targets::any_of((0u32..1000).map(|row| -> Vec<u32> {
            (0..10)
                .filter(|class| row % 10 != 0 && row.wrapping_mul(7919) % 97 % (class + 2) == 0)
                .collect()
        }))
    }

    #[test]
    fn every_class_has_its_share_in_every_part() {
        let targets = made();
        let counts = targets.counts(10);
        for seed in 0..10 {
            let split = stratified(&targets, 10, seed).unwrap();
            assert_eq!(split, stratified(&targets, 10, seed).unwrap());
            for (part, share) in [(&split.train, 0.8), (&split.validation, 0.1), (&split.test, 0.1)]
            {
                assert!((part.len() as f64 - 1000.0 * share).abs() <= 15.0, "{}", part.len());
                for (&n_part, &n_all) in targets.select(part).counts(10).iter().zip(&counts) {
                    let target = n_all as f64 * share;
                    let off = (n_part as f64 - target).abs();
                    assert!(off <= 3.0 + 0.03 * target, "{n_part} {target}");
                }
            }
            let mut all = [&split.train[..], &split.validation, &split.test].concat();
            all.sort_unstable();
            assert_eq!(all, (0..1000).collect::<Vec<u32>>());
        }
        assert_ne!(stratified(&targets, 10, 1).unwrap(), stratified(&targets, 10, 2).unwrap());
    }

    /// A change here changes every user's test rows; `tests/pinned_split.py` computes the same rows
    /// without this code.
    #[test]
    fn the_split_of_any_number_of_classes_never_changes() {
        let has = |row: u32, class: u32| {
            ((row + 1) * (class + 3)).is_multiple_of(5) || row % (class + 2) == 1
        };
        let of_row = |row| (0..4).filter(|&class| has(row, class)).collect::<Vec<u32>>();
        let split = stratified(&Targets::any_of((0..50).map(of_row)), 4, 9).unwrap();
        assert_eq!(split.validation, [5, 6, 13, 32, 34]);
        assert_eq!(split.test, [11, 18, 20, 31, 43]);
    }

    #[test]
    fn rare_labels_are_in_training() {
        // Label r + 1 only in row r, label 0 in the rest.
        let rows = (0..60u32).map(|row| if row < 20 { vec![row / 2 + 1] } else { vec![0] });
        let targets = Targets::any_of(rows);
        for seed in 0..20 {
            let split = stratified(&targets, 11, seed).unwrap();
            assert!(targets.select(&split.train).counts(11).iter().all(|&count| count > 0));
        }
        let rows: Vec<u32> = (0..60).collect();
        let config = SplitConfig { train: 0.3, validation: 0.0, test: 0.7, seed: 4 };
        let split = Split::stratified(&targets, &names(11), &rows, &config).unwrap();
        assert!(targets.select(&split.train).counts(11).iter().all(|&count| count > 0));
    }

    #[test]
    fn rows_without_anything_to_tell_apart_are_refused() {
        let nothing = Targets::any_of(vec![vec![]; 20]);
        assert_eq!(
            stratified(&nothing, 3, 0).unwrap_err().to_string(),
            "none of the 20 rows has a label"
        );
        let same = Targets::any_of(vec![vec![0, 2]; 20]);
        assert_eq!(
            stratified(&same, 3, 0).unwrap_err().to_string(),
            "all 20 rows are labelled c0, c2; a classifier needs at least two classes"
        );
        let one = Targets::any_of((0..20).map(|row| vec![0; row % 2]));
        assert!(stratified(&one, 1, 0).is_ok());
        let wrong = Targets::any_of(vec![vec![7]; 20]);
        assert!(matches!(stratified(&wrong, 3, 0), Err(Error::ClassOutOfRange { .. })));
    }
}
