//! Decisions among several classes with the highest macro F1: each probability is divided by a number of its
//! class, and the largest quotient wins.

use crate::calibration::FEW_TEXTS;

/// Rounds over the classes.
const N_ROUNDS: usize = 3;
/// The smallest divisor, where the largest is 1.
const SMALLEST: f32 = 1e-6;

/// The divisors with the highest macro F1 on some texts, found class by class, each with the others fixed; `None`
/// if none beats the most probable class. A class that fewer than [`FEW_TEXTS`] texts have keeps the divisor 1: a
/// divisor of its own would follow single texts.
///
/// `probabilities`: `[N][C]`; `rows`: the weights of the texts, 1 if absent.
pub(crate) fn best_divisors(
    probabilities: &[Vec<f32>],
    labels: &[u32],
    rows: Option<&[f32]>,
) -> Option<Vec<f32>> {
    let mut search = Search::new(probabilities, labels, rows)?;
    let usual = search.counts.macro_f1();
    for _ in 0..N_ROUNDS {
        let before = search.divisors.clone();
        for class in 0..before.len() {
            if search.n_texts[class] >= FEW_TEXTS {
                let divisor = search.best_divisor(class);
                search.set(class, divisor);
            }
        }
        if search.divisors == before {
            break;
        }
    }
    // Only their ratios count.
    let largest = search.divisors.iter().copied().fold(SMALLEST, f32::max);
    let scaled = search.divisors.iter().map(|divisor| (divisor / largest).clamp(SMALLEST, 1.0));
    (search.counts.macro_f1() > usual).then(|| scaled.collect())
}

/// The state of a search.
struct Search<'a> {
    texts: Vec<Text<'a>>,
    divisors: Vec<f32>,
    /// Texts of each class.
    n_texts: Vec<usize>,
    counts: Counts,
}

/// A text with its two best classes at the current divisors.
struct Text<'a> {
    probabilities: &'a [f32],
    label: usize,
    weight: f64,
    best: [(f32, usize); 2],
}

impl<'a> Search<'a> {
    /// `None` for fewer than two classes, or no texts.
    fn new(probabilities: &'a [Vec<f32>], labels: &[u32], rows: Option<&[f32]>) -> Option<Self> {
        let n_classes = probabilities.first().map(Vec::len).filter(|&n| n > 1)?;
        let divisors = vec![1.0; n_classes];
        let (mut n_texts, mut counts) = (vec![0; n_classes], Counts::new(n_classes));
        let mut texts = Vec::with_capacity(labels.len());
        for (row, (probabilities, &label)) in probabilities.iter().zip(labels).enumerate() {
            let label = label as usize;
            let weight = rows.map_or(1.0, |rows| f64::from(rows[row]));
            let best = two_best(probabilities, &divisors);
            n_texts[label] += 1;
            counts.having[label] += weight;
            counts.add(label, best[0].1, weight);
            texts.push(Text { probabilities, label, weight, best });
        }
        Some(Self { texts, divisors, n_texts, counts })
    }

    /// The best divisor of one class: of equally good ones, that nearest to 1.
    fn best_divisor(&self, class: usize) -> f32 {
        // The best other class of each text, and the divisor below which this class wins over it.
        let mut limits: Vec<(f32, usize, &Text<'_>)> = self
            .texts
            .iter()
            .map(|text| {
                let (score, other) = text.best[usize::from(text.best[0].1 == class)];
                (text.probabilities[class] / score.max(f32::MIN_POSITIVE), other, text)
            })
            .collect();
        limits.sort_by(|a, b| b.0.total_cmp(&a.0));
        // This class is never predicted, to begin with.
        let mut counts = self.counts.clone();
        for (_, other, text) in limits.iter().filter(|(_, _, text)| text.best[0].1 == class) {
            counts.add(text.label, class, -text.weight);
            counts.add(text.label, *other, text.weight);
        }
        let never = limits.first().map_or(1.0, |limit| (2.0 * limit.0).max(1.0));
        let mut best = (counts.macro_f1(), never);
        for (index, (limit, other, text)) in limits.iter().enumerate() {
            counts.add(text.label, *other, -text.weight);
            counts.add(text.label, class, text.weight);
            let next = limits.get(index + 1).map_or(0.0, |limit| limit.0);
            if next == *limit {
                continue;
            }
            let value = counts.macro_f1();
            let divisor =
                if next < 1.0 && *limit >= 1.0 { 1.0 } else { next + (limit - next) / 2.0 };
            let is_nearer = divisor.ln().abs() < best.1.ln().abs();
            if value > best.0 + 1e-12 || (value > best.0 - 1e-12 && is_nearer) {
                best = (value, divisor);
            }
        }
        // Also where a probability is 0.
        if best.1.is_finite() && best.1 > 0.0 { best.1 } else { self.divisors[class] }
    }

    fn set(&mut self, class: usize, divisor: f32) {
        self.divisors[class] = divisor;
        for text in &mut self.texts {
            let before = text.best[0].1;
            let score = text.probabilities[class] / divisor;
            if score > text.best[1].0 || text.best.iter().any(|best| best.1 == class) {
                text.best = two_best(text.probabilities, &self.divisors);
            }
            if text.best[0].1 != before {
                self.counts.add(text.label, before, -text.weight);
                self.counts.add(text.label, text.best[0].1, text.weight);
            }
        }
    }
}

/// The two classes with the largest quotients of probability and divisor; among equals the first.
fn two_best(probabilities: &[f32], divisors: &[f32]) -> [(f32, usize); 2] {
    let mut best = [(-1.0, 0), (-1.0, 0)];
    for (class, (p, divisor)) in probabilities.iter().zip(divisors).enumerate() {
        let scored = (p / divisor, class);
        if scored.0 > best[0].0 {
            best = [scored, best[0]];
        } else if scored.0 > best[1].0 {
            best[1] = scored;
        }
    }
    best
}

/// Weighted counts of texts by class.
#[derive(Debug, Clone)]
struct Counts {
    having: Vec<f64>,
    predicted: Vec<f64>,
    right: Vec<f64>,
}

impl Counts {
    fn new(n_classes: usize) -> Self {
        let zeros = || vec![0.0; n_classes];
        Self { having: zeros(), predicted: zeros(), right: zeros() }
    }

