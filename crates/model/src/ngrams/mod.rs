//! The n-gram vocabulary of the linear path, and the value of each n-gram.

mod classes;
mod count;
mod grow;
mod keys;
mod ratio;
mod value;

use std::sync::Arc;

use candle_core::{Device, Tensor};
use safetensors::tensor::Dtype;

use crate::error::{Error, Result};
use crate::stored::StoredTensors;

pub use self::classes::TextClasses;
pub use self::count::NgramChoice;
pub use self::grow::{NgramStart, Renumbered};

/// Names of the stored tensors.
const KEYS: &str = "keys";
const VALUES: &str = "values";
const RATIOS: &str = "ratios";

/// The n-grams (runs of 1 to `order` ids) that occur in enough training texts.
///
/// An n-gram is identified by a 32-bit hash of its ids: among a million n-grams about a hundred
/// collide, and one in four thousand unknown n-grams is mistaken for a known one.
///
/// Each has a value, which says how much it tells about a text's classes: see `value.rs`. Of two classes, they
/// may have log-count ratios besides: see `ratio.rs`.
#[derive(Clone)]
pub struct NgramVocabulary {
    order: usize,
    /// The n-grams' hashes, ascending. An n-gram's index here is its row in the path's table.
    keys: Arc<Vec<u32>>,
    values: Arc<Vec<f32>>,
    /// `[n-grams]`; absent unless they were learned.
    ratios: Option<Arc<Vec<f32>>>,
}

