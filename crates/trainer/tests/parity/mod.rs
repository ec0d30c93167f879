//! Made-up texts, and comparisons of two devices whose faults are collected before the test fails.

use candle_core::{DType, Device, Result, Tensor};
use dataset::EncodedSplit;
use recurrent::SeededRng;

/// Words that tell the class of a text.
const N_TELLING: usize = 200;

/// A text for each length: ids from 1 to `n_ids` - 2, the small ones frequent; and its class, 0 or 1, which some of
/// the ids tell.
pub fn made_up_texts(
    lengths: impl IntoIterator<Item = usize>,
    n_ids: usize,
    seed: u64,
) -> (Vec<Vec<u32>>, Vec<u8>) {
    let mut rng = SeededRng::new(seed);
    let text = |length| {
        let class = rng.below(2);
        let ids = (0..length).map(|_| {
            let id = match rng.below(8) {
                0 => 2 * rng.below(N_TELLING / 2) + class,
                _ => {
                    let (frequent, all) = (N_TELLING, n_ids - 2 - N_TELLING);
                    let bound = 1 + rng.below(all);
                    frequent + rng.below(bound)
                }
            };
            1 + id as u32
        });
        (ids.collect(), class as u8)
    };
    lengths.into_iter().map(text).unzip()
}

/// The same as a split.
pub fn made_up_split(n_texts: usize, longest: usize, n_ids: usize, seed: u64) -> EncodedSplit {
    let mut rng = SeededRng::new(seed);
    let lengths: Vec<usize> = (0..n_texts).map(|_| 1 + rng.below(longest)).collect();
    let (rows, classes) = made_up_texts(lengths, n_ids, seed + 1);
    EncodedSplit::new(rows, classes).unwrap()
}

/// Tensors by name.
pub type Named = Vec<(String, Tensor)>;

/// What comparisons found. Each prints its largest deviation; [`assert_none`](Self::assert_none) fails with all of them
/// that were too large.
#[derive(Default)]
pub struct Faults(Vec<String>);

impl Faults {
    /// Adds a fault.
    pub fn add(&mut self, fault: String) {
        eprintln!("FAULT: {fault}");
        self.0.push(fault);
    }

    /// The value, or its error as a fault.
    pub fn value<T, E: std::fmt::Display>(
        &mut self,
        what: &str,
        value: std::result::Result<T, E>,
    ) -> Option<T> {
        value.map_err(|error| self.add(format!("{what}: {error}"))).ok()
    }

    /// Compares each tensor with the one of that name on the CPU: no element may deviate by more than `tolerance` times
    /// the largest absolute value of the latter.
    pub fn compare(&mut self, what: &str, tolerance: f64, got: &Named, expected: &Named) {
        let names = |tensors: &Named| tensors.iter().map(|(name, _)| name.clone()).collect();
        let (got_names, expected_names): (Vec<String>, Vec<String>) = (names(got), names(expected));
        if got_names != expected_names {
            return self.add(format!("{what}: {got_names:?}, but on the CPU {expected_names:?}"));
        }
        let mut worst = (0.0, "");
        for ((name, got), (_, expected)) in got.iter().zip(expected) {
            let difference = relative_difference(got, expected);
            let Some(difference) = self.value(&format!("{what}, {name}"), difference) else {
                continue;
            };
            if difference > worst.0 || difference.is_nan() {
                worst = (difference, name);
            }
            if difference > tolerance || difference.is_nan() {
                self.add(format!(
                    "{what}: {name} {:?} deviates by {difference:.1e} of its largest value; at most {tolerance:.0e} \
                     is expected",
                    expected.dims()
                ));
            }
        }
        let (largest, name) = worst;
        eprintln!("{what}: {} tensors, largest relative deviation {largest:.1e} {name}", got.len());
    }

    /// Compares numbers with those of the CPU: none may deviate by more than `tolerance`, or that much of its own value
    /// if that is above 1.
    pub fn compare_numbers(&mut self, what: &str, tolerance: f64, got: &[f64], expected: &[f64]) {
        if got.len() != expected.len() {
            let (n_got, n_expected) = (got.len(), expected.len());
            return self.add(format!("{what}: {n_got} numbers, but on the CPU {n_expected}"));
        }
        let mut worst = (0.0, 0);
        let mut n_faults = 0;
        for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
            let difference = (got - expected).abs() / expected.abs().max(1.0);
            if difference > worst.0 || difference.is_nan() {
                worst = (difference, index);
            }
            n_faults += usize::from(difference > tolerance || difference.is_nan());
        }
        let (largest, index) = worst;
        let pair = got.get(index).zip(expected.get(index));
        let numbers = pair.map_or_else(String::new, |(got, on_cpu)| {
            format!(" (number {index}: {got}, on the CPU {on_cpu})")
        });
        if n_faults > 0 {
            self.add(format!(
                "{what}: {n_faults} of {} numbers deviate by more than {tolerance:.0e}, at most by \
                 {largest:.1e}{numbers}",
                got.len()
            ));
        }
        eprintln!("{what}: {} numbers, largest deviation {largest:.1e}{numbers}", got.len());
    }

    /// Compares tensors with those of an earlier run, bit for bit.
    pub fn compare_bits(&mut self, what: &str, got: &Named, earlier: &Named) {
        let mut n_equal = 0;
        let names = |all: &Named| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        if names(got) != names(earlier) {
            self.add(format!("{what}: {:?} and {:?}", names(got), names(earlier)));
        }
        for ((name, got), (_, earlier)) in got.iter().zip(earlier) {
            let both = numbers(got).and_then(|got| Ok((got, numbers(earlier)?)));
            let Some((got, earlier)) = self.value(&format!("{what}, {name}"), both) else {
                continue;
            };
            let differing: Vec<f64> = (got.iter().zip(&earlier))
                .filter(|(got, earlier)| got.to_bits() != earlier.to_bits())
                .map(|(got, earlier)| (got - earlier).abs())
                .collect();
            if differing.is_empty() && got.len() == earlier.len() {
                n_equal += 1;
                continue;
            }
            self.add(format!(
                "{what}: {} of {} numbers of {name} differ from {} ones, at most by {:.1e}",
                differing.len(),
                got.len(),
                earlier.len(),
                largest_of(differing.iter().copied())
            ));
        }
        eprintln!("{what}: {n_equal} of {} tensors are equal bit for bit", earlier.len());
    }

    /// Fails with all faults.
    #[track_caller]
    pub fn assert_none(self) {
        assert!(self.0.is_empty(), "{} faults\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// The largest difference, as a share of the largest absolute value that is expected.
fn relative_difference(got: &Tensor, expected: &Tensor) -> Result<f64> {
    if got.dims() != expected.dims() {
        candle_core::bail!("shape {:?}, but on the CPU {:?}", got.dims(), expected.dims());
    }
    let (got, expected) = (numbers(got)?, numbers(expected)?);
    let difference = largest_of(got.iter().zip(&expected).map(|(got, expected)| got - expected));
    let largest = largest_of(expected.iter().copied());
    Ok(if difference == 0.0 { 0.0 } else { difference / largest })
}

/// The largest absolute value; NaN if one is.
fn largest_of(numbers: impl Iterator<Item = f64>) -> f64 {
    // `f64::max` would drop a NaN.
    numbers.map(f64::abs).fold(0.0, |most, x| if x > most || x.is_nan() { x } else { most })
}

/// f32 numbers as f64, which keeps them exactly.
fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}
