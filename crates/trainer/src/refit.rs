//! Retraining on the training and validation texts, once validation has selected the epoch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use candle_core::Tensor;
use classifier::folder::SeenTexts;
use dataset::{EncodedSplit, Loader};

use crate::error::{Error, Result};
use crate::evaluate::targets_of;
use crate::finite::NonFinite;
use crate::job::{TrainingJob, loader_config, new_step, save, steps_per_epoch, vocabularies};
use crate::linear_model::{Features, LinearModel};
use crate::observer::{Event, Observer};
use crate::record::{RefitRecord, ValidationRecord};
use crate::report::TrainingReport;
use crate::schedule::LearningRate;
use crate::step::TrainingStep;

/// The initial weights of a training run, by name, without the linear path's.
pub(crate) type Start = BTreeMap<String, Tensor>;

/// Retrains on training and validation texts, for as long as the kept model was trained, and replaces
/// that model. The scales of the paths, temperatures, shifts and thresholds are those of the kept model,
/// since no texts are left to fit them on.
///
/// `None` if it was asked to stop: the model kept before stays.
///
/// # Errors
/// [`Error::Refit`] if the loss or the gradient is not finite; an error of the model, device or disk.
/// The model kept before stays in these cases, too.
pub(crate) fn refit(
    job: &TrainingJob<'_>,
    start: &Start,
    kept: &ValidationRecord,
    report: &TrainingReport,
    observer: &mut dyn Observer,
) -> Result<Option<RefitRecord>> {
    let started = Instant::now();
    let &TrainingJob { training, data, device, .. } = job;
    let texts = Arc::new(EncodedSplit::joined(&data.train, &data.validation)?);
    let vocabularies = vocabularies(job, &texts)?;
    let mut step = new_step(job, vocabularies, targets_of(&texts)?)?;
    for (name, variable) in model::sorted(step.network().1) {
        if let Some(weights) = start.get(&name) {
            variable.set(weights)?;
        }
    }
    if let Some(ngrams) = &step.vocabularies().ngrams {
        let rate = report.linear_rate.unwrap_or(training.ngram_learning_rate);
        let features = Features::of(ngrams, &texts);
        let path = LinearModel::fit(ngrams, (&features, &texts), &data.task, training, rate)?;
        path.set_path(step.network().1)?;
    }

    let per_epoch = steps_per_epoch(training, texts.len());
    let rates = LearningRate::new(training, per_epoch);
    let n_steps = (kept.epoch * per_epoch as f64).round() as usize;
    let (mut loss_sum, mut n_batches) = (0.0, 0);
    for epoch in 1.. {
        if step.n_steps() >= n_steps {
            break;
        }
        observer.on_event(Event::RefitStart { epoch, n_rows: texts.len(), n_epochs: kept.epoch });
        step.start_epoch();
        (loss_sum, n_batches) = (0.0, 0);
        let config = loader_config(job, epoch);
        for batch in Loader::new(Arc::clone(&texts), &config, device)? {
            if observer.should_stop() {
                return Ok(None);
            }
            let batch = batch?;
            let learning_rate = rates.at(step.n_steps());
            let outcome = step.run(&batch, learning_rate)?;
            let outcome =
                outcome.map_err(|non_finite| diverged(&step, non_finite, learning_rate))?;
            loss_sum += f64::from(outcome.loss);
            n_batches += 1;
            observer.on_event(Event::Step { n_rows: batch.rows.len(), loss: outcome.loss });
            if step.n_steps() >= n_steps {
                break;
            }
        }
        // The last batches of an epoch make a step, however few they are.
        if step.n_steps() < n_steps {
            let learning_rate = rates.at(step.n_steps());
            let finished = step.finish_step(learning_rate)?;
            finished.map_err(|non_finite| diverged(&step, non_finite, learning_rate))?;
        }
    }

    let record = RefitRecord {
        n_rows: texts.len(),
        n_steps: step.n_steps(),
        train_loss: loss_sum / f64::from(n_batches.max(1)),
        train_s: started.elapsed().as_secs_f64(),
    };
    let mut report = TrainingReport { refit: Some(record.clone()), ..report.clone() };
    report.judge();
    let learning_rate = rates.at(step.n_steps().saturating_sub(1));
    save(job, &mut step, kept, &report, &joined(&data.seen))?
        .map_err(|non_finite| diverged(&step, non_finite, learning_rate))?;
    observer.on_event(Event::Refitted { record: &record });
    Ok(Some(record))
}

