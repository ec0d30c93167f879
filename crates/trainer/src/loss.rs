//! Cross-entropies from logits: the loss of each task, with label smoothing and weights.

use candle_core::Tensor;
use candle_nn::ops::{sigmoid, softmax_last_dim};
use dataset::Targets;
use model::{Task, TaskKind};
use recurrent::OutOfRange;

use crate::class_weights::{ClassWeights, LossWeights};
use crate::error::{Error, Result};
use crate::teacher::Taught;

/// The loss of a task: binary cross-entropy of one output, softmax cross-entropy of one for each class, or
/// the mean binary cross-entropy of all outputs.
///
/// Loss and gradient are finite at any finite logit.
#[derive(Debug, Clone)]
pub struct Objective {
    task: TaskKind,
    n_outputs: usize,
    label_smoothing: f64,
    weights: LossWeights,
}

impl Objective {
    /// The loss of a task.
    ///
    /// `label_smoothing`: s from 0 to below 1; `targets`: of the training texts, whose numbers decide about
    /// [auto](ClassWeights::Auto) and [balanced](ClassWeights::Balanced) weights; not needed without weights, or
    /// with weights by name.
    ///
    /// # Errors
    /// [`Error::Config`] if targets are needed but missing; [`Error::UnknownClass`].
    pub fn new(
        task: &Task,
        label_smoothing: f64,
        class_weights: &ClassWeights,
        targets: Option<&Targets>,
    ) -> Result<Self> {
        let no_targets = Targets::OneOf(Vec::new());
        let weights = match (targets, class_weights) {
            (Some(targets), weights) => weights.of(task, targets)?,
            (None, weights @ (ClassWeights::None | ClassWeights::Named(_))) => {
                weights.of(task, &no_targets)?
            }
            (None, weights) => {
                let expected = "none or weights by class: there are no labels to count here";
                let got = weights.to_string();
                return Err(OutOfRange { field: "class_weights", expected, got }.into());
            }
        };
        Ok(Self::weighted(task, label_smoothing, weights))
    }

    fn weighted(task: &Task, label_smoothing: f64, weights: LossWeights) -> Self {
        let (task, n_outputs) = (task.kind(), task.n_outputs());
        Self { task, n_outputs, label_smoothing, weights }
    }

    /// Mean loss of a batch: a scalar.
    ///
    /// `logits`: `[B, O]`; `rows`: `[B]`, weights of the texts, of which the mean over all training texts is
    /// 1; all 1 if absent.
    ///
    /// # Errors
    /// [`Error::NoLabels`] if the targets are of another task; an error of the device.
    pub fn loss(&self, logits: &Tensor, targets: &Targets, rows: Option<&[f32]>) -> Result<Tensor> {
        self.taught_loss(logits, (targets, None), rows)
    }

    /// The same with a teacher's probabilities as a share of the targets.
    pub(crate) fn taught_loss(
        &self,
        logits: &Tensor,
        (targets, taught): (&Targets, Option<&Taught>),
        rows: Option<&[f32]>,
    ) -> Result<Tensor> {
        let of_row = |row: usize| rows.map_or(1.0, |rows| rows[row]);
        match (&self.weights, self.task) {
            (LossWeights::Softmax(classes), TaskKind::OneOf) => {
                let labels = targets.one_of().ok_or(Error::NoLabels)?;
                let weights = self.softmax_weights(classes, (labels, taught), of_row);
                let weights = Tensor::from_vec(weights, logits.dims2()?, logits.device())?;
                softmax_cross_entropy(logits, &weights)
            }
            (LossWeights::Sigmoid(outputs), TaskKind::Binary | TaskKind::AnyOf) => {
                let (both, having) = self.sigmoid_weights(outputs, (targets, taught), of_row);
                let tensor =
                    |values| Tensor::from_vec(values, logits.elem_count(), logits.device());
                binary_cross_entropy(&logits.flatten_all()?, &tensor(both)?, &tensor(having)?)
            }
            _ => Err(Error::NoLabels),
        }
    }

