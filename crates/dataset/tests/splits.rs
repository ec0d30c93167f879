//! Properties of deduplication and groups, whatever the rows.
#![allow(clippy::unwrap_used, reason = "proptest reports a panic with the input that caused it")]

use std::collections::{BTreeMap, BTreeSet};

use dataset::{Conflicts, Error, LabelledTexts, MIN_ROWS, Split, SplitConfig};
use proptest::prelude::*;

/// Rows of label, text number and group; both classes occur.
fn rows() -> impl Strategy<Value = Vec<(u8, u64, u32)>> {
    prop::collection::vec((0..=1u8, 0..60u64, 0..25u32), 0..150).prop_map(|rows| {
        // At least ten distinct texts with consistent labels.
        let fixed = (0..MIN_ROWS).map(|i| ((i % 2) as u8, 1_000 + i as u64, 100 + i as u32));
        fixed.chain(rows).collect()
    })
}

fn table(rows: &[(u8, u64, u32)]) -> (LabelledTexts, Vec<u64>, Vec<u32>) {
    let texts = rows.iter().map(|(_, text, _)| format!("text {text}"));
    let table = LabelledTexts::new(texts, rows.iter().map(|row| row.0).collect()).unwrap();
    (table, rows.iter().map(|row| row.1).collect(), rows.iter().map(|row| row.2).collect())
}

proptest! {
    #[test]
    fn what_is_kept_is_every_text_once_and_the_rest_is_counted(rows in rows()) {
        let (table, digests, _) = table(&rows);
        let mut labels_of: BTreeMap<u64, BTreeSet<u8>> = BTreeMap::new();
        for (label, text, _) in &rows {
            labels_of.entry(*text).or_default().insert(*label);
        }
        let n_conflicting = labels_of.values().filter(|labels| labels.len() == 2).count();

        let kept = table.deduplicate(&digests, Conflicts::Keep).unwrap();
        let expected: Vec<u32> = (0..rows.len())
            .filter(|&row| rows[..row].iter().all(|earlier| earlier.1 != rows[row].1))
            .map(|row| row as u32)
            .collect();
        prop_assert_eq!(&kept.kept, &expected);
        prop_assert_eq!(kept.kept.len() + kept.n_duplicates, rows.len());
        // The texts of this table differ if their numbers do.
        prop_assert_eq!(kept.n_exact, kept.n_duplicates);
        prop_assert_eq!((kept.n_conflicting, kept.n_dropped), (n_conflicting, 0));
        for [first, other] in &kept.conflicting_rows {
            prop_assert_eq!(rows[first - 1].1, rows[other - 1].1);
            prop_assert_ne!(rows[first - 1].0, rows[other - 1].0);
        }

        let dropped = table.deduplicate(&digests, Conflicts::Drop).unwrap();
        let agreeing = |row: &u32| labels_of[&rows[*row as usize].1].len() == 1;
        prop_assert_eq!(&dropped.kept, &expected.into_iter().filter(agreeing).collect::<Vec<_>>());
        let accounted = dropped.kept.len() + dropped.n_duplicates + dropped.n_dropped;
        prop_assert_eq!(accounted, rows.len());

        let refused = table.deduplicate(&digests, Conflicts::Error);
        prop_assert_eq!(refused.is_err(), n_conflicting > 0);
    }

    #[test]
    fn no_group_and_no_text_is_on_two_sides(rows in rows(), seed: u64) {
        let (table, digests, groups) = table(&rows);
        let kept = table.deduplicate(&digests, Conflicts::Keep).unwrap().kept;
        let config = SplitConfig { seed, ..SplitConfig::default() };
        let split = match Split::grouped(table.targets(), table.classes(), &kept, &groups, &config) {
            Ok(split) => split,
            // There are few large groups, or a class is only in groups that are needed elsewhere.
            Err(Error::TooFewGroups { .. } | Error::LargeGroup { .. }) => return Ok(()),
            Err(Error::ClassNotInTraining { .. }) => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        prop_assert_eq!(&split, &Split::grouped(table.targets(), table.classes(), &kept, &groups, &config).unwrap());
        let mut together = [&split.train[..], &split.validation, &split.test].concat();
        together.sort_unstable();
        prop_assert_eq!(&together, &kept);
        for of in [&|row: &u32| u64::from(groups[*row as usize]), &|row: &u32| digests[*row as usize]]
            as [&dyn Fn(&u32) -> u64; 2]
        {
            let sides = [&split.train, &split.validation, &split.test]
                .map(|rows| rows.iter().map(of).collect::<BTreeSet<u64>>());
            prop_assert!(sides.iter().all(|side| !side.is_empty()));
            prop_assert!(sides[0].is_disjoint(&sides[1]) && sides[0].is_disjoint(&sides[2]));
            prop_assert!(sides[1].is_disjoint(&sides[2]));
        }
    }
}
