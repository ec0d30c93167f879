//! Properties of every split and every epoch, whatever the rows.
#![allow(clippy::unwrap_used, reason = "proptest reports a panic with the input that caused it")]

use std::collections::BTreeSet;
use std::sync::Arc;

use dataset::{
    Batch, BatchPadding, Classes, EncodedSplit, Loader, LoaderConfig, MIN_ROWS, Order, Split,
    SplitConfig, Targets, TaskKind,
};
use proptest::prelude::*;

/// Labels of a table with both classes, and which of its rows to split.
fn table() -> impl Strategy<Value = (Vec<u8>, Vec<u32>)> {
    prop::collection::vec((0..=1u8, prop::bool::weighted(0.9)), 0..200).prop_map(|rows| {
        // At least ten rows with both classes, and then any others.
        let fixed = (0..MIN_ROWS).map(|row| (u8::from(row % 3 == 0), true));
        let rows: Vec<(u8, bool)> = fixed.chain(rows).collect();
        let kept = (0..rows.len() as u32).filter(|&row| rows[row as usize].1).collect();
        (rows.into_iter().map(|(label, _)| label).collect(), kept)
    })
}

fn row_ids() -> impl Strategy<Value = Vec<Vec<u32>>> {
    prop::collection::vec(prop::collection::vec(1..1000u32, 0..12), 0..40)
}

fn padding() -> impl Strategy<Value = BatchPadding> {
    prop_oneof![Just(BatchPadding::Longest), (1..15usize).prop_map(BatchPadding::Fixed)]
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::Sequential),
        Just(Order::ByLength),
        (any::<u64>(), 0..5u64).prop_map(|(seed, epoch)| Order::Shuffled { seed, epoch }),
    ]
}

fn epoch(split: &Arc<EncodedSplit>, config: &LoaderConfig) -> Vec<Batch> {
    let loader = Loader::new(Arc::clone(split), config).unwrap();
    loader.map(Result::unwrap).collect()
}