    /// The weight of each class's log-probability, `[B·C]`: label smoothing s turns the target of the labelled
    /// class to 1 - s + s/C, and that of the others to s/C.
    fn softmax_weights(
        &self,
        classes: &[f64],
        (labels, taught): (&[u32], Option<&Taught>),
        of_row: impl Fn(usize) -> f32,
    ) -> Vec<f32> {
        let n_classes = self.n_outputs;
        let spread = self.label_smoothing / n_classes as f64;
        let mut weights = vec![0.0; labels.len() * n_classes];
        for (row, (&label, weights)) in
            labels.iter().zip(weights.chunks_exact_mut(n_classes)).enumerate()
        {
            for (class, weight) in weights.iter_mut().enumerate() {
                let labelled =
                    if class == label as usize { 1.0 - self.label_smoothing } else { 0.0 };
                let mut target = labelled + spread;
                if let Some(taught) = taught {
                    target = f64::from(taught.target(row, row * n_classes + class, target as f32));
                }
                *weight = (target * classes[class]) as f32 * of_row(row);
            }
        }
        weights
    }

    /// For each output of each text, `[B·O]`, the weights of its two terms: with target y and weights n and p
    /// of texts without and with the label, `n (1 - y) + p y` and `p y`.
    fn sigmoid_weights(
        &self,
        outputs: &[[f64; 2]],
        (targets, taught): (&Targets, Option<&Taught>),
        of_row: impl Fn(usize) -> f32,
    ) -> (Vec<f32>, Vec<f32>) {
        let (keep, add) =
            ((1.0 - self.label_smoothing) as f32, (self.label_smoothing / 2.0) as f32);
        let n = targets.len() * self.n_outputs;
        let (mut both, mut having) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for row in 0..targets.len() {
            for (output, [without, with]) in outputs.iter().enumerate() {
                let has_label = match self.task {
                    TaskKind::Binary => targets.of_row(row) == [1],
                    _ => targets.has(row, output as u32),
                };
                let label = f32::from(u8::from(has_label)) * keep + add;
                let number = row * self.n_outputs + output;
                let y = taught.map_or(label, |taught| taught.target(row, number, label));
                let with = y * *with as f32;
                both.push((y * -*without as f32 + *without as f32 + with) * of_row(row));
                having.push(with * of_row(row));
            }
        }
        (both, having)
    }
}

