//! Batches in plain memory, gathered ahead of time. Rows keep their own lengths: what is padded, and what goes to which
//! device, is up to the network.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::encoded::EncodedSplit;
use crate::error::{Error, Result};
use crate::prefetch::Prefetch;
use crate::shuffle::{Purpose, generator, shuffle};
use crate::targets::Targets;

/// For [`Order::LengthBuckets`]: enough that lengths within a batch are similar, few enough that batches
/// mix different texts from epoch to epoch.
const BATCHES_PER_BUCKET: usize = 50;

/// The number of steps in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchPadding {
    /// This many steps in every batch; longer rows are truncated to their first ids.
    Fixed(usize),
    /// As many steps as the longest row of the batch, and at least one.
    Longest,
}

/// The order of the rows in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they are stored.
    Sequential,
    /// In random order, which the seed and the epoch determine.
    Shuffled {
        /// The training seed.
        seed: u64,
        /// The epoch number.
        epoch: u64,
    },
    /// Rows of similar length together, otherwise random: rows are shuffled and cut into buckets of 50
    /// batches; each bucket is sorted by length and cut into batches, and the batches are shuffled.
    /// Every row occurs once. The seed and the epoch determine the order.
    LengthBuckets {
        /// The training seed.
        seed: u64,
        /// The epoch number.
        epoch: u64,
    },
    /// Shortest first, ties in stored order: least padding with [`BatchPadding::Longest`].
    /// [`Batch::rows`] says which row each result belongs to.
    ByLength,
}

/// How to cut a split into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoaderConfig {
    /// Rows in a batch; the last one may be shorter.
    pub batch_size: usize,
    /// The number of steps in a batch.
    pub padding: BatchPadding,
    /// The order of the rows.
    pub order: Order,
}

/// B rows, without padding.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The ids of all rows, one row after the other.
    ids: Vec<u32>,
    /// `[B + 1]`: where each row starts in `ids`, and where the last one ends.
    starts: Vec<usize>,
    /// T, the number of steps to which the rows are padded where padding is computed: no row is longer.
    pub n_steps: usize,
    /// The classes of the rows; `None` where the split has none.
    pub targets: Option<Targets>,
    /// `[B]`: the weights of the rows; `None` where the split has none.
    pub weights: Option<Vec<f32>>,
    /// `[B]`: the indices of these rows in the split.
    pub rows: Vec<u32>,
}

impl Batch {
    /// `[B]`: the ids of each row; none of an empty text.
    pub fn ids(&self) -> Vec<&[u32]> {
        self.starts.windows(2).map(|ends| &self.ids[ends[0]..ends[1]]).collect()
    }

    /// Number of ids in all rows.
    pub fn n_tokens(&self) -> usize {
        self.ids.len()
    }

    fn gather(split: &EncodedSplit, rows: &[u32], padding: BatchPadding) -> Self {
        let stored = || rows.iter().map(|&row| split.row(row as usize));
        let n_steps = match padding {
            BatchPadding::Fixed(n_steps) => n_steps,
            BatchPadding::Longest => stored().map(<[u32]>::len).max().unwrap_or(0).max(1),
        };
        let kept = || stored().map(|ids| &ids[..ids.len().min(n_steps)]);
        let mut ids = Vec::with_capacity(kept().map(<[u32]>::len).sum());
        let mut starts = Vec::with_capacity(rows.len() + 1);
        starts.push(0);
        for row in kept() {
            ids.extend_from_slice(row);
            starts.push(ids.len());
        }
        let targets = split.targets().map(|targets| targets.select(rows));
        let weight = |weights: &[f32]| rows.iter().map(|&row| weights[row as usize]).collect();
        let weights = split.weights().map(weight);
        Self { ids, starts, n_steps, targets, weights, rows: rows.to_vec() }
    }
}

/// One epoch of batches, as an iterator of known length.
///
/// Rows are gathered on another thread while the caller computes. Dropping it early is fine. The first error is the
/// last item.
pub struct Loader {
    batches: Prefetch<Batch>,
}

impl Loader {
    /// Starts an epoch over `split`.
    ///
    /// # Errors
    /// `Zero` if the batch size or a fixed length is 0, `Spawn` if no thread can be started.
    pub fn new(split: Arc<EncodedSplit>, config: &LoaderConfig) -> Result<Self> {
        Self::starting_at(0, split, config)
    }

