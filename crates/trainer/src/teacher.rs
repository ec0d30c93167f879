//! A linear model as the network's teacher (distillation, Hinton et al. 2015, [Distilling the knowledge in a neural
//! network](https://arxiv.org/abs/1503.02531)): its probabilities become a share of the network's targets.
//!
//! About its own training texts it would say little more than their labels. So the texts are divided into folds, and
//! those of each fold are taught by a model of the others. The teacher does not know the weights of classes: they are in
//! the network's loss.

use dataset::{EncodedSplit, epoch_order};
use model::{NgramChoice, NgramVocabulary, Task, Vocabularies};

use crate::calibration::{self, Intercept};
use crate::class_weights::{ClassWeights, Weighting};
use crate::config::TrainingConfig;
use crate::error::Result;
use crate::evaluate::targets_of;
use crate::job::{max_ngrams, rows_of, text_classes};
use crate::linear_model::{Features, LinearModel};
use crate::linear_search::fit_best;
use crate::prepare::Prepared;
use crate::softmax_calibration;

/// Parts into which the texts are divided, each with a model of the others.
pub(crate) const N_FOLDS: usize = 5;
/// The longest n-grams that the teacher knows.
const ORDER: usize = 3;
/// Most logits by which the teacher is calibrated.
const MAX_CALIBRATED: usize = 1_000_000;
/// Keeps the folds apart from other random numbers.
const SEED: u64 = 0x7465_6163_6865_7221;

/// What a teacher says of all training texts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Teacher {
    /// Its share of the targets.
    share: f32,
    /// `[N·O]`: of each text the probability of each output.
    probabilities: Vec<f32>,
}

/// What a teacher says of the texts of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taught<'a> {
    /// Its share of the targets.
    pub(crate) share: f32,
    /// `[B·O]`.
    pub(crate) probabilities: &'a [f32],
}

impl Taught<'_> {
    /// The target of an output, numbered through all texts, of which `label` is the label's.
    pub(crate) fn target(&self, output: usize, label: f32) -> f32 {
        label + self.share * (self.probabilities[output] - label)
    }
}

