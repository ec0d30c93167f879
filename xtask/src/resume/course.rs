//! The course of an undisturbed training: how long it takes, and how long it is in each phase.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::phase::{STARTING, Trace};
use super::run::Run;

/// How often a running training is looked at.
pub(super) const PAUSE: Duration = Duration::from_millis(2);
/// Time after which a training counts as hung.
pub(super) const TOO_LONG: Duration = Duration::from_secs(300);

pub(super) struct Course {
    pub(super) duration: Duration,
    /// The longest time at a stretch in each phase.
    pub(super) phases: BTreeMap<String, Duration>,
}

impl Course {
    /// Lets a training run, and watches it.
    ///
    /// # Errors
    /// If it fails or hangs, or is never in a phase that its setting names.
    pub(super) fn of(run: &Run) -> anyhow::Result<Self> {
        let records = run.records();
        let before = Trace::of(&records);
        let started = Instant::now();
        let mut training = run.start().start()?;
        let mut phases: BTreeMap<String, Duration> = BTreeMap::new();
        let (mut current, mut since) = (STARTING.to_string(), started);
        loop {
            let has_ended = training.has_ended()?;
            let phase = Trace::of(&records).phase(&before, run.setting);
            let longest = phases.entry(current.clone()).or_default();
            *longest = since.elapsed().max(*longest);
            if phase != current {
                (current, since) = (phase, Instant::now());
            }
            if has_ended {
                break;
            }
            ensure!(started.elapsed() < TOO_LONG, "a training run hangs");
            thread::sleep(PAUSE);
        }
        let duration = started.elapsed();
        training.ended_well()?;
        for phase in run.setting.phases {
            ensure!(
                phases.contains_key(*phase),
                "it was never in the phase {phase}, only in {:?}",
                phases.keys().collect::<Vec<_>>()
            );
        }
        Ok(Self { duration, phases })
    }

    /// The time until it first writes something.
    pub(super) fn start(&self) -> Duration {
        self.longest(STARTING)
    }

    /// The longest time at a stretch in a phase.
    pub(super) fn longest(&self, phase: &str) -> Duration {
        self.phases.get(phase).copied().unwrap_or_default()
    }
}
