//! A linear model as the network's teacher (distillation, Hinton et al. 2015, [Distilling the knowledge in a neural
//! network](https://arxiv.org/abs/1503.02531)): its probabilities become a share of the network's targets.
//!
//! About its own training texts it would say little more than their labels. So the texts are divided into folds, and
//! those of each fold, with their windows, are taught by a model of the others. Of a window's few words, sums of log-count
//! ratios tell more than the model, so of two classes they have a say there. The teacher does not know the weights of
//! classes: they are in the network's loss.

use dataset::{EncodedSplit, epoch_order};
use model::{LengthScale, NgramChoice, NgramVocabulary, Task, Vocabularies, length_position};

use crate::calibration::{self, Intercept};
use crate::class_weights::{ClassWeights, Weighting};
use crate::config::TrainingConfig;
use crate::error::{Error, Result};
use crate::evaluate::targets_of;
use crate::job::{max_ngrams, rows_of, text_classes};
use crate::lessons::Lessons;
use crate::linear_model::{Features, LinearModel};
use crate::linear_search::fit_best;
use crate::prepare::Prepared;
use crate::softmax_calibration;

/// Parts into which the texts are divided, each with a model of the others.
pub(crate) const N_FOLDS: usize = 5;
/// The teacher's share of a window's targets; the rest is the label of the whole text.
const SHARE_OF_WINDOWS: f32 = 0.5;
/// The longest n-grams that the teacher knows.
const ORDER: usize = 3;
/// Most logits by which the teacher is calibrated.
const MAX_CALIBRATED: usize = 1_000_000;
/// Keeps the folds apart from other random numbers.
const SEED: u64 = 0x7465_6163_6865_7221;

/// What a teacher says of all training texts and windows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Teacher {
    n_texts: usize,
    /// Its shares of the targets of texts and of windows.
    shares: [f32; 2],
    /// `[(N+W)·O]`: of each text, then of each window, the probability of each output; 0 where its share is.
    probabilities: Vec<f32>,
}

/// What a teacher says of the texts of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Taught {
    /// `[B]`: the teacher's share of the targets of each text.
    pub(crate) shares: Vec<f32>,
    /// `[B·O]`.
    pub(crate) probabilities: Vec<f32>,
}

impl Taught {
    /// The target of a text's output, numbered through all texts, of which `label` is the label's.
    pub(crate) fn target(&self, text: usize, output: usize, label: f32) -> f32 {
        label + self.shares[text] * (self.probabilities[output] - label)
    }
}

/// Whether a network has a teacher.
pub(crate) fn is_wanted(training: &TrainingConfig) -> bool {
    training.distillation > 0.0 || training.windows > 0
}