/// Mean of `a softplus(x) - b x` over all elements: binary cross-entropy from logits for a = 1 and b = y, and
/// with weights n and p of the labels 0 and 1 for `a = n (1 - y) + p y` and `b = p y`, the form of
/// [torch.nn.BCEWithLogitsLoss](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html)
/// with n = 1 and `pos_weight` p.
///
/// softplus(x) as `max(x, 0) + ln(1 + e^-|x|)` is finite for every finite logit. Its terms have kinks
/// at 0 that the sum does not have, so the gradient is not derived from them: it is `(a σ(x) - b) / n`.
///
/// `logits`, `both` (a), `having` (b): of one shape.
///
/// # Errors
/// If the shapes do not fit.
fn binary_cross_entropy(logits: &Tensor, both: &Tensor, having: &Tensor) -> Result<Tensor> {
    let fixed = logits.detach();
    let softplus = (fixed.relu()? + (fixed.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    let value = ((both * softplus)? - (&fixed * having)?)?.mean_all()?;
    let slope = ((both * sigmoid(&fixed)?)? - having)?;
    with_slope(logits, &slope, &value)
}

/// Mean over the texts of `-Σ w_c ln p_c`, with p the softmax of the logits: softmax cross-entropy where w is 1
/// for the labelled class and 0 for the others
/// ([torch.nn.CrossEntropyLoss](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html),
/// but divided by the number of texts also where classes are weighted, so that a rare class counts more).
///
/// Finite for every finite logit. The gradient is `(p Σ w - w) / B`.
///
/// `logits`, `weights`: `[B, C]`.
///
/// # Errors
/// If the shapes do not fit.
fn softmax_cross_entropy(logits: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let (n_texts, n_classes) = logits.dims2()?;
    let fixed = logits.detach();
    let shifted = fixed.broadcast_sub(&fixed.max_keepdim(1)?)?;
    let log_sum = shifted.exp()?.sum_keepdim(1)?.log()?;
    let value = (weights * shifted.broadcast_sub(&log_sum)?)?.sum_all()?;
    let value = value.affine(-1.0 / n_texts as f64, 0.0)?;
    let p = softmax_last_dim(&fixed)?;
    let slope = (p.broadcast_mul(&weights.sum_keepdim(1)?)? - weights)?;
    // The line is a mean over the elements.
    with_slope(logits, &(slope * n_classes as f64)?, &value)
}

/// The mean over all elements of a line in the logits with the loss's slope: it has the loss's gradient, and a
/// constant gives it the loss's value.
fn with_slope(logits: &Tensor, slope: &Tensor, value: &Tensor) -> Result<Tensor> {
    let line = (logits * slope)?.mean_all()?;
    Ok((&line + (value - line.detach())?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn loss_and_gradient(
        objective: &Objective,
        logits: &Tensor,
        targets: &Targets,
        rows: Option<&[f32]>,
    ) -> Result<(f32, Vec<f32>)> {
        let x = Var::from_tensor(logits)?;
        let loss = objective.loss(&x, targets, rows)?;
        let gradients = loss.backward()?;
        let gradient = gradients.get(&x).map(|g| g.flatten_all()?.to_vec1()).transpose()?;
        Ok((loss.to_scalar()?, gradient.unwrap_or_default()))
    }

    fn binary(label_smoothing: f64, weights: [f64; 2]) -> Objective {
        Objective::weighted(&Task::binary(), label_smoothing, LossWeights::Sigmoid(vec![weights]))
    }

    #[test]
    fn binary_cross_entropy_equals_the_definition_at_moderate_logits() -> Result<()> {
        let (logits, labels) = ([-2.0f32, 0.0, 0.5, 3.0], [0u32, 1, 0, 1]);
        let x = Tensor::new(&logits, &Device::Cpu)?.reshape((4, 1))?;
        let targets = Targets::OneOf(labels.to_vec());
        for (label_smoothing, weights, rows) in [
            (0.0, [1.0, 1.0], None),
            (0.2, [1.0, 1.0], None),
            (0.0, [1.0, 3.0], None),
            (0.1, [2.0, 0.5], Some([0.5f32, 2.0, 1.5, 0.0])),
        ] {
            let objective = binary(label_smoothing, weights);
            let (loss, gradient) =
                loss_and_gradient(&objective, &x, &targets, rows.as_ref().map(|r| &r[..]))?;
            let mut expected = 0.0;
            for (i, (&x, got)) in logits.iter().zip(gradient).enumerate() {
                let row = f64::from(rows.map_or(1.0, |rows| rows[i]));
                let p = 1.0 / (1.0 + (-f64::from(x)).exp());
                let y = f64::from(labels[i]) * (1.0 - label_smoothing) + label_smoothing / 2.0;
                let [n, w] = weights;
                expected -= row * (w * y * p.ln() + n * (1.0 - y) * (1.0 - p).ln()) / 4.0;
                let slope = row * (n * (1.0 - y) * p - w * y * (1.0 - p)) / 4.0;
                assert!((f64::from(got) - slope).abs() < 1e-7, "{objective:?}: gradient at {x}");
            }
            assert!((f64::from(loss) - expected).abs() < 1e-6, "{objective:?}: {loss} {expected}");
        }
        Ok(())
    }

    #[test]
    fn softmax_cross_entropy_equals_the_definition() -> Result<()> {
        let task = Task::new(TaskKind::OneOf, ["a", "b", "c"])?;
        let logits = [[0.5f32, -1.0, 2.0], [1e4, -1e4, 0.0], [0.1, 0.2, 0.3], [3.0, 3.0, -3.0]];
        let labels = [2u32, 0, 1, 2];
        let x = Tensor::new(&logits, &Device::Cpu)?;
        let targets = Targets::OneOf(labels.to_vec());
        for (smoothing, classes, rows) in [
            (0.0, [1.0, 1.0, 1.0], [1.0f32; 4]),
            (0.0, [0.5, 2.0, 1.0], [1.0, 2.0, 0.5, 0.5]),
            (0.3, [0.5, 2.0, 1.0], [1.0; 4]),
        ] {
            let weights = LossWeights::Softmax(classes.to_vec());
            let objective = Objective::weighted(&task, smoothing, weights);
            let (loss, gradient) = loss_and_gradient(&objective, &x, &targets, Some(&rows))?;
            let mut expected = 0.0;
            for i in 0..4 {
                let x = logits[i].map(f64::from);
                let largest = x.iter().copied().fold(f64::MIN, f64::max);
                let log_sum = x.iter().map(|x| (x - largest).exp()).sum::<f64>().ln() + largest;
                let w: Vec<f64> = (0..3)
                    .map(|c| {
                        let y =
                            if labels[i] == c { 1.0 - smoothing } else { 0.0 } + smoothing / 3.0;
                        y * classes[c as usize] * f64::from(rows[i])
                    })
                    .collect();
                for c in 0..3 {
                    expected -= w[c] * (x[c] - log_sum) / 4.0;
                    let slope = ((x[c] - log_sum).exp() * w.iter().sum::<f64>() - w[c]) / 4.0;
                    let got = f64::from(gradient[3 * i + c]);
                    assert!((got - slope).abs() < 1e-6, "{objective:?}: {got} {slope}");
                }
            }
            let loss = f64::from(loss);
            assert!((loss - expected).abs() < 1e-6 * expected.max(1.0), "{loss} {expected}");
        }
        Ok(())
    }

    #[test]
    fn the_loss_of_several_labels_is_the_mean_over_all_outputs() -> Result<()> {
        let task = Task::new(TaskKind::AnyOf, ["a", "b", "c"])?;
        let targets = Targets::AnyOf { starts: vec![0, 2, 2], classes: vec![0, 2] };
        let weights = vec![[1.0, 1.0], [1.0, 2.0], [0.5, 3.0]];
        let objective = Objective::weighted(&task, 0.0, LossWeights::Sigmoid(weights.clone()));
        let logits = [[0.5f32, -1.0, 2.0], [1.0, -3.0, 0.25]];
        let (loss, _) =
            loss_and_gradient(&objective, &Tensor::new(&logits, &Device::Cpu)?, &targets, None)?;
        let mut expected = 0.0;
        for (row, has) in [[true, false, true], [false; 3]].iter().enumerate() {
            for c in 0..3 {
                let p = 1.0 / (1.0 + (-f64::from(logits[row][c])).exp());
                let [without, with] = weights[c];
                expected -= if has[c] { with * p.ln() } else { without * (1.0 - p).ln() } / 6.0;
            }
        }
        assert!((f64::from(loss) - expected).abs() < 1e-6, "{loss} {expected}");
        Ok(())
    }

    /// The loss is linear in the targets, so a teacher that says other labels adds their loss.
    #[test]
    fn a_teacher_has_its_share_of_the_loss() -> Result<()> {
        let (labels, taught_labels) = ([2u32, 0, 1], [1u32, 2, 2]);
        let logits = [0.5f32, -1.0, 2.0, 1.0, -3.0, 0.25, 0.1, 0.2, 0.3];
        for kind in [TaskKind::Binary, TaskKind::OneOf, TaskKind::AnyOf] {
            let names = ["a", "b", "c"];
            let (task, n, weights) = match kind {
                TaskKind::Binary => (Task::binary(), 1, LossWeights::Sigmoid(vec![[0.5, 2.0]])),
                TaskKind::OneOf => {
                    (Task::new(kind, names)?, 3, LossWeights::Softmax(vec![0.5, 2.0, 1.0]))
                }
                TaskKind::AnyOf => {
                    let weights = vec![[1.0, 1.0], [1.0, 2.0], [0.5, 3.0]];
                    (Task::new(kind, names)?, 3, LossWeights::Sigmoid(weights))
                }
            };
            let targets = |labels: [u32; 3]| match kind {
                TaskKind::Binary => Targets::OneOf(labels.map(|label| label.min(1)).to_vec()),
                TaskKind::OneOf => Targets::OneOf(labels.to_vec()),
                TaskKind::AnyOf => Targets::any_of(labels.map(|label| [label])),
            };
            let said: Vec<f32> = taught_labels
                .iter()
                .flat_map(|&label| match n {
                    1 => vec![label.min(1) as f32],
                    _ => (0..3).map(|class| f32::from(u8::from(class == label))).collect(),
                })
                .collect();
            let objective = Objective::weighted(&task, 0.0, weights);
            let x = Tensor::from_slice(&logits[..3 * n], (3, n), &Device::Cpu)?;
            let rows = [0.5f32, 1.5, 1.0];
            let of = |labels| -> Result<f32> {
                Ok(objective.loss(&x, &targets(labels), Some(&rows))?.to_scalar()?)
            };
            let (own, others) = (of(labels)?, of(taught_labels)?);
            for share in [0.0, 0.3, 1.0] {
                let taught = Taught { shares: vec![share; 3], probabilities: said.clone() };
                let got = objective.taught_loss(&x, (&targets(labels), Some(&taught)), Some(&rows));
                let got: f32 = got?.to_scalar()?;
                let expected = (1.0 - share) * own + share * others;
                assert!((got - expected).abs() < 1e-6, "{kind:?} {share}: {got}, not {expected}");
            }
            // A share for each text: here, as if the second text had the teacher's label.
            let taught = Taught { shares: vec![0.0, 1.0, 0.0], probabilities: said };
            let got = objective.taught_loss(&x, (&targets(labels), Some(&taught)), Some(&rows))?;
            let expected = of([labels[0], taught_labels[1], labels[2]])?;
            let got: f32 = got.to_scalar()?;
            assert!((got - expected).abs() < 1e-6, "{kind:?}: {got}, not {expected}");
        }
        Ok(())
    }

    #[test]
    fn huge_logits_give_a_finite_loss_where_candles_own_gives_nan() -> Result<()> {
        let (logits, labels) = ([1e4f32, -1e4, 1e4, -1e4], [1u32, 0, 0, 1]);
        let x = Tensor::new(&logits, &Device::Cpu)?;
        let targets = Targets::OneOf(labels.to_vec());
        let objective = binary(0.0, [1.0; 2]);
        let (loss, gradient) = loss_and_gradient(&objective, &x.reshape((4, 1))?, &targets, None)?;
        assert_eq!(loss, 5e3);
        assert_eq!(gradient, [0.0, 0.0, 0.25, -0.25]);

        let y = Tensor::new(&labels.map(|label| label as f32), &Device::Cpu)?;
        let candles = candle_nn::loss::binary_cross_entropy_with_logit(&x, &y)?;
        assert!(candles.to_scalar::<f32>()?.is_nan(), "candle's is sound now: use it");
        Ok(())
    }

    #[test]
    fn targets_of_another_task_are_refused() -> Result<()> {
        let x = Tensor::new(&[[0.5f32], [1.0]], &Device::Cpu)?;
        let several = Targets::AnyOf { starts: vec![0, 0, 0], classes: vec![] };
        let three = Task::new(TaskKind::OneOf, ["a", "b", "c"])?;
        let objective = Objective::weighted(&three, 0.0, LossWeights::Softmax(vec![1.0; 3]));
        assert!(matches!(objective.loss(&x, &several, None), Err(Error::NoLabels)));
        Ok(())
    }
}
