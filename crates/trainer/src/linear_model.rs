//! The one linear model of this crate: logistic regression over n-grams (multinomial for one class of several),
//! with a weight for each n-gram and output. It is the linear path of networks that have one, and the baseline
//! for the others.
//!
//! A network's linear path is fitted before its recurrent layers are trained, and by itself: trained jointly,
//! it overfits the training texts within an epoch and leaves nothing for the recurrent layers to learn.
//! `stacking` then finds how much either path counts (stacked generalization, Wolpert 1992).

use candle_core::Tensor;
use candle_nn::VarMap;
use dataset::{EncodedSplit, Targets, epoch_order};
use model::{NGRAM_BIAS, NGRAM_TABLE, NgramVocabulary, Task};
use rayon::prelude::*;

use crate::class_weights::{LossWeights, MAX_STEP_WEIGHT};
use crate::config::TrainingConfig;
use crate::error::{Error, Result};
use crate::evaluate::targets_of;
use crate::from_model::LinearStart;
use crate::job::rows_of;

/// Passes over the texts of a fit.
const N_PASSES: usize = 4;
/// Keeps the order of the texts apart from other random numbers.
const SEED: u64 = 0x6c69_6e65_6172_2121;

/// A text's n-grams, as rows of the weights, and their values.
type Ngrams = (Vec<u32>, Vec<f32>);

/// The n-grams of all texts of a split.
#[derive(Debug)]
pub(crate) struct Features(Vec<Ngrams>);

impl Features {
    pub(crate) fn of(vocabulary: &NgramVocabulary, texts: &EncodedSplit) -> Self {
        Self(rows_of(texts).par_iter().map(|text| vocabulary.of_text(text)).collect())
    }
}

/// Logistic regression over the n-grams of a vocabulary.
#[derive(Debug, Clone)]
pub(crate) struct LinearModel<'a> {
    vocabulary: &'a NgramVocabulary,
    /// `[n-grams, O]`.
    weights: Vec<f32>,
    /// `[O]`.
    intercepts: Vec<f32>,
}

/// How far each output of a text is from its target: label minus probability, times the class's weight.
struct Errors<'a> {
    task: &'a Task,
    targets: &'a Targets,
    weights: LossWeights,
}

impl<'a> LinearModel<'a> {
    /// Fits the weights by stochastic gradient descent whose step size falls to 0, in [`N_PASSES`] passes; having
    /// so few replaces a penalty on large weights. The intercepts are the log odds of the classes (their
    /// logarithmic shares in a softmax), as if each had one text more, with the classes weighted but not single
    /// texts. They are not fitted: on long reviews an intercept drifts, which costs nothing there and tilts every
    /// text of a few words.
    ///
    /// `features`: of the texts. `rate`: how far a text moves its own logit at first, divided by its error:
    /// `linear_search` chooses it. `start`: weights to start from, whose intercepts are kept; 0 if absent. Of `training`
    /// it reads `class_weights` and `seed`.
    ///
    /// # Errors
    /// [`Error::NoLabels`]; [`Error::LinearPath`] if a weight is not finite.
    pub(crate) fn fit(
        vocabulary: &'a NgramVocabulary,
        (Features(features), texts): (&Features, &EncodedSplit),
        task: &Task,
        training: &TrainingConfig,
        (rate, start): (f64, Option<&LinearStart>),
    ) -> Result<Self> {
        let targets = targets_of(texts)?;
        let counts = targets.counts(task.classes().len());
        let weights = training.class_weights.of(task, targets)?;
        let n_outputs = task.n_outputs();
        let row_weights = texts.weights();
        let intercepts = match start {
            Some(start) => start.intercepts.iter().map(|&x| f64::from(x)).collect(),
            None => log_odds(&weights, task, targets, row_weights),
        };
        let errors = Errors { task, targets, weights: weights.of_steps(&counts) };
        let mut weights = match start {
            Some(start) => start.weights.clone(),
            None => vec![0f32; vocabulary.len() * n_outputs],
        };
        let n_steps = (N_PASSES * features.len()) as f64;
        let (mut logits, mut sums) = (vec![0f64; n_outputs], vec![0f32; n_outputs]);
        for pass in 0..N_PASSES {
            let order = epoch_order(features.len(), training.seed ^ SEED, pass as u64);
            for (step, row) in order.into_iter().enumerate() {
                let done = (pass * features.len() + step) as f64 / n_steps;
                add_products(&weights, &features[row], &mut sums);
                for ((logit, sum), intercept) in logits.iter_mut().zip(&sums).zip(&intercepts) {
                    *logit = f64::from(*sum) + intercept;
                }
                errors.of_logits(row, &mut logits);
                let row_weight =
                    row_weights.map_or(1.0, |all| f64::from(all[row]).min(MAX_STEP_WEIGHT));
                let step = rate * (1.0 - done) * row_weight;
                for (change, error) in sums.iter_mut().zip(&logits) {
                    *change = (step * error) as f32;
                }
                let (ngrams, values) = &features[row];
                for (&ngram, value) in ngrams.iter().zip(values) {
                    let of_ngram = &mut weights[ngram as usize * n_outputs..][..n_outputs];
                    of_ngram
                        .iter_mut()
                        .zip(&sums)
                        .for_each(|(weight, change)| *weight += change * value);
                }
            }
        }
        let intercepts = intercepts.into_iter().map(|intercept| intercept as f32).collect();
        let model = Self { vocabulary, weights, intercepts };
        check_finite("weights", model.weights.iter().chain(&model.intercepts), rate)?;
        Ok(model)
    }