impl std::fmt::Debug for NgramVocabulary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NgramVocabulary")
            .field("order", &self.order)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl NgramVocabulary {
    /// Collects n-grams and their values.
    ///
    /// `texts`: ids, with or without padding; `classes`: those of each text, of `n_classes`. A binary task's
    /// are [`TextClasses::OneOf`], 1 for positive.
    ///
    /// ```
    /// use model::{NgramChoice, NgramVocabulary, TextClasses};
    ///
    /// let texts = [[7, 8, 9], [7, 8, 5], [6, 8, 9], [6, 8, 5]];
    /// let classes = TextClasses::OneOf(&[1, 1, 0, 0]);
    /// let choice = NgramChoice { order: 2, min_texts: 2, max_ngrams: None };
    /// let ngrams = NgramVocabulary::learn(&texts, classes, 2, choice);
    /// // 5, 6, 7, 8, 9, and of the pairs 7 8, 6 8, 8 9 and 8 5.
    /// assert_eq!(ngrams.len(), 9);
    /// ```
    #[must_use]
    pub fn learn<T: AsRef<[u32]> + Sync>(
        texts: &[T],
        classes: TextClasses<'_>,
        n_classes: usize,
        choice: NgramChoice,
    ) -> Self {
        let pairs = count::sorted_pairs(texts, classes, n_classes, choice.order);
        let ngrams = count::chosen(&pairs, classes, choice);
        let values = value::values(&ngrams, classes, n_classes, texts.len());
        let keys = ngrams.iter().map(count::Ngram::key).collect();
        Self { order: choice.order, keys: Arc::new(keys), values: Arc::new(values), ratios: None }
    }

    /// Number of n-grams: the rows of the linear path's table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are no n-grams.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The distinct known n-grams of a text, ascending, and their values scaled to length 1.
    #[must_use]
    pub fn of_text(&self, ids: &[u32]) -> (Vec<u32>, Vec<f32>) {
        let rows = self.rows(ids);
        let mut values: Vec<f32> = rows.iter().map(|&row| self.values[row as usize]).collect();
        let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
        if length > 0.0 {
            values.iter_mut().for_each(|value| *value /= length);
        }
        (rows, values)
    }

    /// The distinct known n-grams of a text, ascending.
    fn rows(&self, ids: &[u32]) -> Vec<u32> {
        keys::keys_of(ids, self.order).into_iter().filter_map(|key| self.row(key)).collect()
    }

    /// Hashes are spread evenly, so a key's value predicts its index: the search starts there and
    /// doubles its step until it has passed the key.
    fn row(&self, key: u32) -> Option<u32> {
        let keys = &**self.keys;
        let guess = ((u64::from(key) * keys.len() as u64) >> 32) as usize;
        let (mut low, mut high, mut step) = (guess, guess, 64);
        while low > 0 && keys[low] > key {
            low = low.saturating_sub(step);
            step *= 2;
        }
        step = 64;
        while high < keys.len() && keys[high] < key {
            high += step;
            step *= 2;
        }
        let high = keys.len().min(high + 1);
        let found = keys.get(low..high)?.binary_search(&key).ok()?;
        Some((low + found) as u32)
    }

    /// The n-grams as tensors, to be stored: `keys`, u32, `values` and, if they were learned, `ratios`, f32, each
    /// `[n-grams]`.
    ///
    /// # Errors
    /// If candle fails.
    pub fn tensors(&self) -> Result<Vec<(&'static str, Tensor)>> {
        let keys = (KEYS, Tensor::new(&**self.keys, &Device::Cpu)?);
        let numbers = [(VALUES, Some(&self.values)), (RATIOS, self.ratios.as_ref())];
        let stored = numbers.into_iter().filter_map(|(name, numbers)| Some((name, numbers?)));
        let tensors =
            stored.map(|(name, numbers)| Ok((name, Tensor::new(&***numbers, &Device::Cpu)?)));
        std::iter::once(Ok(keys)).chain(tensors).collect()
    }

    /// The n-grams, of up to `order` ids, of stored [`tensors`](Self::tensors).
    ///
    /// # Errors
    /// [`Error::Unreadable`] if they are something else.
    pub fn from_stored(stored: &StoredTensors, order: usize) -> Result<Self> {
        let unreadable = |reason: String| Error::Unreadable { reason };
        let keys = numbers(stored, KEYS, Dtype::U32, u32::from_le_bytes)?;
        let of_keys = |name: &str| -> Result<Vec<f32>> {
            let numbers = numbers(stored, name, Dtype::F32, f32::from_le_bytes)?;
            if keys.len() != numbers.len() {
                let (n_keys, n_numbers) = (keys.len(), numbers.len());
                return Err(unreadable(format!("it has {n_keys} keys, but {n_numbers} {name}")));
            }
            if !numbers.iter().all(|number| number.is_finite()) {
                return Err(unreadable(format!("its {name} are not all finite")));
            }
            Ok(numbers)
        };
        let values = of_keys(VALUES)?;
        let has_ratios = stored.shapes().any(|(name, _)| name == RATIOS);
        let ratios = has_ratios.then(|| of_keys(RATIOS)).transpose()?;
        if keys.is_empty() {
            return Err(unreadable("it has no n-grams".to_string()));
        }
        if !keys.is_sorted_by(|a, b| a < b) {
            return Err(unreadable("its keys are not ascending".to_string()));
        }
        let (values, ratios) = (Arc::new(values), ratios.map(Arc::new));
        Ok(Self { order, keys: Arc::new(keys), values, ratios })
    }
}

/// The numbers of a stored vector, copied once.
///
/// # Errors
/// [`Error::Unreadable`] if there is no vector of this type.
fn numbers<T>(
    stored: &StoredTensors,
    name: &str,
    dtype: Dtype,
    number: impl Fn([u8; 4]) -> T,
) -> Result<Vec<T>> {
    let unreadable = |reason: String| Error::Unreadable { reason };
    let view = stored.get(name).map_err(|error| unreadable(error.to_string()))?;
    if view.dtype() != dtype || view.shape().len() != 1 {
        let (got, shape) = (view.dtype(), view.shape());
        return Err(unreadable(format!(
            "{name} is {got:?} {shape:?}, expected a vector of {dtype:?}"
        )));
    }
    // The header may leave the numbers unaligned.
    Ok(view.data().as_chunks::<4>().0.iter().map(|bytes| number(*bytes)).collect())
}

#[cfg(test)]
mod tests {
    use super::keys::spread_bits;
    use super::*;
    use crate::stored::Bytes;

    fn vocabulary() -> NgramVocabulary {
        let texts: Vec<Vec<u32>> = (0..400u32)
            .map(|i| {
                (0..30).map(|j| 1 + (spread_bits(u64::from(i * 30 + j)) % 900) as u32).collect()
            })
            .collect();
        let labels: Vec<u32> = (0..400).map(|i| i % 2).collect();
        learn(&texts, &labels, 3)
    }