/// The seen texts after retraining: validation texts count as training texts, too.
fn joined(seen: &SeenTexts) -> SeenTexts {
    let mut train = [seen.train.as_slice(), &seen.validation].concat();
    train.sort_unstable();
    SeenTexts { train, validation: seen.validation.clone() }
}

/// The error of a training run that diverges at its next step.
fn diverged(step: &TrainingStep, non_finite: NonFinite, learning_rate: f64) -> Error {
    let NonFinite { quantity, value } = non_finite;
    Error::Refit { quantity, value, step: step.n_steps() + 1, learning_rate }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use classifier::folder::{Existing, OutputFolder};
    use dataset::LabelledTexts;
    use model::{InitConfig, ModelConfig, Padding, Regularization};
    use text_preprocessing::PreprocessingConfig;

    use super::*;
    use crate::config::TrainingConfig;
    use crate::observer::Silent;
    use crate::prepare::{SplitPlan, prepare};
    use crate::pretraining::PretrainingConfig;
    use crate::report::DataOrigin;

    #[test]
    fn a_second_training_that_diverges_is_an_error_of_its_own_and_leaves_the_first_model()
    -> Result<()> {
        let texts: Vec<String> =
            (0..60).map(|i| format!("{} film w{i}", ["bad", "good"][i % 2])).collect();
        let table = LabelledTexts::new(&texts, (0..60).map(|i| (i % 2) as u8).collect())?;
        let plan = SplitPlan::default();
        let data = prepare(&table, &plan, &PreprocessingConfig::default())?;
        let options = (dataset::ReadOptions::default(), dataset::LabelOptions::default());
        let origin = DataOrigin::new(
            "made.csv",
            table.columns().clone(),
            options,
            table.fingerprint(),
            plan,
            &data,
        );
        let model = ModelConfig {
            embedding_dim: 4,
            hidden_dim: 4,
            num_layers: 1,
            padding: Padding::Skip,
            ..ModelConfig::default()
        };
        let training = TrainingConfig { epochs: 1, batch_size: 16, ..TrainingConfig::default() };
        let parent = tempfile::tempdir().map_err(candle_core::Error::wrap)?;
        let folder = OutputFolder::claim(&parent.path().join("model"), Existing::Refuse)?;
        let job = || TrainingJob {
            recipe: "test",
            model: &model,
            regularization: &Regularization::NONE,
            training: &training,
            pretraining: &PretrainingConfig {
                epochs: 0,
                batch_size: 1,
                learning_rate: 1.0,
                clip_norm: 1.0,
            },
            data: &data,
            origin: origin.clone(),
            device: &Device::Cpu,
            folder: &folder,
        };
        let report = job().run(&mut Silent)?;
        let Some(kept) = report.kept() else { return Err(Error::NoLabels) };
        let weights = || std::fs::read(folder.path().join(classifier::folder::WEIGHTS_FILE)).ok();
        let before = weights();
        let (_, variables) = model::RecurrentClassifier::init(
            &model,
            &Regularization::NONE,
            data.encoder.vocab_size(),
            InitConfig::default(),
            &Device::Cpu,
        )?;
        let huge = |var: candle_core::Var| -> Result<Tensor> {
            Ok(var.as_detached_tensor().affine(0.0, 3e38)?)
        };
        let start: Start = model::sorted(&variables)
            .into_iter()
            .map(|(name, var)| Ok((name, huge(var)?)))
            .collect::<Result<_>>()?;
        let error = refit(&job(), &start, kept, &report, &mut Silent);
        assert!(
            matches!(&error, Err(error @ Error::Refit { .. }) if error.is_divergence()),
            "{error:?}"
        );
        assert!(before.is_some() && weights() == before);
        Ok(())
    }
}
