//! `log.jsonl` holds what `RUNS.md` says, no more and no less; what is in a run folder besides.
#![allow(clippy::unwrap_used)] // A training that cannot be set up is a failure of the test.

mod small_runs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use serde_json::{Map, Value};
use small_runs::{Case, cases};
use trainer::{
    Control, Ending, Error, Event, Never, Observer, RecordPlan, Result, RunFolder, Silent, Stamp,
    Stop,
};

/// Type and names of a field: two where one or the other is there.
type Field = (Vec<String>, String);

/// The documented fields of all lines, and of each kind.
fn documented() -> (Vec<Field>, BTreeMap<String, Vec<Field>>) {
    let text = include_str!("../RUNS.md");
    let (mut common, mut by_kind) = (Vec::new(), BTreeMap::<String, Vec<Field>>::new());
    let of_log = &text[text.find("# The log").unwrap()..];
    for row in of_log.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let names = |cell: &str| -> Vec<String> {
            cell.split(" or ").map(|name| name.trim_matches('`').to_string()).collect()
        };
        match &cells[..] {
            [field, kind, _] => common.push((names(field), kind.to_string())),
            [kind, field, value, _] => {
                let of_kind = by_kind.entry(kind.trim_matches('`').to_string()).or_default();
                of_kind.push((names(field), value.to_string()));
            }
            _ => panic!("{row}"),
        }
    }
    (common, by_kind)
}

fn has_type(value: &Value, documented: &str) -> bool {
    documented.split(" or ").any(|kind| match kind {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.as_array().is_some_and(|all| all.iter().all(Value::is_number)),
        "null" => value.is_null(),
        other => panic!("{other}"),
    })
}

fn lines(parent: &std::path::Path) -> Vec<Map<String, Value>> {
    let log = fs::read_to_string(parent.join("runs/m/log.jsonl")).unwrap();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

struct StopAtOnce;

impl Control for StopAtOnce {
    fn stop(&self) -> Option<Stop> {
        Some(Stop::Deadline)
    }
}

#[test]
fn every_line_has_the_documented_fields_and_every_documented_line_occurs() {
    let (common, by_kind) = documented();
    assert_eq!((common.len(), by_kind.len()), (6, 8));
    let mut seen = BTreeSet::new();
    let mut check = |lines: Vec<Map<String, Value>>| {
        for line in lines {
            let kind = line["kind"].as_str().unwrap().to_string();
            let fields = common.iter().chain(&by_kind[&kind]);
            let mut n_found = 0;
            for (names, documented) in fields {
                let found: Vec<&Value> = names.iter().filter_map(|name| line.get(name)).collect();
                let [value] = found[..] else { panic!("{kind} lacks {names:?}: {line:?}") };
                assert!(has_type(value, documented), "{kind}: {names:?} is {value}");
                n_found += 1;
            }
            assert_eq!(line.len(), n_found, "an undocumented field: {line:?}");
            seen.insert(kind);
        }
    };
    for case in cases() {
        let parent = tempfile::tempdir().unwrap();
        case.run(parent.path(), Some(RecordPlan::default()), &Never, &mut Silent).unwrap();
        check(lines(parent.path()));
    }
    let parent = tempfile::tempdir().unwrap();
    let case = &cases()[0];
    case.run(parent.path(), Some(RecordPlan::default()), &StopAtOnce, &mut Silent).unwrap();
    check(lines(parent.path()));
    // Of some rates, the first that leads to a model and then to values that are not finite.
    let mut diverging: Case = case.clone();
    diverging.recipe.model.cell = model::CellKind::RnnRelu;
    let training = &mut diverging.recipe.training;
    (training.validate_every, training.weight_decay, training.clip_norm) = (1, 0.0, 0.0);
    (training.epochs, training.accumulation) = (20, 1);
    let diverged = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0].into_iter().find_map(|rate| {
        diverging.recipe.training.learning_rate = rate;
        let parent = tempfile::tempdir().unwrap();
        let plan = Some(RecordPlan::default());
        let report = diverging.run(parent.path(), plan, &Never, &mut Silent).ok()?;
        (report.ended == Ending::Diverged).then(|| lines(parent.path()))
    });
    check(diverged.unwrap());
    let documented: BTreeSet<String> = by_kind.into_keys().collect();
    assert_eq!(seen, documented);
}

#[test]
fn the_log_tells_every_step_once_in_order_with_the_measured_means() {
    /// Adds up what the events say.
    #[derive(Default)]
    struct Sums(BTreeMap<String, (usize, f64)>);

    impl Observer for Sums {
        fn on(&mut self, at: &Stamp, event: &Event) -> Result<()> {
            if let Event::Step { n_rows, loss, .. } = event {
                let phase = serde_json::to_value(at.phase).unwrap().as_str().unwrap().to_string();
                let (n_texts, sum) = self.0.entry(phase).or_default();
                *n_texts += n_rows;
                *sum += loss;
            }
            Ok(())
        }
    }

    let case = &cases()[1];
    let parent = tempfile::tempdir().unwrap();
    let plan = RecordPlan { log_every: 3, ..RecordPlan::default() };
    let mut sums = Sums::default();
    case.run(parent.path(), Some(plan), &Never, &mut sums).unwrap();
    for (phase, (n_texts, _)) in sums.0 {
        let of_phase: Vec<_> = lines(parent.path())
            .into_iter()
            .filter(|line| line["phase"] == phase.as_str() && line["kind"] == "step")
            .collect();
        let steps: Vec<u64> = of_phase.iter().map(|line| line["step"].as_u64().unwrap()).collect();
        assert!(steps.is_sorted_by(|a, b| a < b), "{phase}: {steps:?}");
        let told: u64 = of_phase.iter().map(|line| line["n_texts"].as_u64().unwrap()).sum();
        assert_eq!(told, n_texts as u64, "{phase}");
    }
}

#[test]
fn a_status_tells_sessions_figures_and_how_it_ended() {
    /// Fails at the first validation.
    struct Fails;

    impl Observer for Fails {
        fn on(&mut self, _: &Stamp, event: &Event) -> Result<()> {
            match event {
                Event::Validated { .. } => Err(Error::Observer { reason: "no".to_string() }),
                _ => Ok(()),
            }
        }
    }

    let parent = tempfile::tempdir().unwrap();
    let case = &cases()[3];
    let every_step =
        RecordPlan { checkpoint_every: Duration::ZERO, n_checkpoints: 1, ..RecordPlan::default() };
    case.run(parent.path(), Some(every_step), &Never, &mut Fails).unwrap_err();
    let run = RunFolder::open(&parent.path().join("runs/m")).unwrap();
    let status = run.status().unwrap();
    assert_eq!(status.ended, Ending::Failed);
    assert!(status.error.unwrap().contains("its observer failed: no"));
    assert_eq!(fs::read_dir(parent.path().join("runs/m/checkpoints")).unwrap().count(), 1);
    let report = case.run(parent.path(), Some(every_step), &Never, &mut Silent).unwrap();
    let status = run.status().unwrap();
    assert_eq!((status.ended, status.error), (Ending::Complete, None));
    assert!(status.sessions[0].from.is_none() && status.sessions[1].from.is_some());
    assert!(status.sessions.iter().all(|session| session.ended.is_some()));
    let last = report.history.last().unwrap();
    let (validation, test) = (status.validation.unwrap(), status.test.unwrap());
    assert_eq!((validation.epoch, validation.loss), (last.epoch, last.validation.loss()));
    assert_eq!(test.value, report.test.unwrap().headline().1);
}
