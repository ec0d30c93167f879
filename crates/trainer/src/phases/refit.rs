//! Retraining on the training and validation texts, once validation has selected the epoch.

use classifier::folder::SeenTexts;

use crate::error::{Error, Result};
use crate::finite::NonFinite;
use crate::job::{loader_config, save, steps_per_epoch};
use crate::linear_model::{Features, LinearModel};
use crate::observer::Event;
use crate::phases::figures::Place;
use crate::phases::linear::teach;
use crate::record::RefitRecord;
use crate::report::TrainingReport;
use crate::state::{Phase, Start};
use crate::step::{NORM, TrainingStep};
use crate::training::Training;

/// Retrains on training and validation texts, for as long as the kept model was trained, and replaces
/// that model. The scales of the paths, temperatures, shifts and thresholds are those of the kept model,
/// since no texts are left to fit them on.
///
/// `None` if it was asked to stop, or there is nothing to start from: the model kept before stays.
///
/// # Errors
/// [`Error::Refit`] if the loss or the gradient is not finite; an error of the model, device or disk.
/// The model kept before stays in these cases, too.
pub(crate) fn refit(training: &mut Training<'_, '_>) -> Result<Option<RefitRecord>> {
    if training.state.position.phase != Phase::Refit {
        begin(training)?;
    }
    let (job, n_rows) = (training.job, training.state.rows().len());
    let Some(n_epochs) = training.state.report.kept().map(|kept| kept.epoch) else {
        return Ok(None);
    };
    let per_epoch = steps_per_epoch(job.training, n_rows);
    let n_steps = (n_epochs * per_epoch as f64).round() as usize;
    while training.state.step.n_steps() < n_steps {
        if !epoch(training, n_epochs, n_steps)? {
            return Ok(None);
        }
    }
    finish(training).map(Some)
}

/// Makes the network, with the initial weights of the first training and a linear path of its own.
fn begin(training: &mut Training<'_, '_>) -> Result<()> {
    training.enter_refit()?;
    let (job, state) = (training.job, &mut training.state);
    set_weights(&mut state.step, &state.start.take().unwrap_or_default())?;
    if let Some(ngrams) = &state.step.vocabularies().ngrams {
        let rate = state.report.linear_rate.unwrap_or(job.training.ngram_learning_rate);
        let features = Features::of(ngrams, &state.texts);
        let texts = (&features, &*state.texts);
        let start =
            job.data.start.as_ref().map(|start| start.linear(ngrams)).transpose()?.flatten();
        let rate = (rate, start.as_ref());
        let path = LinearModel::fit(ngrams, texts, &job.data.task, job.training, rate)?;
        path.set_path(state.step.network().1)?;
    }
    // What was begun here could not be gone on with: no state of it is saved yet.
    teach(training, false)?;
    Ok(())
}

fn set_weights(step: &mut TrainingStep, start: &Start) -> Result<()> {
    for (name, variable) in model::sorted(step.network().1) {
        if let Some(weights) = start.get(&name) {
            variable.set(weights)?;
        }
    }
    Ok(())
}