impl Teacher {
    /// Asks models of the other folds about each of the texts and windows; `None` if it is to stop.
    ///
    /// `rate`: that of the linear models. `is_stopped` is asked before each of them.
    ///
    /// # Errors
    /// As [`LinearModel::fit`].
    pub(crate) fn ask(
        lessons: &Lessons,
        task: &Task,
        (training, rate): (&TrainingConfig, f64),
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Option<Self>> {
        let training = TrainingConfig { class_weights: ClassWeights::None, ..training.clone() };
        let (rows, n_outputs) = (lessons.rows(), task.n_outputs());
        let n_rows = rows.len() as u32;
        let mut teacher = Self::of(vec![0.0; rows.len() * n_outputs], lessons, &training);
        let (windows, texts): (Vec<u32>, Vec<u32>) =
            (0..n_rows).partition(|&row| lessons.is_window(row));
        let (folds, with_ratios) =
            (folds(lessons, training.seed)?, matches!(task, Task::Binary(_)));
        let asked = [texts, windows].map(|kind| match kind.first() {
            Some(&first) if teacher.share_of(first) > 0.0 => kind,
            _ => Vec::new(),
        });
        let mut said = Said::nothing(rows.len(), n_outputs, with_ratios && !asked[1].is_empty());
        // One after the other, as the n-grams of all texts are large.
        for fold in 0..N_FOLDS {
            if is_stopped() {
                return Ok(None);
            }
            let fold_of = |row: u32| folds[lessons.text_of(row) as usize];
            let others: Vec<u32> =
                (0..lessons.n_texts() as u32).filter(|&text| fold_of(text) != fold).collect();
            let of_fold: Vec<u32> =
                asked.iter().flatten().copied().filter(|&row| fold_of(row) == fold).collect();
            said.by_model_of(&rows.select(&others), (rows, &of_fold), task, (&training, rate))?;
        }
        for (kind, is_of_windows) in asked.iter().zip([false, true]) {
            if kind.is_empty() {
                continue;
            }
            let some = rows.select(kind);
            let columns = said.columns(kind, &some, is_of_windows);
            let of_kind = calibrated(&columns, &some, task)?;
            for (&row, of_row) in kind.iter().zip(of_kind.chunks_exact(n_outputs)) {
                teacher.probabilities[row as usize * n_outputs..][..n_outputs]
                    .copy_from_slice(of_row);
            }
        }
        Ok(Some(teacher))
    }

    /// One of the probabilities that [`probabilities`](Self::probabilities) gave.
    pub(crate) fn of(
        probabilities: Vec<f32>,
        lessons: &Lessons,
        training: &TrainingConfig,
    ) -> Self {
        let shares = [training.distillation as f32, SHARE_OF_WINDOWS];
        Self { n_texts: lessons.n_texts(), shares, probabilities }
    }

    /// `[(N+W)·O]`.
    pub(crate) fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// What it says of some texts and windows.
    pub(crate) fn of_rows(&self, rows: &[u32], n_outputs: usize) -> Taught {
        let of_row = |&row: &u32| &self.probabilities[row as usize * n_outputs..][..n_outputs];
        Taught {
            shares: rows.iter().map(|&row| self.share_of(row)).collect(),
            probabilities: rows.iter().flat_map(of_row).copied().collect(),
        }
    }

    /// Its share of the targets of a text or window.
    fn share_of(&self, row: u32) -> f32 {
        self.shares[usize::from(row as usize >= self.n_texts)]
    }
}

/// The fold of each text, class by class, so that each is spread evenly over the folds.
fn folds(lessons: &Lessons, seed: u64) -> Result<Vec<usize>> {
    let targets = targets_of(lessons.rows())?;
    let mut order = epoch_order(lessons.n_texts(), seed ^ SEED, 0);
    order.sort_by_key(|&text| targets.of_row(text).first());
    let mut folds = vec![0; lessons.n_texts()];
    for (at, &text) in order.iter().enumerate() {
        folds[text] = at % N_FOLDS;
    }
    Ok(folds)
}

/// What models say of texts and windows that they have not seen.
struct Said {
    n_outputs: usize,
    /// `[(N+W)·O]`.
    logits: Vec<f32>,
    /// `[N+W]`: sums of log-count ratios, if they have a say.
    ratios: Option<Vec<f32>>,
}

impl Said {
    fn nothing(n_rows: usize, n_outputs: usize, with_ratios: bool) -> Self {
        let ratios = with_ratios.then(|| vec![0.0; n_rows]);
        Self { n_outputs, logits: vec![0.0; n_rows * n_outputs], ratios }
    }

    /// What a model of some texts says of some rows.
    fn by_model_of(
        &mut self,
        texts: &EncodedSplit,
        (rows, asked): (&EncodedSplit, &[u32]),
        task: &Task,
        (training, rate): (&TrainingConfig, f64),
    ) -> Result<()> {
        let mut vocabulary = match vocabulary(texts, task, training) {
            // It knows nothing, and says how frequent a label is.
            Err(Error::Model(model::Error::NoNgrams { .. })) => return Ok(()),
            learned => learned?,
        };
        if let (Some(_), Some(labels)) = (&self.ratios, targets_of(texts)?.one_of()) {
            vocabulary = vocabulary.with_ratios(&rows_of(texts), labels);
        }
        let features = Features::of(&vocabulary, texts);
        let model =
            LinearModel::fit(&vocabulary, (&features, texts), task, training, (rate, None))?;
        let (asked_rows, n_outputs) = (rows.select(asked), self.n_outputs);
        let logits = model.logits(&asked_rows);
        for (&row, of_row) in asked.iter().zip(logits.chunks_exact(n_outputs)) {
            self.logits[row as usize * n_outputs..][..n_outputs].copy_from_slice(of_row);
        }
        if let Some(ratios) = &mut self.ratios {
            for (i, &row) in asked.iter().enumerate() {
                ratios[row as usize] = vocabulary.ratio(asked_rows.row(i));
            }
        }
        Ok(())
    }

