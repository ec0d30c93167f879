//! The lines of `log.jsonl`, and what of them becomes a curve in TensorBoard.

use measures::Metrics;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::observer::{Event, Stamp};
use crate::record::ValidationRecord;
use crate::run_folder::steps::StepSums;
use crate::state::Phase;

/// One line: when, and what. Fields by kind are listed in `RUNS.md`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Line {
    kind: &'static str,
    /// ISO 8601, UTC.
    time: String,
    elapsed_s: f64,
    phase: Phase,
    epoch: f64,
    step: usize,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl Line {
    fn new(kind: &'static str, at: &Stamp, fields: Value) -> Self {
        let &Stamp { phase, epoch, step, elapsed_s, time } = at;
        let fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Self { kind, time: super::in_words(time), elapsed_s, phase, epoch, step, fields }
    }

    /// The line of an event, if it has one. Steps have theirs by [`of_steps`](Self::of_steps).
    pub(crate) fn of(at: &Stamp, event: &Event) -> Option<Self> {
        let (kind, fields) = match event {
            Event::LinearPathFitted { metrics } => ("linear-path", of_metrics(metrics)),
            Event::Pretrained { record } => {
                let fields = json!({
                    "train_loss": record.train_loss,
                    "perplexity": record.perplexity,
                    "train_s": record.train_s,
                });
                ("pretraining", fields)
            }
            Event::Validated { record } => ("validation", of_validation(record)),
            Event::Refitted { record } => {
                let fields = json!({
                    "train_loss": record.train_loss,
                    "n_texts": record.n_rows,
                    "train_s": record.train_s,
                });
                ("refit", fields)
            }
            Event::Diverged { reason } => ("diverged", json!({ "reason": reason })),
            Event::Stopped { stop, .. } => ("stopped", json!({ "reason": stop })),
            Event::Tested { metrics } => ("test", of_metrics(metrics)),
            _ => return None,
        };
        Some(Self::new(kind, at, fields))
    }

    /// The line of some steps.
    pub(crate) fn of_steps(at: &Stamp, sums: &StepSums) -> Self {
        Self::new("step", at, sums.fields(at.elapsed_s))
    }

    /// Names and values for TensorBoard.
    pub(crate) fn scalars(&self) -> Vec<(String, f32)> {
        let phase = match self.phase {
            Phase::LinearPath => "linear_path",
            Phase::Pretraining => "pretraining",
            Phase::Epochs => "train",
            Phase::Refit => "refit",
        };
        let names: &[(&str, &str)] = match self.kind {
            "step" => &[
                ("loss", "loss"),
                ("rate", "learning_rate"),
                ("norm", "gradient_norm"),
                ("tokens_per_s", "tokens_per_s"),
            ],
            "validation" | "test" | "linear-path" => &[
                ("loss", "loss"),
                ("accuracy", "accuracy"),
                ("micro_f1", "micro_f1"),
                ("macro_f1", "macro_f1"),
                ("weighted_loss", "weighted_loss"),
            ],
            _ => &[],
        };
        let group = match self.kind {
            "validation" => "validation",
            "test" => "test",
            _ => phase,
        };
        let value = |field: &str| self.fields.get(field).and_then(Value::as_f64);
        let scalar =
            |(field, name): &(&str, &str)| Some((format!("{group}/{name}"), value(field)? as f32));
        names.iter().filter_map(scalar).collect()
    }

    /// As a line of the log.
    pub(crate) fn json(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// Loss, headline and macro F1.
fn of_metrics(metrics: &Metrics) -> Value {
    let (name, value) = metrics.headline();
    json!({
        "loss": metrics.loss(),
        name.to_lowercase().replace(' ', "_"): value,
        "macro_f1": metrics.macro_f1(),
    })
}

fn of_validation(record: &ValidationRecord) -> Value {
    let mut fields = of_metrics(&record.validation);
    if let Some(fields) = fields.as_object_mut() {
        let more = json!({
            "train_loss": record.train_loss,
            "weighted_loss": record.weighted_loss,
            "is_kept": record.is_kept,
            "train_s": record.train_s,
            "texts_per_s": record.texts_per_s,
        });
        fields.extend(more.as_object().cloned().unwrap_or_default());
    }
    fields
}
