//! Learning rates match PyTorch's.
#![allow(clippy::panic, clippy::unwrap_used)] // A golden file that cannot be read is a failure.

use serde_json::Value;
use trainer::{LearningRate, Schedule, TrainingConfig};

#[test]
fn every_step_has_pytorchs_rate() {
    let golden: Value = serde_json::from_str(include_str!("golden/schedules.json")).unwrap();
    let number = |key: &str| golden[key].as_u64().unwrap() as usize;
    let (epochs, steps_per_epoch) = (number("epochs"), number("steps_per_epoch"));
    for (name, schedule) in
        [("step", Schedule::Step), ("cosine", Schedule::Cosine), ("one-cycle", Schedule::OneCycle)]
    {
        let training = TrainingConfig {
            epochs,
            schedule,
            learning_rate: golden["learning_rate"].as_f64().unwrap(),
            decay_epochs: 2,
            ..TrainingConfig::default()
        };
        let rate = LearningRate::new(&training, steps_per_epoch);
        let expected = golden["schedules"][name].as_array().unwrap();
        assert_eq!(expected.len(), epochs * steps_per_epoch);
        for (step, expected) in expected.iter().enumerate() {
            let (got, expected) = (rate.at(step), expected.as_f64().unwrap());
            let difference = (got - expected).abs() / training.learning_rate;
            assert!(difference < 1e-12, "{name}, step {step}: {got}, expected {expected}");
        }
    }
}