    /// What the calibration of some rows is on, `[R·O]` each: the logits of texts; the logits and ratios of windows, by
    /// length, as those of a few words say less.
    fn columns(&self, asked: &[u32], rows: &EncodedSplit, are_windows: bool) -> Vec<Vec<f32>> {
        let n_outputs = self.n_outputs;
        let logits = |&row: &u32| &self.logits[row as usize * n_outputs..][..n_outputs];
        let logits: Vec<f32> = asked.iter().flat_map(logits).copied().collect();
        if !are_windows {
            return vec![logits];
        }
        let ratios = self.ratios.as_ref();
        let ratios = ratios.map(|all| asked.iter().map(|&row| all[row as usize]).collect());
        let shares: Vec<[f64; 3]> = (0..rows.len())
            .map(|row| LengthScale::shares(length_position(rows.row(row).len())))
            .collect();
        let by_length = |path: &Vec<f32>| {
            // No window is long.
            [0, 1].map(|scale| {
                let scaled = |(i, x): (usize, &f32)| x * shares[i / n_outputs][scale] as f32;
                path.iter().enumerate().map(scaled).collect()
            })
        };
        [Some(logits), ratios].iter().flatten().flat_map(by_length).collect()
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
        max_ngrams: Some(max_ngrams(task, training)),
    };
    let (classes, n_classes) = (text_classes(targets_of(texts)?), task.classes().len());
    let learned = Vocabularies::learn(0, &rows_of(texts), classes, n_classes, choice)?;
    // There are some, or it would have failed.
    learned.ngrams.ok_or_else(|| model::Error::LacksNgrams { order: ORDER }.into())
}

/// The probabilities of each output, `[R·O]`, by scales of the columns and intercepts that fit the texts' labels: no model
/// has seen them. Without intercepts, a teacher that knows nothing would say one half, and not how frequent a label is.
fn calibrated(columns: &[Vec<f32>], texts: &EncodedSplit, task: &Task) -> Result<Vec<f32>> {
    let n_outputs = task.n_outputs();
    let n_logits = texts.len() * n_outputs;
    // More would change nothing but the time.
    let step = n_logits.div_ceil(MAX_CALIBRATED).max(1);
    let some: Vec<u32> = (0..texts.len() as u32).step_by(step).collect();
    let targets = targets_of(texts)?.select(&some);
    let rows: Option<Vec<f32>> =
        texts.weights().map(|all| some.iter().map(|&row| all[row as usize]).collect());
    let row_weights = rows.as_deref();
    let of_some = |column: &Vec<f32>| -> Vec<f32> {
        let of_row = |&row: &u32| &column[row as usize * n_outputs..][..n_outputs];
        some.iter().flat_map(of_row).copied().collect()
    };
    let of_some: Vec<Vec<f32>> = columns.iter().map(of_some).collect();
    // Scales and an intercept for each output; where a fit fails, the columns are added as they are.
    let mut scales = vec![(vec![1.0; columns.len()], 0.0); n_outputs];
    if let (Task::OneOf(_), Some(labels)) = (task, targets.one_of()) {
        let class_weights = &*vec![1.0; n_outputs];
        let sample = softmax_calibration::Sample { labels, class_weights, row_weights };
        let paths: Vec<&[f32]> = of_some.iter().map(Vec::as_slice).collect();
        if let Some(fit) = softmax_calibration::fit(&paths, sample, true) {
            for (output, scale) in scales.iter_mut().enumerate() {
                let intercept = fit.intercepts.get(output).copied().unwrap_or(0.0);
                *scale = (fit.scales.clone(), intercept);
            }
        }
    } else {
        for (output, scale) in scales.iter_mut().enumerate() {
            let of_output = |column: &Vec<f32>| -> Vec<f32> {
                column.iter().skip(output).step_by(n_outputs).copied().collect()
            };
            let of_output: Vec<Vec<f32>> = of_some.iter().map(of_output).collect();
            let has_label = |text| match task {
                Task::Binary(_) => u32::from(targets.has(text, 1)),
                _ => u32::from(targets.has(text, output as u32)),
            };
            let labels: Vec<u32> = (0..targets.len()).map(has_label).collect();
            let sample = calibration::Sample { row_weights, ..calibration::Sample::of(&labels) };
            let paths: Vec<&[f32]> = of_output.iter().map(Vec::as_slice).collect();
            if let Some(fit) = calibration::fit(&paths, sample, Intercept::Fitted) {
                *scale = (fit.scales, fit.intercept);
            }
        }
    }
    let combined = |i: usize| {
        let (scales, intercept) = &scales[i % n_outputs];
        let scaled = scales.iter().zip(columns).map(|(scale, column)| scale * f64::from(column[i]));
        (scaled.sum::<f64>() + intercept) as f32
    };
    let mut probabilities: Vec<f32> = (0..n_logits).map(combined).collect();
    for of_text in probabilities.chunks_exact_mut(n_outputs) {
        let of_classes = task.probabilities(of_text);
        // Of two classes, the network's output is that of the second.
        of_text.copy_from_slice(&of_classes[of_classes.len() - n_outputs..]);
    }
    Ok(probabilities)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
        let lessons = Lessons::new(&Arc::new(texts.clone()), 0, 0).unwrap();
        Teacher::ask(&lessons, task, (&training, RATE), &|| false).unwrap().unwrap()
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
            assert_eq!(some.shares, [0.5; 2]);
            assert_eq!(some.probabilities[..3], teacher.probabilities()[21..24]);
            assert_eq!(some.probabilities[3..], teacher.probabilities()[6..9]);
        }
    }

    #[test]
    fn of_texts_without_common_words_the_teacher_knows_how_frequent_labels_are() -> Result<()> {
        let texts: Vec<Vec<u32>> =
            (0..40).map(|i| (0..20).map(|at| 3 + 20 * i + at).collect()).collect();
        let labels = (0..40).map(|i| u32::from(i % 4 == 0)).collect();
        let split = EncodedSplit::with_targets(&texts, Targets::OneOf(labels))?;
        let lessons = Lessons::new(&Arc::new(split), 1, 0)?;
        let training = TrainingConfig { windows: 1, ..TrainingConfig::default() };
        let said = Teacher::ask(&lessons, &Task::binary(), (&training, RATE), &|| false)?.unwrap();
        let of_windows = &said.probabilities()[40..];
        assert!(of_windows.iter().all(|&p| (p - 0.25).abs() < 0.05), "{of_windows:?}");
        Ok(())
    }

    /// Texts of 40 words in two halves, of which one, first or second, is about the label: a window of the other half is
    /// unlike it, and only the teacher says so.
    #[test]
    fn windows_are_taught_what_their_own_words_say() -> Result<()> {
        let mut rng = SeededRng::new(6);
        let (mut texts, mut labels) = (Vec::new(), Vec::new());
        for i in 0..800u32 {
            let label = i % 2;
            let telling: Vec<u32> =
                (0..20).map(|_| 100 * (1 + label) + rng.below(30) as u32).collect();
            let other: Vec<u32> = (0..20).map(|_| 3 + rng.below(30) as u32).collect();
            let halves = if rng.below(2) == 0 { [telling, other] } else { [other, telling] };
            texts.push(halves.concat());
            labels.push(label);
        }
        for task in [Task::binary(), Task::new(TaskKind::OneOf, ["a", "b"])?] {
            let split = EncodedSplit::with_targets(&texts, Targets::OneOf(labels.clone()))?;
            let lessons = Lessons::new(&Arc::new(split), 2, 0)?;
            let (rows, n_outputs) = (lessons.rows(), task.n_outputs());
            assert_eq!(rows.len(), 3 * 800);
            let training = TrainingConfig { windows: 2, ..TrainingConfig::default() };
            let teacher = Teacher::ask(&lessons, &task, (&training, RATE), &|| false)?.unwrap();
            let again = Teacher::ask(&lessons, &task, (&training, RATE), &|| false)?.unwrap();
            assert_eq!(teacher, again);
            let said = teacher.of_rows(&[799, 800], n_outputs);
            assert_eq!(said.shares, [0.0, 0.5]);
            // Of texts themselves, nothing is asked.
            assert!(teacher.probabilities()[..800 * n_outputs].iter().all(|&p| p == 0.0));
            let (mut n_telling, mut n_other, mut decided) = (0, 0, 0.0);
            for row in 800..rows.len() {
                let ids = rows.row(row);
                let of_second = teacher.probabilities()[(row + 1) * n_outputs - 1];
                if ids.iter().all(|&id| id < 100) {
                    n_other += 1;
                    decided += (of_second - 0.5).abs();
                } else if ids.iter().all(|&id| id >= 100) {
                    n_telling += 1;
                    assert_eq!(of_second > 0.9, ids[0] >= 200, "{of_second} of {ids:?}");
                }
            }
            assert!(n_telling > 100 && n_other > 100);
            let decided = decided / n_other as f32;
            assert!(decided < 0.15, "{decided}");
        }
        Ok(())
    }
}