    /// All n-grams of texts of two classes.
    fn learn<T: AsRef<[u32]> + Sync>(texts: &[T], labels: &[u32], order: usize) -> NgramVocabulary {
        let choice = NgramChoice { order, min_texts: 1, max_ngrams: None };
        NgramVocabulary::learn(texts, TextClasses::OneOf(labels), 2, choice)
    }

    #[test]
    fn every_ngram_is_found_and_no_other() {
        let vocabulary = vocabulary();
        assert!(vocabulary.len() > 20_000, "{}", vocabulary.len());
        for (row, &key) in (0..).zip(vocabulary.keys.iter()) {
            assert_eq!(vocabulary.row(key), Some(row));
            let next = key.wrapping_add(1);
            assert_eq!(vocabulary.row(next).is_some(), vocabulary.keys.contains(&next));
        }
        assert_eq!(vocabulary.row(0), None);
        assert_eq!(vocabulary.row(u32::MAX), None);
        assert_eq!(learn(&[[1u32]; 0], &[], 2).row(5), None);
    }

    #[test]
    fn values_are_log_count_ratios_times_inverse_document_frequencies() {
        // 7 in two positive texts of two, 8 in one of each class, 9 in one negative.
        let texts = [vec![0, 7, 8], vec![7, 7], vec![8, 9], vec![]];
        let vocabulary = learn(&texts, &[1, 1, 0, 0], 1);
        let value = |p: f64, q: f64, texts: f64| {
            // Positive: 3 + 2 + 1; negative: 1 + 2 + 2.
            (((p / 6.0) / (q / 5.0)).ln() * (1.0 + (5.0f64 / (1.0 + texts)).ln())) as f32
        };
        for (id, expected) in [(7, value(3.0, 1.0, 2.0)), (8, value(2.0, 2.0, 2.0))] {
            let (rows, values) = vocabulary.of_text(&[id]);
            assert_eq!(values, [expected.signum()]);
            assert!((vocabulary.values[rows[0] as usize] - expected).abs() < 1e-6);
        }
        let (rows, values) = vocabulary.of_text(&[9, 7, 7, 0, 4]);
        assert_eq!(rows.len(), 2);
        assert!((values.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn ngrams_that_say_nothing_have_no_value_however_skewed_the_classes_are() {
        // One text in 10 is positive, and a word in 10 texts is in one of them; 5 is a word of negative texts.
        let texts: Vec<Vec<u32>> =
            (0..1000).map(|i| vec![10 + i / 10, 5 * u32::from(i % 10 > 0)]).collect();
        let labels: Vec<u32> = (0..1000).map(|i| u32::from(i % 10 == 0)).collect();
        let vocabulary = learn(&texts, &labels, 1);
        let value = |id: u32| {
            let (rows, _) = vocabulary.of_text(&[id]);
            vocabulary.values[rows[0] as usize]
        };
        // The word of negative texts takes some of their sum.
        let plain = value(10);
        assert!((11..110).all(|id| (value(id) - plain).abs() < 1e-6), "{plain}");
        assert!(value(5) < -3.0 && plain.abs() < value(5).abs(), "{} {plain}", value(5));
    }

    #[test]
    fn stored_ngrams_are_the_same() -> Result<()> {
        let plain = vocabulary();
        assert_eq!(plain.tensors()?.len(), 2);
        let with_ratios = plain.clone().with_ratios(&[[1, 2, 3]], &[1]);
        for vocabulary in [plain, with_ratios] {
            let bytes = safetensors::serialize(vocabulary.tensors()?, None)
                .map_err(candle_core::Error::from)?;
            let stored =
                StoredTensors::parse(Bytes::new(bytes)).map_err(candle_core::Error::from)?;
            let read = NgramVocabulary::from_stored(&stored, 3)?;
            assert_eq!((read.keys, read.values), (vocabulary.keys, vocabulary.values));
            assert_eq!(read.ratios, vocabulary.ratios);
        }
        Ok(())
    }
}