impl Teacher {
    /// Asks models of the other folds about each of the texts; `None` if it is to stop.
    ///
    /// `rate`: that of the linear models. `is_stopped` is asked before each of them.
    ///
    /// # Errors
    /// As [`LinearModel::fit`]; [`Error::Model`](crate::Error::Model) if no n-gram occurs in enough texts.
    pub(crate) fn ask(
        texts: &EncodedSplit,
        task: &Task,
        (training, rate): (&TrainingConfig, f64),
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Option<Self>> {
        let training = TrainingConfig { class_weights: ClassWeights::None, ..training.clone() };
        let mut order = epoch_order(texts.len(), training.seed ^ SEED, 0);
        // Class by class, so that each is spread evenly over the folds.
        let targets = targets_of(texts)?;
        order.sort_by_key(|&row| targets.of_row(row).first());
        let of_fold = |fold: usize| -> Result<(Vec<u32>, Vec<f32>)> {
            let (taught, others): (Vec<_>, Vec<_>) =
                order.iter().enumerate().partition(|(at, _)| at % N_FOLDS == fold);
            let rows = |some: Vec<(usize, &usize)>| -> Vec<u32> {
                some.into_iter().map(|(_, &row)| row as u32).collect()
            };
            let (taught, others) = (rows(taught), texts.select(&rows(others)));
            let vocabulary = vocabulary(&others, task, &training)?;
            let features = Features::of(&vocabulary, &others);
            let model =
                LinearModel::fit(&vocabulary, (&features, &others), task, &training, (rate, None))?;
            let logits = model.logits(&texts.select(&taught));
            Ok((taught, logits))
        };
        let n_outputs = task.n_outputs();
        let mut logits = vec![0.0; texts.len() * n_outputs];
        // One after the other, as the n-grams of all texts are large.
        for fold in 0..N_FOLDS {
            if is_stopped() {
                return Ok(None);
            }
            let (rows, of_fold) = of_fold(fold)?;
            for (&row, of_text) in rows.iter().zip(of_fold.chunks_exact(n_outputs)) {
                logits[row as usize * n_outputs..][..n_outputs].copy_from_slice(of_text);
            }
        }
        let probabilities = calibrated(logits, texts, task)?;
        Ok(Some(Self::of(probabilities, &training)))
    }

    /// One of the probabilities that [`probabilities`](Self::probabilities) gave.
    pub(crate) fn of(probabilities: Vec<f32>, training: &TrainingConfig) -> Self {
        Self { share: training.distillation as f32, probabilities }
    }

    /// `[N·O]`.
    pub(crate) fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// What it says of some texts, `[B·O]`.
    pub(crate) fn of_rows(&self, rows: &[u32], n_outputs: usize) -> Vec<f32> {
        let of_row = |&row: &u32| &self.probabilities[row as usize * n_outputs..][..n_outputs];
        rows.iter().flat_map(of_row).copied().collect()
    }

    /// Its share of the targets.
    pub(crate) fn share(&self) -> f32 {
        self.share
    }
}

/// The rate for the linear models: the one that fits the validation texts best.
///
/// # Errors
/// As [`fit_best`].
pub(crate) fn rate(data: &Prepared, training: &TrainingConfig) -> Result<f64> {
    let training = TrainingConfig { class_weights: ClassWeights::None, ..training.clone() };
    let vocabulary = vocabulary(&data.train, &data.task, &training)?;
    let equal = ClassWeights::None.of(&data.task, targets_of(&data.train)?)?;
    let rows = data.validation.weights();
    let weighting = Weighting { classes: &equal, trained: &equal, rows };
    Ok(fit_best(&vocabulary, data, &training, weighting, None)?.rate)
}

fn vocabulary(
    texts: &EncodedSplit,
    task: &Task,
    training: &TrainingConfig,
) -> Result<NgramVocabulary> {
    let choice = NgramChoice {
        order: ORDER,
        min_texts: training.ngram_min_texts,
        max_ngrams: Some(max_ngrams(task)),
    };
    let (classes, n_classes) = (text_classes(targets_of(texts)?), task.classes().len());
    let learned = Vocabularies::learn(0, &rows_of(texts), classes, n_classes, choice)?;
    // There are some, or it would have failed.
    learned.ngrams.ok_or_else(|| model::Error::LacksNgrams { order: ORDER }.into())
}

/// The probabilities of each output, `[N·O]`, by a scale and intercepts that fit the texts' labels: no model has seen
/// them. Without intercepts, a teacher that knows nothing would say one half, and not how frequent a label is.
fn calibrated(mut logits: Vec<f32>, texts: &EncodedSplit, task: &Task) -> Result<Vec<f32>> {
    let n_outputs = task.n_outputs();
    // More would change nothing but the time.
    let step = logits.len().div_ceil(MAX_CALIBRATED).max(1);
    let some: Vec<u32> = (0..texts.len() as u32).step_by(step).collect();
    let targets = targets_of(texts)?.select(&some);
    let rows: Option<Vec<f32>> =
        texts.weights().map(|all| some.iter().map(|&row| all[row as usize]).collect());
    let row_weights = rows.as_deref();
    let of_row = |&row: &u32| &logits[row as usize * n_outputs..][..n_outputs];
    let of_some: Vec<f32> = some.iter().flat_map(of_row).copied().collect();
    // A scale and an intercept for each output; where a fit fails, the logits stay as they are.
    let mut scales = vec![(1.0, 0.0); n_outputs];
    if let (Task::OneOf(_), Some(labels)) = (task, targets.one_of()) {
        let class_weights = &*vec![1.0; n_outputs];
        let sample = softmax_calibration::Sample { labels, class_weights, row_weights };
        if let Some(fit) = softmax_calibration::fit(&[&of_some], sample, true) {
            for (output, scale) in scales.iter_mut().enumerate() {
                *scale = (fit.scales[0], fit.intercepts.get(output).copied().unwrap_or(0.0));
            }
        }
    } else {
        for (output, scale) in scales.iter_mut().enumerate() {
            let of_output: Vec<f32> =
                of_some.iter().skip(output).step_by(n_outputs).copied().collect();
            let has_label = |text| match task {
                Task::Binary(_) => u32::from(targets.has(text, 1)),
                _ => u32::from(targets.has(text, output as u32)),
            };
            let labels: Vec<u32> = (0..targets.len()).map(has_label).collect();
            let sample = calibration::Sample { row_weights, ..calibration::Sample::of(&labels) };
            if let Some(fit) = calibration::fit(&[&of_output], sample, Intercept::Fitted) {
                *scale = (fit.scales[0], fit.intercept);
            }
        }
    }
    for of_text in logits.chunks_exact_mut(n_outputs) {
        for (logit, (scale, intercept)) in of_text.iter_mut().zip(&scales) {
            *logit = (f64::from(*logit) * scale + intercept) as f32;
        }
        let of_classes = task.probabilities(of_text);
        // Of two classes, the network's output is that of the second.
        of_text.copy_from_slice(&of_classes[of_classes.len() - n_outputs..]);
    }
    Ok(logits)
}

#[cfg(test)]
mod tests {
    use dataset::Targets;
    use model::TaskKind;
    use recurrent::SeededRng;

