//! Tests of the way that other devices take, on the CPU: what is learned is the same, and nothing is read in between.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::time::Duration;

use candle_core::safetensors::load;
use candle_core::{DType, Device};
use classifier::folder::{Existing, OutputFolder};

use crate::config::VectorTraining;
use crate::error::Result;
use crate::job::loader_config;
use crate::observer::{Control, Event, Never, Observer, Silent, Stamp, Stop};
use crate::optimizer::OptimizerKind;
use crate::record::Ending;
use crate::report::TrainingReport;
use crate::run_folder::RecordPlan;
use crate::scalar::pretended::{n_reads, on_another_device};
use crate::small_runs::{Case, cases};
use crate::training::{Session, Training};

/// So low that nearly every step is clipped.
const CLIP_NORM: f64 = 0.05;

/// The events of a training.
#[derive(Default)]
struct Heard {
    /// Loss, norm and learning rate of each batch, with the step after it.
    batches: Vec<(usize, f64, Option<f64>, f64)>,
    /// Events before which everything is read.
    n_measurements: usize,
}

impl Observer for Heard {
    fn on(&mut self, at: &Stamp, event: &Event) -> Result<()> {
        match event {
            Event::Step { loss, norm, rate, .. } => {
                self.batches.push((at.step, *loss, *norm, *rate));
            }
            Event::ValidationStart { .. }
            | Event::Pretrained { .. }
            | Event::RefitStart { .. }
            | Event::Refitted { .. } => self.n_measurements += 1,
            _ => {}
        }
        Ok(())
    }
}

/// All small trainings, with clipping; and for each kind of optimiser one with perturbed texts and several batches a step.
fn clipped() -> Vec<Case> {
    let mut all = cases().to_vec();
    for case in &mut all {
        case.recipe.training.clip_norm = CLIP_NORM;
        case.recipe.pretraining.clip_norm = CLIP_NORM;
    }
    for (name, optimizer) in [
        ("accumulated, adam", OptimizerKind::Adam),
        ("accumulated, sparse adam", OptimizerKind::SparseAdam),
        ("accumulated, sgd", OptimizerKind::Sgd),
    ] {
        let [mut case, ..] = cases();
        case.name = name;
        let training = &mut case.recipe.training;
        (training.optimizer, training.accumulation, training.weight_decay) = (optimizer, 3, 0.0);
        (training.adversarial_norm, training.clip_norm) = (0.02, CLIP_NORM);
        all.push(case);
    }
    all
}

fn trained(case: &Case, parent: &Path) -> Result<(TrainingReport, Heard)> {
    let mut heard = Heard::default();
    Ok((case.run(parent, None, &Never, &mut heard)?, heard))
}

fn near(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + b.abs())
}

#[test]
fn losses_norms_and_weights_are_those_of_the_cpu_to_rounding() -> Result<()> {
    for case in clipped() {
        let name = case.name;
        let [here, there] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (here_report, here_heard) = trained(&case, here.path())?;
        let before = n_reads();
        let (there_report, there_heard) = on_another_device(|| trained(&case, there.path()))?;
        let n_reads = n_reads() - before;
        let n_batches = there_heard.batches.len();
        assert_eq!(n_batches, here_heard.batches.len(), "{name}");
        assert!(n_reads > 0 && n_reads <= there_heard.n_measurements + n_batches / 10, "{name}");

        let mut n_clipped = 0;
        for (a, b) in here_heard.batches.iter().zip(&there_heard.batches) {
            assert_eq!((a.0, a.3, a.2.is_some()), (b.0, b.3, b.2.is_some()), "{name}");
            assert!(near(b.1, a.1, 1e-4), "{name}, step {}: loss {} {}", a.0, b.1, a.1);
            if let (Some(a), Some(b)) = (a.2, b.2) {
                assert!(near(b, a, 1e-3), "{name}: norm {b} {a}");
                n_clipped += usize::from(a > CLIP_NORM);
            }
        }
        assert!(2 * n_clipped > here_report.history.len(), "{name}: {n_clipped}");
        for (a, b) in here_report.history.iter().zip(&there_report.history) {
            assert!(near(b.train_loss, a.train_loss, 1e-4), "{name}");
            assert!(near(b.validation.loss(), a.validation.loss(), 1e-4), "{name}");
        }
        let weights = |parent: &Path| load(parent.join("models/m/model.safetensors"), &Device::Cpu);
        let (here, there) = (weights(here.path())?, weights(there.path())?);
        for (tensor_name, a) in here {
            let (a, b) = (a.to_dtype(DType::F64)?, there[&tensor_name].to_dtype(DType::F64)?);
            let largest: f64 = a.abs()?.max_all()?.to_scalar()?;
            let worst: f64 = (a - b)?.abs()?.max_all()?.to_scalar()?;
            assert!(worst <= 1e-3 * largest, "{name}, {tensor_name}: {worst} {largest}");
        }
    }
    Ok(())
}