    /// Starts an epoch at a batch of it, from 0, as if those before had been taken.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn starting_at(
        first: usize,
        split: Arc<EncodedSplit>,
        config: &LoaderConfig,
    ) -> Result<Self> {
        if config.batch_size == 0 {
            return Err(Error::Zero { what: "the batch size" });
        }
        if config.padding == BatchPadding::Fixed(0) {
            return Err(Error::Zero { what: "the sequence length" });
        }
        let LoaderConfig { batch_size, padding, .. } = *config;
        let order = row_order(&split, config);
        let n_batches = order.len().div_ceil(batch_size).saturating_sub(first);
        let batches = Prefetch::start(n_batches, move |batch_idx| {
            let start = (first + batch_idx) * batch_size;
            let end = order.len().min(start + batch_size);
            Batch::gather(&split, &order[start..end], padding)
        })?;
        Ok(Self { batches })
    }
}

impl Iterator for Loader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.batches.size_hint()
    }
}

impl ExactSizeIterator for Loader {}

fn row_order(split: &EncodedSplit, config: &LoaderConfig) -> Vec<u32> {
    // `EncodedSplit` refuses more rows than u32 can number.
    let mut rows: Vec<u32> = (0..split.len() as u32).collect();
    let length = |row: &u32| split.row(*row as usize).len();
    match config.order {
        Order::Sequential => {}
        Order::Shuffled { seed, epoch } => {
            shuffle(&mut rows, &mut generator(seed, Purpose::Epoch(epoch)));
        }
        Order::LengthBuckets { seed, epoch } => {
            let mut rng = generator(seed, Purpose::Epoch(epoch));
            shuffle(&mut rows, &mut rng);
            for bucket in rows.chunks_mut(config.batch_size.saturating_mul(BATCHES_PER_BUCKET)) {
                bucket.sort_by_key(length);
            }
            // A short batch must stay last, because all batches are cut by position.
            let full = rows.len() - rows.len() % config.batch_size;
            let mut batches: Vec<&[u32]> = rows[..full].chunks(config.batch_size).collect();
            shuffle(&mut batches, &mut rng);
            rows = [batches.concat(), rows[full..].to_vec()].concat();
        }
        Order::ByLength => rows.sort_by_key(length),
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_rows() -> Arc<EncodedSplit> {
        let rows = [vec![5, 6, 7], vec![], vec![8]];
        Arc::new(EncodedSplit::new(rows, vec![0, 1, 1]).unwrap())
    }

    fn batches(batch_size: usize, padding: BatchPadding, order: Order) -> Vec<Batch> {
        let config = LoaderConfig { batch_size, padding, order };
        let loader = Loader::new(three_rows(), &config).unwrap();
        let n_batches = loader.len();
        let batches: Vec<Batch> = loader.map(Result::unwrap).collect();
        assert_eq!(batches.len(), n_batches);
        batches
    }

    #[test]
    fn rows_keep_their_lengths_and_the_longest_gives_the_number_of_steps() {
        let batches = batches(2, BatchPadding::Longest, Order::Sequential);
        assert_eq!(batches[0].ids(), [&[5, 6, 7][..], &[]]);
        assert_eq!((batches[0].n_steps, batches[0].n_tokens()), (3, 3));
        assert_eq!(batches[0].targets, Some(Targets::OneOf(vec![0, 1])));
        assert_eq!(batches[0].rows, [0, 1]);
        assert_eq!(batches[1].ids(), [[8]]);
        assert_eq!((batches[1].n_steps, &*batches[1].rows), (1, &[2][..]));
    }

    #[test]
    fn a_fixed_length_keeps_the_first_ids_of_a_longer_row() {
        let narrow = batches(3, BatchPadding::Fixed(2), Order::Sequential);
        assert_eq!(narrow[0].ids(), [&[5, 6][..], &[], &[8]]);
        assert_eq!((narrow[0].n_steps, narrow[0].n_tokens()), (2, 3));

        let wide = batches(1, BatchPadding::Fixed(4), Order::Sequential);
        assert_eq!((wide[0].ids(), wide[0].n_steps), (vec![&[5, 6, 7][..]], 4));
    }

    #[test]
    fn a_batch_of_empty_rows_has_one_step() {
        let batches = batches(1, BatchPadding::Longest, Order::ByLength);
        assert_eq!(batches[0].ids(), [&[0u32; 0]]);
        assert_eq!((batches[0].n_steps, batches[0].n_tokens()), (1, 0));
        assert_eq!(batches.iter().map(|batch| batch.rows[0]).collect::<Vec<_>>(), [1, 2, 0]);
    }

    #[test]
    fn length_buckets_bring_like_rows_together_each_once_in_an_order_of_chance() {
        let lengths: Vec<usize> = (0..1003).map(|row| row * 7919 % 400).collect();
        let rows = lengths.iter().map(|&length| vec![1; length]);
        let split = Arc::new(EncodedSplit::unlabelled(rows).unwrap());
        let epoch = |epoch, order: fn(u64) -> Order| -> Vec<Batch> {
            let order = order(epoch);
            let config = LoaderConfig { batch_size: 20, padding: BatchPadding::Longest, order };
            let loader = Loader::new(Arc::clone(&split), &config).unwrap();
            loader.map(Result::unwrap).collect()
        };
        let buckets = |epoch| Order::LengthBuckets { seed: 5, epoch };
        let rows = |batches: &[Batch]| -> Vec<u32> {
            batches.iter().flat_map(|batch| batch.rows.clone()).collect()
        };
        let n_steps = |batches: &[Batch]| -> usize {
            batches.iter().map(|batch| batch.rows.len() * batch.n_steps).sum()
        };

        let first = epoch(1, buckets);
        let mut sorted = rows(&first);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1003).collect::<Vec<u32>>());
        assert_eq!(rows(&first), rows(&epoch(1, buckets)));
        assert_ne!(rows(&first), rows(&epoch(2, buckets)));
        assert!(first[..50].iter().all(|batch| batch.rows.len() == 20));
        // Batches are not ordered by length, and contain little padding.
        let widths: Vec<usize> = first.iter().map(|batch| batch.n_steps).collect();
        assert!(!widths.is_sorted());
        let n_ids: usize = lengths.iter().sum();
        assert!(n_steps(&first) < n_ids * 11 / 10, "{} {n_ids}", n_steps(&first));
        let shuffled = epoch(1, |epoch| Order::Shuffled { seed: 5, epoch });
        assert!(n_steps(&shuffled) > n_ids * 17 / 10);
    }

    #[test]
    fn batches_have_the_classes_and_weights_of_their_rows() {
        let config =
            LoaderConfig { batch_size: 2, padding: BatchPadding::Longest, order: Order::ByLength };
        let first = |split: EncodedSplit| {
            Loader::new(Arc::new(split), &config).unwrap().next().unwrap().unwrap()
        };
        let ids = || [vec![1, 2], vec![3]];
        let batch = first(EncodedSplit::unlabelled(ids()).unwrap());
        assert_eq!((batch.rows, batch.targets, batch.weights), (vec![1, 0], None, None));
        let targets = Targets::any_of([vec![4, 2], vec![]]);
        let split = EncodedSplit::with_targets(ids(), targets).unwrap();
        let batch = first(split.with_weights(vec![0.25, 3.0]).unwrap());
        assert_eq!(batch.targets, Some(Targets::any_of([vec![], vec![2, 4]])));
        assert_eq!(batch.weights, Some(vec![3.0, 0.25]));
    }

    #[test]
    fn no_rows_give_no_batches() {
        let split = Arc::new(EncodedSplit::new(Vec::<Vec<u32>>::new(), vec![]).unwrap());
        let config = LoaderConfig {
            batch_size: 2,
            padding: BatchPadding::Longest,
            order: Order::Sequential,
        };
        let mut loader = Loader::new(split, &config).unwrap();
        assert_eq!(loader.len(), 0);
        assert!(loader.next().is_none());
    }

    #[test]
    fn dropping_it_early_lets_go_of_the_split() {
        let rows = vec![vec![1u32; 100]; 10_000];
        let split = Arc::new(EncodedSplit::unlabelled(rows).unwrap());
        let config = LoaderConfig {
            batch_size: 1,
            padding: BatchPadding::Longest,
            order: Order::Sequential,
        };
        let mut loader = Loader::new(Arc::clone(&split), &config).unwrap();
        loader.next().unwrap().unwrap();
        drop(loader);
        assert_eq!(Arc::strong_count(&split), 1);
    }

    #[test]
    fn batches_of_nothing_are_refused() {
        let message = |batch_size, padding| {
            let config = LoaderConfig { batch_size, padding, order: Order::Sequential };
            Loader::new(three_rows(), &config).err().unwrap().to_string()
        };
        assert_eq!(message(0, BatchPadding::Longest), "the batch size must be at least 1");
        assert_eq!(message(1, BatchPadding::Fixed(0)), "the sequence length must be at least 1");
    }
}