    use super::*;

    const RATE: f64 = 8.0;

    /// Texts of six words of 40; `label` is told the first word and a random number below 3.
    fn texts(n: usize, label: impl Fn(usize, usize) -> u32) -> EncodedSplit {
        let mut rng = SeededRng::new(5);
        let (mut texts, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..n {
            let text: Vec<u32> = (0..6).map(|_| 3 + rng.below(40) as u32).collect();
            labels.push(label(text[0] as usize, rng.below(3)));
            texts.push(text);
        }
        EncodedSplit::with_targets(&texts, Targets::OneOf(labels)).unwrap()
    }

    fn ask(texts: &EncodedSplit, task: &Task) -> Teacher {
        let training = TrainingConfig { distillation: 0.5, ..TrainingConfig::default() };
        Teacher::ask(texts, task, (&training, RATE), &|| false).unwrap().unwrap()
    }

    /// A model that had seen the texts would know most of these labels.
    #[test]
    fn the_teacher_has_not_seen_the_texts() {
        let texts = texts(600, |_, random| u32::from(random == 0));
        let teacher = ask(&texts, &Task::binary());
        let labels = texts.targets().unwrap().one_of().unwrap();
        let (mut with, mut without) = ((0.0, 0.0), (0.0, 0.0));
        for (&p, &label) in teacher.probabilities().iter().zip(labels) {
            let (sum, n) = if label == 1 { &mut with } else { &mut without };
            (*sum, *n) = (*sum + f64::from(p), *n + 1.0);
        }
        let gap = with.0 / with.1 - without.0 / without.1;
        assert!(gap.abs() < 0.06, "{gap}");
        // One text in three has the label, and the calibrated teacher says so.
        let mean = (with.0 + without.0) / 600.0;
        assert!((mean - 1.0 / 3.0).abs() < 0.1, "{mean}");
    }

    #[test]
    fn what_can_be_learned_is_taught_for_every_task_and_again_the_same() {
        let three = ["a", "b", "c"];
        for kind in [TaskKind::OneOf, TaskKind::AnyOf] {
            let task = Task::new(kind, three).unwrap();
            let one = texts(900, |first, _| (first % 3) as u32);
            let texts = match kind {
                TaskKind::AnyOf => {
                    let labels = one.targets().unwrap().one_of().unwrap();
                    let targets = Targets::any_of(labels.iter().map(|&label| [label]));
                    let rows = (0..one.len()).map(|row| one.row(row));
                    EncodedSplit::with_targets(rows, targets).unwrap()
                }
                _ => one.clone(),
            };
            let teacher = ask(&texts, &task);
            let labels = one.targets().unwrap().one_of().unwrap();
            let probabilities = teacher.probabilities().chunks_exact(3);
            let n_right = probabilities
                .zip(labels)
                .filter(|(of_text, label)| {
                    let best = (0..3).max_by(|&a, &b| of_text[a].total_cmp(&of_text[b]));
                    best == Some(**label as usize)
                })
                .count();
            // Words stand anywhere, so the first is known only with luck: one in three would be chance.
            assert!(n_right > 360, "{kind:?}: {n_right}");
            assert_eq!(ask(&texts, &task), teacher);
            let some = teacher.of_rows(&[7, 2], 3);
            assert_eq!(some[..3], teacher.probabilities()[21..24]);
            assert_eq!(some[3..], teacher.probabilities()[6..9]);
        }
    }
}