#[test]
fn a_step_reads_nothing() -> Result<()> {
    for case in clipped() {
        let ((data, origin), parent) = (case.data(), tempfile::tempdir().unwrap());
        let folder = OutputFolder::claim(&parent.path().join("m"), Existing::Refuse)?;
        let job = case.recipe.job(&data, origin, &Device::Cpu, &folder);
        let mut silent = Silent;
        on_another_device(|| -> Result<()> {
            let mut session = Session::watched_by(&mut silent);
            let mut training = Training::start(&job, &mut session)?;
            let (loader, _) = training.rest_of_epoch(&loader_config(&job, 1))?;
            let before = n_reads();
            let mut outcomes = Vec::new();
            for batch in loader {
                outcomes.push(training.state.step.run(&batch?, 0.01)?.unwrap());
            }
            training.state.step.finish_step(0.01)?.unwrap();
            assert_eq!(n_reads(), before, "{}", case.name);
            assert!(training.state.step.n_steps() >= 2, "{}", case.name);
            for outcome in &outcomes {
                for (quantity, scalar) in outcome.scalars() {
                    assert_eq!(scalar.number(), None, "{quantity}");
                    assert!(scalar.read()?.is_finite(), "{quantity}");
                }
            }
            assert!(n_reads() >= before + outcomes.len(), "reads are counted");
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_value_that_is_not_finite_is_noticed_at_the_next_reading_with_its_step_and_its_batch() {
    let error = |case: &Case| {
        let parent = tempfile::tempdir().unwrap();
        match trained(case, parent.path()) {
            Err(error) => error.to_string(),
            Ok((report, _)) => report.diverged.unwrap_or_default(),
        }
    };
    for mut case in cases() {
        // A frozen embedding keeps the language model's numbers finite.
        let is_frozen = case.recipe.training.vectors != VectorTraining::Tuned;
        let of_pretraining = case.recipe.pretraining.epochs > 0 && !is_frozen;
        case.recipe.training.learning_rate = 3e38;
        (case.recipe.training.warmup, case.recipe.training.weight_decay) = (0.0, 0.0);
        case.recipe.model.ngram_order = 0;
        if of_pretraining {
            case.recipe.pretraining.learning_rate = 1e30;
        }
        let (here, there) = (error(&case), on_another_device(|| error(&case)));
        if of_pretraining {
            assert!(here.contains("of pre-training at step"), "{here}");
            assert_eq!(there, here);
            continue;
        }
        assert!(there.contains(", noticed after step "), "{}: {here}; {there}", case.name);
        let (start, rest) = there.split_once(", noticed after step ").unwrap();
        let (step, end) = rest.split_once(')').unwrap();
        assert_eq!(format!("{start}){end}"), here, "{}", case.name);
        assert!(step.parse::<usize>().unwrap() > 0);
    }
}

/// Asks to stop at some batch.
struct StopAt(Cell<usize>);

impl Control for StopAt {
    fn stop(&self) -> Option<Stop> {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        (left == 0).then_some(Stop::Interrupt)
    }
}

#[test]
fn a_training_that_is_stopped_goes_on_bit_for_bit_and_its_log_has_every_batch_once() {
    let plan = RecordPlan {
        checkpoint_every: Duration::from_secs(3600),
        n_checkpoints: 2,
        log_every: 1,
        accepts_minor: false,
    };
    for case in cases() {
        let run = |n_batches: Option<usize>| {
            let parent = tempfile::tempdir().unwrap();
            let session = |control: &dyn Control| {
                on_another_device(|| case.run(parent.path(), Some(plan), control, &mut Silent))
            };
            if let Some(n_batches) = n_batches {
                let report = session(&StopAt(Cell::new(n_batches))).unwrap();
                assert_eq!(report.ended, Ending::Interrupted);
            }
            session(&Never).unwrap();
            let log = fs::read_to_string(parent.path().join("runs/m/log.jsonl")).unwrap();
            let steps = log.lines().map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                [&line["step"], &line["loss"], &line["norm"], &line["rate"]].map(Clone::clone)
            });
            let model = fs::read(parent.path().join("models/m/model.safetensors")).unwrap();
            (model, steps.collect::<Vec<_>>())
        };
        let whole = run(None);
        for n_batches in [3, 12] {
            assert!(run(Some(n_batches)) == whole, "{}, batch {n_batches}", case.name);
        }
    }
}