/// The rest of one epoch, up to `n_steps` steps in all; false if it was asked to stop.
fn epoch(training: &mut Training<'_, '_>, n_epochs: f64, n_steps: usize) -> Result<bool> {
    let (epoch, n_rows) = (training.state.position.epoch, training.state.rows().len());
    let (loader, n_done) = training.rest_of_epoch(&loader_config(training.job, epoch))?;
    training.tell(Event::RefitStart { epoch, n_rows, n_done, n_epochs })?;
    if n_done == 0 {
        training.state.step.begin_epoch(epoch)?;
        training.state.restart_progress();
    }
    for batch in loader {
        if let Some(stop) = training.pause()? {
            training.tell_stop(stop, false)?;
            return Ok(false);
        }
        let batch = batch?;
        let place = Place::of(training, &batch);
        let outcome = training.state.step.run(&batch, place.rate())?;
        let outcome =
            outcome.map_err(|non_finite| training.not_finite(non_finite, &place, false))?;
        training.trained(&batch, place, (outcome, None))?;
        if training.state.step.n_steps() >= n_steps {
            return Ok(true);
        }
    }
    // The last batches of an epoch make a step, however few they are.
    let state = &mut training.state;
    let rate = state.schedule.at(state.step.n_steps());
    let finished = state.step.finish_step(rate)?;
    let norm = finished.map_err(|non_finite| diverged(state.step.n_steps(), non_finite, rate))?;
    training.read_figures()?;
    let (norm, state) = (norm.map(|norm| norm.read()).transpose()?, &mut training.state);
    if let Some(norm) = norm.filter(|norm| !norm.is_finite()) {
        let step = state.step.n_steps().saturating_sub(1);
        return Err(diverged(step, NonFinite::new(NORM, norm), rate));
    }
    state.position = state.position.next_epoch();
    Ok(true)
}

/// Saves the model in place of the one kept before.
fn finish(training: &mut Training<'_, '_>) -> Result<RefitRecord> {
    training.read_figures()?;
    let (job, state) = (training.job, &mut training.state);
    let record = RefitRecord {
        n_rows: state.texts.len(),
        n_steps: state.step.n_steps(),
        train_loss: state.progress.loss_sum / state.progress.n_batches.max(1) as f64,
        train_s: state.phase_s(),
    };
    let mut report = TrainingReport { refit: Some(record.clone()), ..state.report.clone() };
    if let (Some(from), Some(start), Some(ngrams)) =
        (&mut report.from, &job.data.start, &state.step.vocabularies().ngrams)
    {
        from.count_ngrams(start, ngrams);
    }
    report.judge();
    let rate = state.schedule.at(state.step.n_steps().saturating_sub(1));
    let seen = joined(&job.data.seen);
    if let Some(kept) = state.report.kept() {
        let saved = save(job, &mut state.step, kept, &report, &seen)?;
        saved.map_err(|non_finite| diverged(state.step.n_steps(), non_finite, rate))?;
    }
    // Not before: the report of a model that stays has its own n-grams.
    state.report.from = report.from;
    training.tell(Event::Refitted { record: record.clone() })?;
    Ok(record)
}

/// The seen texts after retraining: validation texts count as training texts, too.
fn joined(seen: &SeenTexts) -> SeenTexts {
    let mut train = [seen.train.as_slice(), &seen.validation].concat();
    train.sort_unstable();
    SeenTexts { train, validation: seen.validation.clone() }
}

/// The error of a training run that diverges at the step after so many.
fn diverged(n_steps: usize, non_finite: NonFinite, learning_rate: f64) -> Error {
    let NonFinite { quantity, value } = non_finite;
    Error::Refit { quantity, value, step: n_steps + 1, learning_rate }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};
    use classifier::folder::{Existing, OutputFolder};
    use dataset::LabelledTexts;
    use model::{InitConfig, ModelConfig, Padding, Regularization};
    use text_preprocessing::PreprocessingConfig;

    use super::*;
    use crate::config::TrainingConfig;
    use crate::job::TrainingJob;
    use crate::observer::Silent;
    use crate::prepare::{SplitPlan, prepare};
    use crate::pretraining::PretrainingConfig;
    use crate::report::DataOrigin;
    use crate::training::Session;

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
        assert!(report.kept().is_some());
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
        let (job, mut silent) = (job(), Silent);
        let mut session = Session::watched_by(&mut silent);
        let mut training = Training::start(&job, &mut session)?;
        (training.state.report, training.state.start) = (report, Some(start));
        let error = refit(&mut training);
        assert!(
            matches!(&error, Err(error @ Error::Refit { .. }) if error.is_divergence()),
            "{error:?}"
        );
        assert!(before.is_some() && weights() == before);
        Ok(())
    }
}