proptest! {
    #[test]
    fn a_split_is_disjoint_complete_and_stratified((labels, rows) in table(), seed: u64) {
        let config = SplitConfig { seed, ..SplitConfig::default() };
        let targets = Targets::from(labels.clone());
        let split = Split::stratified(&targets, &Classes::binary(), &rows, &config).unwrap();
        prop_assert_eq!(&split, &Split::stratified(&targets, &Classes::binary(), &rows, &config).unwrap());

        let mut together = [&split.train[..], &split.validation, &split.test].concat();
        together.sort_unstable();
        prop_assert_eq!(together, rows.clone());

        for class in 0..=1 {
            let count = |rows: &[u32]| {
                rows.iter().filter(|&&row| labels[row as usize] == class).count() as f64
            };
            let n_rows = count(&rows);
            let parts = [(&split.train, 0.8), (&split.validation, 0.1), (&split.test, 0.1)];
            for (part, fraction) in parts {
                prop_assert!(part.is_sorted());
                // Slightly over one row, because the product itself is rounded.
                prop_assert!((count(part) - fraction * n_rows).abs() <= 1.0 + 1e-9);
            }
        }
    }

    #[test]
    fn a_split_of_many_classes_keeps_shares_and_has_every_class_in_training(
        labels in prop::collection::vec(0..12u32, 30..300),
        seed: u64,
    ) {
        let rows: Vec<u32> = (0..labels.len() as u32).collect();
        let names = (0..12).map(|class| format!("c{class}")).collect();
        let classes = Classes::new(TaskKind::OneOf, names);
        let targets = Targets::OneOf(labels);
        let config = SplitConfig { seed, ..SplitConfig::default() };
        let split = Split::stratified(&targets, &classes, &rows, &config).unwrap();
        let mut together = [&split.train[..], &split.validation, &split.test].concat();
        together.sort_unstable();
        prop_assert_eq!(together, rows);
        let of_all = targets.counts(12);
        for (part, fraction) in [(&split.train, 0.8), (&split.validation, 0.1), (&split.test, 0.1)] {
            let counts = targets.select(part).counts(12);
            for (&count, &n_rows) in counts.iter().zip(&of_all) {
                // Training takes what both others leave.
                let limit = if fraction > 0.5 { 2.0 } else { 1.0 };
                prop_assert!((count as f64 - fraction * n_rows as f64).abs() <= limit + 1e-9);
                prop_assert!(fraction < 0.5 || n_rows == 0 || count > 0);
            }
        }
    }

    #[test]
    fn another_seed_gives_another_split(seed in 0..u64::MAX) {
        let targets = Targets::OneOf([0, 1].repeat(100));
        let rows: Vec<u32> = (0..200).collect();
        let of = |seed| {
            let config = SplitConfig { seed, ..SplitConfig::default() };
            Split::stratified(&targets, &Classes::binary(), &rows, &config).unwrap()
        };
        prop_assert_ne!(of(seed), of(seed + 1));
    }

    #[test]
    fn an_epoch_has_each_row_once_up_to_the_number_of_steps(
        rows in row_ids(),
        batch_size in 1..9usize,
        padding in padding(),
        order in order(),
    ) {
        let labels: Vec<u8> = rows.iter().map(|row| u8::from(row.len() % 2 == 1)).collect();
        let split = Arc::new(EncodedSplit::new(&rows, labels.clone()).unwrap());
        let config = LoaderConfig { batch_size, padding, order };
        let batches = epoch(&split, &config);

        let seen: Vec<u32> = batches.iter().flat_map(|batch| batch.rows.clone()).collect();
        prop_assert_eq!(seen.len(), rows.len());
        prop_assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), rows.len());
        prop_assert_eq!(batches.len(), rows.len().div_ceil(batch_size));

        for (batch_idx, batch) in batches.iter().enumerate() {
            let n_rows = batch.rows.len();
            let is_last = batch_idx + 1 == batches.len();
            prop_assert!(n_rows == batch_size || is_last);
            let longest = batch.rows.iter().map(|&row| rows[row as usize].len()).max().unwrap();
            let n_steps = match padding {
                BatchPadding::Fixed(n_steps) => n_steps,
                BatchPadding::Longest => longest.max(1),
            };
            let ids = batch.ids();
            prop_assert_eq!((ids.len(), batch.n_steps), (n_rows, n_steps));
            prop_assert_eq!(ids.concat().len(), batch.n_tokens());
            let targets = batch.targets.as_ref().unwrap();
            for (idx, &row) in batch.rows.iter().enumerate() {
                let stored = &rows[row as usize];
                let length = stored.len().min(n_steps);
                prop_assert_eq!(ids[idx], &stored[..length]);
                prop_assert_eq!(targets.of_row(idx), [u32::from(labels[row as usize])]);
            }
        }

        // A second run gives the same.
        let again: Vec<u32> = epoch(&split, &config).iter().flat_map(|b| b.rows.clone()).collect();
        prop_assert_eq!(&seen, &again);
        if order == Order::ByLength {
            prop_assert!(seen.is_sorted_by_key(|&row| (rows[row as usize].len(), row)));
        }
        if order == Order::Sequential {
            prop_assert!(seen.is_sorted());
        }
    }

    #[test]
    fn the_next_epoch_has_another_order(seed: u64, epoch_idx in 0..u64::MAX) {
        let split = Arc::new(EncodedSplit::unlabelled(vec![[1u32]; 50]).unwrap());
        let rows_of = |epoch_idx| {
            let config = LoaderConfig {
                batch_size: 50,
                padding: BatchPadding::Longest,
                order: Order::Shuffled { seed, epoch: epoch_idx },
            };
            epoch(&split, &config).remove(0).rows
        };
        prop_assert_ne!(rows_of(epoch_idx), rows_of(epoch_idx + 1));
    }
}
