//! A training that was stopped and goes on ends with the same bits as one that was never stopped.
#![allow(clippy::unwrap_used, clippy::panic)] // A training that cannot be set up is a failure of the test.

mod small_runs;

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::time::Duration;

use small_runs::{Case, cases};
use trainer::{
    Control, Ending, Error, Event, Never, Observer, Phase, RecordPlan, Result, RunFolder, Silent,
    Stamp, Stop, TrainingReport,
};

/// Asks to stop at some batch.
struct StopAt(Cell<usize>);

impl StopAt {
    fn new(n_batches: usize) -> Self {
        Self(Cell::new(n_batches))
    }
}

impl Control for StopAt {
    fn stop(&self) -> Option<Stop> {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        (left == 0).then_some(Stop::Interrupt)
    }
}

const EVERY_STEP: RecordPlan = RecordPlan {
    checkpoint_every: Duration::ZERO,
    n_checkpoints: 3,
    log_every: 2,
    accepts_minor: false,
};
const ON_STOP: RecordPlan =
    RecordPlan { checkpoint_every: Duration::from_secs(3600), ..EVERY_STEP };

/// All that a training leaves, without times.
#[derive(Debug, PartialEq)]
struct Left {
    model: Vec<(String, Vec<u8>)>,
    predictions: Vec<Option<Vec<u8>>>,
    report: serde_json::Value,
    log: Vec<serde_json::Value>,
}

impl Left {
    fn of(parent: &Path) -> Self {
        let model = parent.join("models/m");
        let parts = ["model.safetensors", "ngrams.safetensors", "config.json", "tokenizer.json"];
        let bytes = |name: &&str| Some((name.to_string(), fs::read(model.join(name)).ok()?));
        let report = fs::read(model.join("metrics.json")).unwrap();
        let mut report = serde_json::from_slice(&report).unwrap();
        forget_times(&mut report);
        let log = fs::read_to_string(parent.join("runs/m/log.jsonl")).unwrap_or_default();
        let line = |line: &str| {
            let mut line = serde_json::from_str(line).unwrap();
            forget_times(&mut line);
            line
        };
        Self {
            model: parts.iter().filter_map(bytes).collect(),
            predictions: ["validation", "test"]
                .map(|split| {
                    fs::read(parent.join(format!("runs/m/predictions/{split}.parquet"))).ok()
                })
                .to_vec(),
            report,
            log: log.lines().map(line).collect(),
        }
    }
}