    /// The logits of each text, `[N·O]`.
    pub(crate) fn logits(&self, texts: &EncodedSplit) -> Vec<f32> {
        let n_outputs = self.intercepts.len();
        let mut logits = vec![0.0; texts.len() * n_outputs];
        logits.par_chunks_exact_mut(n_outputs).enumerate().for_each(|(row, logits)| {
            add_products(&self.weights, &self.vocabulary.of_text(texts.row(row)), logits);
            logits
                .iter_mut()
                .zip(&self.intercepts)
                .for_each(|(logit, intercept)| *logit += intercept);
        });
        logits
    }

    /// Makes this the linear path of the network of these variables.
    ///
    /// # Errors
    /// If the network has another path or none, or its device fails.
    pub(crate) fn set_path(self, variables: &VarMap) -> Result<()> {
        let variables = model::sorted(variables);
        let (table, bias) = (variables.get(NGRAM_TABLE), variables.get(NGRAM_BIAS));
        let (Some(table), Some(bias)) = (table, bias) else {
            return Err(candle_core::Error::msg("the network has no linear path").into());
        };
        let n_outputs = self.intercepts.len();
        let shape = (self.weights.len() / n_outputs.max(1), n_outputs);
        table.set(&Tensor::from_vec(self.weights, shape, table.device())?)?;
        bias.set(&Tensor::new(&*self.intercepts, bias.device())?)?;
        Ok(())
    }
}

impl Errors<'_> {
    /// Replaces the logits of a text, `[O]`, by their errors.
    fn of_logits(&self, row: usize, logits: &mut [f64]) {
        let classes = self.targets.of_row(row);
        match &self.weights {
            LossWeights::Softmax(of_classes) => {
                let largest = logits.iter().copied().fold(f64::MIN, f64::max);
                logits.iter_mut().for_each(|logit| *logit = (*logit - largest).exp());
                let sum: f64 = logits.iter().sum();
                let weight = classes.first().map_or(0.0, |&class| of_classes[class as usize]);
                for (class, logit) in logits.iter_mut().enumerate() {
                    let label = f64::from(u8::from(classes == [class as u32]));
                    *logit = weight * (label - *logit / sum);
                }
            }
            LossWeights::Sigmoid(of_outputs) => {
                for (output, (logit, weights)) in logits.iter_mut().zip(of_outputs).enumerate() {
                    let has_label = match self.task {
                        Task::Binary(_) => classes == [1],
                        _ => self.targets.has(row, output as u32),
                    };
                    let label = f64::from(u8::from(has_label));
                    let error = label - 1.0 / (1.0 + (-*logit).exp());
                    *logit = weights[usize::from(has_label)] * error;
                }
            }
        }
    }
}

/// Fails if a number is not finite. `rate`: the rate that led there.
pub(crate) fn check_finite<'a>(
    quantity: &'static str,
    numbers: impl IntoIterator<Item = &'a f32>,
    rate: f64,
) -> Result<()> {
    match numbers.into_iter().find(|x| !x.is_finite()) {
        Some(&value) => Err(Error::LinearPath { quantity, value, rate }),
        None => Ok(()),
    }
}