    /// A prediction for a text with this label; a negative weight takes one back.
    fn add(&mut self, label: usize, predicted: usize, weight: f64) {
        self.predicted[predicted] += weight;
        if label == predicted {
            self.right[label] += weight;
        }
    }

    /// The mean F1 score of the classes that have texts or predictions.
    fn macro_f1(&self) -> f64 {
        let of_class = |class: usize| {
            let both = self.predicted[class] + self.having[class];
            // What is left of sums and differences of weights is not a prediction.
            (both > 1e-9).then(|| 2.0 * self.right[class] / both)
        };
        let (sum, n) = (0..self.having.len())
            .filter_map(of_class)
            .fold((0.0, 0usize), |(sum, n), f1| (sum + f1, n + 1));
        sum / n.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predicted(probabilities: &[Vec<f32>], divisors: &[f32]) -> Vec<usize> {
        probabilities.iter().map(|p| two_best(p, divisors)[0].1).collect()
    }

    /// A class that is never the most probable, but where it is right its probability is higher.
    #[test]
    fn a_class_is_found_that_the_largest_probability_never_is() {
        let labels: Vec<u32> = (0..100).map(|i| [0, 0, 0, 0, 2, 2, 2, 0, 0, 1][i % 10]).collect();
        let of_label = |label: &u32| match label {
            0 => vec![0.7, 0.1, 0.2],
            1 => vec![0.5, 0.35, 0.15],
            _ => vec![0.2, 0.1, 0.7],
        };
        let probabilities: Vec<Vec<f32>> = labels.iter().map(of_label).collect();
        let divisors = best_divisors(&probabilities, &labels, None).unwrap();
        let got: Vec<u32> =
            predicted(&probabilities, &divisors).into_iter().map(|class| class as u32).collect();
        assert_eq!(got, labels, "{divisors:?}");
        assert!(divisors.iter().all(|divisor| *divisor > 0.0 && *divisor <= 1.0), "{divisors:?}");
    }

    #[test]
    fn what_is_right_already_stays_as_it_is() {
        let (labels, p): (Vec<u32>, Vec<Vec<f32>>) = (0..40)
            .map(|i| match i % 4 {
                0 => (0, vec![0.7, 0.2, 0.1]),
                1 => (1, vec![0.2, 0.7, 0.1]),
                2 => (0, vec![0.6, 0.3, 0.1]),
                _ => (1, vec![0.3, 0.6, 0.1]),
            })
            .unzip();
        assert_eq!(best_divisors(&p, &labels, None), None);
        assert_eq!(best_divisors(&[], &[], None), None);
    }

    /// A class without texts must not collect the mistakes of another one.
    #[test]
    fn a_class_without_texts_is_never_predicted_more_often() {
        let (labels, p): (Vec<u32>, Vec<Vec<f32>>) = (0..60)
            .map(|i| match i % 3 {
                0 => (0, vec![0.8, 0.1, 0.1]),
                1 => (1, vec![0.1, 0.8, 0.1]),
                _ => (0, vec![0.05, 0.55, 0.4]),
            })
            .unzip();
        if let Some(divisors) = best_divisors(&p, &labels, None) {
            assert!(predicted(&p, &divisors).iter().all(|&class| class != 2), "{divisors:?}");
        }
    }

    /// Against a search over a grid of two divisors, on texts drawn by a fixed rule.
    #[test]
    fn nothing_on_a_grid_is_much_better() {
        let p: Vec<Vec<f32>> = (0..200)
            .map(|i| {
                let a = 0.1 + 0.8 * ((i * 37 % 101) as f32 / 101.0);
                let b = (1.0 - a) * ((i * 53 % 89) as f32 / 89.0);
                vec![a, b, 1.0 - a - b]
            })
            .collect();
        let labels: Vec<u32> =
            (0..200u32).map(|i| if i % 7 < 4 { i * 37 % 101 / 50 } else { i % 3 }).collect();
        let macro_f1 = |divisors: &[f32]| {
            let mut counts = Counts::new(3);
            for (class, &label) in predicted(&p, divisors).into_iter().zip(&labels) {
                counts.having[label as usize] += 1.0;
                counts.add(label as usize, class, 1.0);
            }
            counts.macro_f1()
        };
        let found = macro_f1(&best_divisors(&p, &labels, None).unwrap());
        let steps: Vec<f32> = (-8..=8).map(|step| (step as f32 * 0.25).exp()).collect();
        let grid = steps.iter().flat_map(|&a| steps.iter().map(move |&b| [a, b, 1.0]));
        let best = grid.map(|divisors| macro_f1(&divisors)).fold(0.0, f64::max);
        assert!(found > macro_f1(&[1.0; 3]) && found > best - 0.02, "{found} {best}");
    }
}