fn forget_times(value: &mut serde_json::Value) {
    const TIMES: [&str; 6] =
        ["time", "elapsed_s", "tokens_per_s", "texts_per_s", "train_s", "profile"];
    match value {
        serde_json::Value::Object(map) => {
            map.retain(|key, _| !TIMES.contains(&key.as_str()));
            map.values_mut().for_each(forget_times);
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(forget_times),
        _ => {}
    }
}

/// Trains in `parent` until the end or the control's word; goes on if there is something to go on from.
fn session(
    case: &Case,
    parent: &Path,
    plan: RecordPlan,
    control: &dyn Control,
) -> Result<TrainingReport> {
    case.run(parent, Some(plan), control, &mut Silent)
}

/// The same without a run folder.
fn undisturbed(case: &Case, parent: &Path) -> Left {
    case.run(parent, None, &Never, &mut Silent).unwrap();
    Left::of(parent)
}

#[test]
fn a_training_that_is_stopped_at_any_batch_ends_as_if_it_had_not_been() {
    for case in cases() {
        let parent = tempfile::tempdir().unwrap();
        let alone = undisturbed(&case, parent.path());
        let parent = tempfile::tempdir().unwrap();
        session(&case, parent.path(), ON_STOP, &Never).unwrap();
        let whole = Left::of(parent.path());
        assert_eq!((&whole.model, &whole.report), (&alone.model, &alone.report), "{}", case.name);
        match case.name {
            "plateau" => {
                let rates: Vec<f64> =
                    whole.log.iter().filter_map(|line| line.get("rate")?.as_f64()).collect();
                assert!(rates.first() > rates.last(), "the rate never fell: {rates:?}");
            }
            "sparse" => assert_eq!(whole.report["ended"], "early-stopping"),
            "by length" => {
                // Enough texts for it, so that the windows' logits count.
                let scale = &whole.report["history"][0]["path_scales"]["linear"];
                assert!(scale["at_8"].is_f64() && scale["at_8"] != scale["at_800"], "{scale}");
            }
            _ => {}
        }
        let mut n_batches = 0;
        loop {
            let parent = tempfile::tempdir().unwrap();
            let stop = StopAt::new(n_batches);
            let first = session(&case, parent.path(), ON_STOP, &stop).unwrap();
            if first.ended != Ending::Interrupted {
                break;
            }
            session(&case, parent.path(), ON_STOP, &Never).unwrap();
            assert!(Left::of(parent.path()) == whole, "{}, batch {n_batches}", case.name);
            // A number that has no divisor in common with the batches of an epoch, or of a step.
            n_batches += 5;
        }
        assert!(n_batches > 15, "{}: {n_batches}", case.name);
    }
}

#[test]
fn a_training_that_is_stopped_after_every_batch_ends_as_if_it_had_not_been() {
    for case in cases() {
        let parent = tempfile::tempdir().unwrap();
        session(&case, parent.path(), ON_STOP, &Never).unwrap();
        let whole = Left::of(parent.path());
        let parent = tempfile::tempdir().unwrap();
        // The first question is whether to fit the linear path at all, and a teacher that is stopped begins anew.
        let n_questions = if case.recipe.training.distillation > 0.0 { 6 } else { 1 };
        let mut n_sessions = 1;
        while session(&case, parent.path(), ON_STOP, &StopAt::new(n_questions)).unwrap().ended
            == Ending::Interrupted
        {
            n_sessions += 1;
            assert!(n_sessions < 500, "{} does not get on", case.name);
        }
        assert!(Left::of(parent.path()) == whole, "{}", case.name);
        let run = RunFolder::open(&parent.path().join("runs/m")).unwrap();
        let status = run.status().unwrap();
        assert_eq!(status.sessions.len(), n_sessions);
        assert!(!run.has_checkpoint().unwrap(), "checkpoints of a complete training are removed");
    }
}

#[test]
fn checkpoints_after_every_step_change_nothing() {
    for case in cases() {
        let parent = tempfile::tempdir().unwrap();
        session(&case, parent.path(), ON_STOP, &Never).unwrap();
        let whole = Left::of(parent.path());
        let parent = tempfile::tempdir().unwrap();
        session(&case, parent.path(), EVERY_STEP, &Never).unwrap();
        assert!(Left::of(parent.path()) == whole, "{}", case.name);
    }
}

/// Fails at an event, as a program does that is killed: nothing is written after it.
struct DiesAt {
    n_events: usize,
    phases: Vec<Phase>,
}

impl Observer for DiesAt {
    fn on(&mut self, at: &Stamp, event: &Event) -> Result<()> {
        if !matches!(event, Event::Scored { .. }) {
            if self.n_events == 0 {
                return Err(Error::Observer { reason: "died".to_string() });
            }
            self.n_events -= 1;
            self.phases.push(at.phase);
        }
        Ok(())
    }
}

#[test]
fn a_training_that_dies_anywhere_goes_on_from_its_last_checkpoint() {
    for case in cases() {
        let parent = tempfile::tempdir().unwrap();
        session(&case, parent.path(), ON_STOP, &Never).unwrap();
        let whole = Left::of(parent.path());
        let mut plan = EVERY_STEP;
        let mut n_died = 0;
        for n_events in (1..).step_by(7) {
            let parent = tempfile::tempdir().unwrap();
            let mut observer = DiesAt { n_events, phases: Vec::new() };
            // Not at every step, so that steps are repeated.
            plan.checkpoint_every =
                if n_events % 2 == 0 { Duration::ZERO } else { Duration::from_millis(5) };
            match case.run(parent.path(), Some(plan), &Never, &mut observer) {
                Ok(_) => break,
                Err(Error::Observer { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            n_died += 1;
            session(&case, parent.path(), ON_STOP, &Never).unwrap();
            let phase = observer.phases.last();
            assert!(Left::of(parent.path()) == whole, "{}, event {n_events}, {phase:?}", case.name);
        }
        assert!(n_died > 5, "{}: {n_died}", case.name);
    }
}

/// Fails when the training is through and its test begins.
struct DiesBeforeTheTest;

impl Observer for DiesBeforeTheTest {
    fn on(&mut self, _: &Stamp, event: &Event) -> Result<()> {
        match event {
            Event::TestStart { .. } => Err(Error::Observer { reason: "died".to_string() }),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_training_that_dies_after_its_last_step_trains_no_further() {
    for case in cases() {
        let parent = tempfile::tempdir().unwrap();
        session(&case, parent.path(), ON_STOP, &Never).unwrap();
        let whole = Left::of(parent.path());
        let parent = tempfile::tempdir().unwrap();
        case.run(parent.path(), Some(ON_STOP), &Never, &mut DiesBeforeTheTest).unwrap_err();
        session(&case, parent.path(), ON_STOP, &Never).unwrap();
        assert!(Left::of(parent.path()) == whole, "{}", case.name);
    }
}
