//! Pre-training: the recurrent layers learn to predict the next word.

use dataset::{LoaderConfig, Order};

use crate::error::Result;
use crate::evaluate::batch_padding;
use crate::job::TrainingJob;
use crate::observer::{Event, Stop};
use crate::phases::figures::Place;
use crate::pretraining::{LanguageModel, Learned};
use crate::record::PretrainingRecord;
use crate::state::Phase;
use crate::training::Training;

/// Validation texts whose perplexity is measured; few, because it is slow over the whole vocabulary.
const N_MEASURED: usize = 100;
/// Makes the order of the texts different from that of training.
const ORDER: u64 = 0x6c61_6e67_7561_6765;

/// Pre-trains the embedding and the recurrent layers. `Some` if it was asked to stop.
///
/// # Errors
/// [`Error::Pretraining`](crate::Error::Pretraining) if the loss or the gradient is not finite; an error of the model or the device.
pub(crate) fn pretrain(training: &mut Training<'_, '_>) -> Result<Option<Stop>> {
    if training.state.position.phase != Phase::Pretraining {
        return Ok(None);
    }
    let n_epochs = training.job.pretraining.epochs;
    if n_epochs > 0 && training.state.language_model.is_none() {
        training.state.language_model =
            Some(LanguageModel::of(training.job, &training.state.step)?);
    }
    while training.state.position.epoch <= n_epochs {
        if let Some(stop) = epoch(training)? {
            return Ok(Some(stop));
        }
        training.state.position = training.state.position.next_epoch();
    }
    // What it has besides the network is of no further use.
    training.state.language_model = None;
    Ok(None)
}

fn loader_config(job: &TrainingJob<'_>, epoch: usize) -> Result<LoaderConfig> {
    let config = job.model.for_task(&job.data.task)?;
    let (seed, epoch) = (job.training.seed ^ ORDER, epoch as u64);
    Ok(LoaderConfig {
        batch_size: job.pretraining.batch_size,
        padding: batch_padding(&config, job.data.encoder.config().seq_len),
        order: Order::LengthBuckets { seed, epoch },
    })
}

/// The rest of one epoch.
fn epoch(training: &mut Training<'_, '_>) -> Result<Option<Stop>> {
    let epoch = training.state.position.epoch;
    let config = loader_config(training.job, epoch)?;
    let (loader, n_done) = training.rest_of_epoch(&config)?;
    let n_rows = training.state.rows().len();
    if n_done == 0 {
        training.state.restart_progress();
    }
    training.tell(Event::PretrainingStart { epoch, n_rows, n_done })?;
    for batch in loader {
        if let Some(stop) = training.pause()? {
            return Ok(Some(stop));
        }
        let batch = batch?;
        let place = Place::of(training, &batch);
        let clip_norm = training.job.pretraining.clip_norm;
        let Some(language_model) = &mut training.state.language_model else { break };
        let learned = match language_model.step(&batch, place.rate(), clip_norm)? {
            Ok(Learned { outcome, n_words }) => (outcome, Some(n_words)),
            Err(non_finite) => return Err(training.not_finite(non_finite, &place, false)),
        };
        training.trained(&batch, place, learned)?;
    }
    measure(training, epoch)?;
    Ok(None)
}

/// Records an epoch.
fn measure(training: &mut Training<'_, '_>, epoch: usize) -> Result<()> {
    training.read_figures()?;
    let train_s = training.state.progress_s();
    let &TrainingJob { pretraining, data, .. } = training.job;
    let padding = loader_config(training.job, epoch)?.padding;
    let Some(language_model) = &mut training.state.language_model else { return Ok(()) };
    language_model.finish()?;
    let perplexity = (epoch == pretraining.epochs)
        .then(|| language_model.perplexity(&data.validation, N_MEASURED, padding))
        .transpose()?
        // A report holds finite numbers only.
        .filter(|perplexity| perplexity.iter().all(|number| number.is_finite()));
    let progress = training.state.progress;
    let train_loss = progress.loss_sum / progress.n_words.max(1) as f64;
    let record = PretrainingRecord { epoch, train_loss, train_s, perplexity };
    training.state.report.pretraining_history.push(record.clone());
    training.tell(Event::Pretrained { record })
}