/// The sums of a text's values times the weights of each output, `[O]`.
fn add_products(weights: &[f32], (ngrams, values): &Ngrams, sums: &mut [f32]) {
    let n_outputs = sums.len();
    sums.fill(0.0);
    for (&ngram, value) in ngrams.iter().zip(values) {
        let of_ngram = &weights[ngram as usize * n_outputs..][..n_outputs];
        sums.iter_mut().zip(of_ngram).for_each(|(sum, weight)| *sum += weight * value);
    }
}

/// For each output ln of the texts with its label to those without, or of a softmax's class to all; weighted, as
/// if each class had one more text.
fn log_odds(
    weights: &LossWeights,
    task: &Task,
    targets: &Targets,
    rows: Option<&[f32]>,
) -> Vec<f64> {
    let of_row = |row: usize| rows.map_or(1.0, |rows| f64::from(rows[row]));
    let mut counts = vec![0.0; task.classes().len()];
    for row in 0..targets.len() {
        targets.of_row(row).iter().for_each(|&class| counts[class as usize] += of_row(row));
    }
    let n_texts: f64 = (0..targets.len()).map(of_row).sum();
    match weights {
        LossWeights::Softmax(of_classes) => {
            let weighted: Vec<f64> =
                counts.iter().zip(of_classes).map(|(n, weight)| weight * n + 1.0).collect();
            let sum: f64 = weighted.iter().sum();
            weighted.into_iter().map(|n| (n / sum).ln()).collect()
        }
        LossWeights::Sigmoid(of_outputs) => {
            let having = match task {
                Task::Binary(_) => &counts[1..],
                _ => &counts[..],
            };
            let odds = |(n, [without, with]): (&f64, &[f64; 2])| {
                ((with * n + 1.0) / (without * (n_texts - n) + 1.0)).ln()
            };
            having.iter().zip(of_outputs).map(odds).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use dataset::EncodedSplit;
    use model::{NgramChoice, TaskKind};
    use recurrent::SeededRng;

    use super::*;
    use crate::class_weights::ClassWeights;

    const RATE: f64 = 10.0;

    fn fit<'a>(
        vocabulary: &'a NgramVocabulary,
        texts: &EncodedSplit,
        task: &Task,
        training: &TrainingConfig,
        rate: f64,
    ) -> Result<LinearModel<'a>> {
        let features = Features::of(vocabulary, texts);
        LinearModel::fit(vocabulary, (&features, texts), task, training, (rate, None))
    }

    fn training(class_weights: ClassWeights) -> TrainingConfig {
        TrainingConfig { seed: 1, class_weights, ..TrainingConfig::default() }
    }

    fn vocabulary(split: &EncodedSplit, n_classes: usize, order: usize) -> NgramVocabulary {
        let classes = crate::job::text_classes(targets_of(split).unwrap());
        let choice = NgramChoice { order, min_texts: 2, max_ngrams: None };
        NgramVocabulary::learn(&rows_of(split), classes, n_classes, choice)
    }

    /// Six words of twenty with one of these pairs somewhere; the label is the pair's number.
    fn texts_with_pairs(pairs: &[[u32; 2]], n: usize) -> (Vec<Vec<u32>>, Vec<u32>) {
        let mut rng = SeededRng::new(3);
        let of_text = |i: usize| {
            let mut text: Vec<u32> = (0..6).map(|_| 9 + rng.below(20) as u32).collect();
            let at = rng.below(5);
            let label = i % pairs.len();
            text[at..at + 2].copy_from_slice(&pairs[label]);
            (text, label as u32)
        };
        (0..n).map(of_text).unzip()
    }

    fn split(texts: &[Vec<u32>], labels: &[u32]) -> EncodedSplit {
        EncodedSplit::with_targets(texts, Targets::OneOf(labels.to_vec())).unwrap()
    }

    #[test]
    fn word_order_is_learned() -> Result<()> {
        let (texts, labels) = texts_with_pairs(&[[8, 7], [7, 8]], 400);
        let train = split(&texts[..300], &labels[..300]);
        let rest = split(&texts[300..], &labels[300..]);
        let vocabulary = vocabulary(&train, 2, 2);
        let training = training(ClassWeights::None);
        let model = fit(&vocabulary, &train, &Task::binary(), &training, RATE)?;
        let right = model
            .logits(&rest)
            .into_iter()
            .zip(&labels[300..])
            .filter(|(logit, label)| (*logit > 0.0) == (**label == 1));
        assert!(right.count() >= 98);
        let again = fit(&vocabulary, &train, &Task::binary(), &training, RATE)?;
        assert_eq!((model.weights, model.intercepts), (again.weights, again.intercepts));
        Ok(())
    }

    #[test]
    fn word_order_is_learned_for_several_classes_and_labels() -> Result<()> {
        let (texts, labels) = texts_with_pairs(&[[8, 7], [7, 8], [7, 7], [8, 8]], 1_000);
        let one_of = Task::new(TaskKind::OneOf, ["a", "b", "c", "d"])?;
        let any_of = Task::new(TaskKind::AnyOf, ["a", "b", "c", "d"])?;
        let several = |labels: &[u32]| Targets::AnyOf {
            starts: (0..=labels.len()).collect(),
            classes: labels.to_vec(),
        };
        for task in [one_of, any_of] {
            let targets = |labels: &[u32]| match task {
                Task::AnyOf(_) => several(labels),
                _ => Targets::OneOf(labels.to_vec()),
            };
            let train = EncodedSplit::with_targets(&texts[..800], targets(&labels[..800]))?;
            let rest = EncodedSplit::with_targets(&texts[800..], targets(&labels[800..]))?;
            let vocabulary = vocabulary(&train, 4, 2);
            let model = fit(&vocabulary, &train, &task, &training(ClassWeights::None), RATE)?;
            let logits = model.logits(&rest);
            let right = logits.chunks_exact(4).zip(&labels[800..]).filter(|(logits, label)| {
                let best = (0..4).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
                best == Some(**label as usize)
            });
            let n_right = right.count();
            assert!(n_right >= 190, "{task:?}: {n_right}");
        }
        Ok(())
    }

    /// One text in ten is positive, and nothing in the texts says which: the prediction is that
    /// fraction itself, or one half where the classes are balanced.
    #[test]
    fn texts_that_say_nothing_get_the_share_of_the_classes() -> Result<()> {
        let texts: Vec<Vec<u32>> = (0..2000).map(|i| vec![3 + i % 7, 20 + i % 11]).collect();
        let labels: Vec<u32> = (0..2000).map(|i| u32::from(i % 10 == 3)).collect();
        let train = split(&texts, &labels);
        let vocabulary = vocabulary(&train, 2, 1);
        let unknown = EncodedSplit::unlabelled([[999u32]])?;
        for (weights, expected) in
            [(ClassWeights::None, (0.1f64 / 0.9).ln()), (ClassWeights::Balanced, 0.0)]
        {
            let training = training(weights);
            let model = fit(&vocabulary, &train, &Task::binary(), &training, 1.0)?;
            let logit = f64::from(model.logits(&unknown)[0]);
            assert!((logit - expected).abs() < 0.15, "{training:?}: {logit}, not {expected}");
        }
        Ok(())
    }

    #[test]
    fn a_text_that_weighs_more_counts_more() -> Result<()> {
        // The same word with both labels: the weights decide.
        let texts = vec![vec![7u32]; 200];
        let labels: Vec<u32> = (0..200).map(|i| i % 2).collect();
        let plain = split(&texts, &labels);
        let vocabulary = vocabulary(
            &split(
                &[texts.clone(), vec![vec![9]; 2]].concat(),
                &[labels.clone(), vec![1, 1]].concat(),
            ),
            2,
            1,
        );
        let logit = |weights: Vec<f32>| -> Result<f32> {
            let train = plain.clone().with_weights(weights)?;
            let model =
                fit(&vocabulary, &train, &Task::binary(), &training(ClassWeights::None), RATE)?;
            Ok(model.logits(&EncodedSplit::unlabelled([[7u32]])?)[0])
        };
        let for_positive = logit((0..200).map(|i| [0.2, 1.8][i % 2]).collect())?;
        let for_negative = logit((0..200).map(|i| [1.8, 0.2][i % 2]).collect())?;
        assert!(for_positive > 1.0 && for_negative < -1.0, "{for_positive} {for_negative}");
        Ok(())
    }
}
