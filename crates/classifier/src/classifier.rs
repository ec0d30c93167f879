//! A trained classifier: opened once, asked from any number of threads.

use std::ops::ControlFlow;
use std::sync::Arc;

use model::{RecurrentClassifier, Task};
use text_preprocessing::{Encoded, TextEncoder};

use crate::error::{Error, Result};
use crate::folder::ModelId;
use crate::logits::path_logits;
use crate::prediction::Prediction;

/// Texts that are encoded before they are answered.
const TEXTS_AT_ONCE: usize = 1 << 14;

/// A trained classifier: text in, answers out.
///
/// It is cheap to clone, and may be used by several threads at once. The answer to a text depends on nothing but the
/// model and the text, up to rounding: the texts beside it, their order and the number of threads may change a
/// probability by about 1e-7.
#[derive(Debug, Clone)]
pub struct Classifier(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    network: RecurrentClassifier,
    encoder: TextEncoder,
    task: Task,
    thresholds: Option<Vec<f32>>,
    id: Option<ModelId>,
    digest: Option<String>,
}

impl Classifier {
    /// A classifier from its parts. `thresholds`: of decisions, one for each output; those of [`Task::decide`] if
    /// absent.
    ///
    /// # Errors
    /// [`Error::Parts`] if the network has not the task's number of outputs, or not as many ids as the encoder; an error
    /// of the model if the thresholds are not the task's.
    pub fn new(
        network: RecurrentClassifier,
        encoder: TextEncoder,
        task: Task,
        thresholds: Option<Vec<f32>>,
    ) -> Result<Self> {
        let check = |what, expected, got| match expected == got {
            true => Ok(()),
            false => Err(Error::Parts { what, expected, got }),
        };
        check("outputs", task.n_outputs(), network.config().outputs())?;
        check("ids", encoder.vocab_size(), network.vocab_size())?;
        if let Some(thresholds) = &thresholds {
            task.check_thresholds(thresholds)?;
        }
        Ok(Self(Arc::new(Parts { network, encoder, task, thresholds, id: None, digest: None })))
    }

    /// The same, as a saved model with this id and digest.
    pub(crate) fn saved_as(self, id: Option<ModelId>, digest: String) -> Self {
        match Arc::try_unwrap(self.0) {
            Ok(parts) => Self(Arc::new(Parts { id, digest: Some(digest), ..parts })),
            Err(shared) => Self(shared),
        }
    }

    /// What the model is asked: its classes, and how logits become their probabilities.
    pub fn task(&self) -> &Task {
        &self.0.task
    }

    /// The thresholds of decisions, one for each output, if training chose any.
    pub fn thresholds(&self) -> Option<&[f32]> {
        self.0.thresholds.as_deref()
    }

    /// The encoder: text to ids.
    pub fn encoder(&self) -> &TextEncoder {
        &self.0.encoder
    }

    /// The network: ids to logits.
    pub fn network(&self) -> &RecurrentClassifier {
        &self.0.network
    }

    /// The id of the saved model; absent in models of format 2, and in those that were not read from files.
    pub fn id(&self) -> Option<ModelId> {
        self.0.id
    }

    /// Identifies a saved model, also one without an id, by a digest of its files; absent if it was not read from files.
    pub fn digest(&self) -> Option<&str> {
        self.0.digest.as_deref()
    }

    /// The answers to texts, in their order.
    ///
    /// # Errors
    /// As [`predict_with`](Self::predict_with), except [`Error::Stopped`].
    pub fn predict<S: AsRef<str> + Sync>(&self, texts: &[S]) -> Result<Vec<Prediction>> {
        self.predict_with(texts, &mut |_| ControlFlow::Continue(()))
    }

    /// The answers to texts, in their order.
    ///
    /// `on_texts` is called with the number of texts of each batch, for progress; it may stop the call.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if a logit is not finite, because weights are not; [`Error::Stopped`]; an error of the
    /// device.
    pub fn predict_with<S: AsRef<str> + Sync>(
        &self,
        texts: &[S],
        on_texts: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Vec<Prediction>> {
        let mut predictions = Vec::with_capacity(texts.len());
        // Of all texts at once, ids would take more memory than answers.
        for texts in texts.chunks(TEXTS_AT_ONCE) {
            predictions.extend(self.answer(&self.encode(texts)?, on_texts)?);
        }
        Ok(predictions)
    }

    /// The first half of [`predict_with`](Self::predict_with): cleans texts and turns them into ids.
    ///
    /// # Errors
    /// If a text cannot be encoded; none is known.
    pub fn encode<S: AsRef<str> + Sync>(&self, texts: &[S]) -> Result<Vec<Encoded>> {
        Ok(self.0.encoder.encode_batch_counted(texts)?)
    }

    /// The second half of [`predict_with`](Self::predict_with): the answers to encoded texts, in their order.
    ///
    /// # Errors
    /// As [`predict_with`](Self::predict_with).
    pub fn answer(
        &self,
        texts: &[Encoded],
        on_texts: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Vec<Prediction>> {
        let Parts { network, encoder, task, thresholds, .. } = &*self.0;
        let ids: Vec<&[u32]> = texts.iter().map(|text| text.ids.as_slice()).collect();
        let of_paths = path_logits(network, &ids, encoder.config().seq_len, on_texts)?;
        let logits = of_paths.finite_sum()?;
        let of_texts = logits.chunks_exact(task.n_outputs()).zip(texts);
        let predictions = of_texts
            .map(|(logits, text)| Prediction::of(task, thresholds.as_deref(), logits, text));
        Ok(predictions.collect())
    }
}
