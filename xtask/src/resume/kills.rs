//! A run that is killed and resumed until it is through.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::course::{Course, PAUSE, TOO_LONG};
use super::phase::Trace;
use super::run::Run;
use crate::random::Random;
use crate::training::{Start, Training};

pub(super) struct Kills<'a> {
    pub(super) run: &'a Run<'a>,
    /// That of an undisturbed run.
    pub(super) course: &'a Course,
    /// Number of kills, if the run does not end earlier.
    pub(super) n_wanted: usize,
    /// The phase of the first kill; anywhere if absent.
    pub(super) target: Option<&'a str>,
}

/// When to kill a training that has just been started or resumed.
enum Aim<'a> {
    Never,
    After(Duration),
    /// So long after it is first seen in a phase.
    In(&'a str, Duration),
}

impl Kills<'_> {
    /// Starts the run, kills it, resumes it, and so on; then lets it end. Returns the phases in which it was killed.
    ///
    /// # Errors
    /// If it hangs, or does not end well after it was resumed.
    pub(super) fn all(&self, random: &mut Random) -> anyhow::Result<Vec<String>> {
        let records = self.run.records();
        let mut before = Trace::of(&records);
        let mut training = self.run.start().start()?;
        // How far an undisturbed run would be.
        let mut done = Duration::ZERO;
        let mut hit = Vec::new();
        while hit.len() < self.n_wanted {
            let started = Instant::now();
            let aim = self.aim(hit.len(), done, random);
            self.wait(&mut training, &before, &aim)?;
            if training.kill()? {
                break;
            }
            done += started.elapsed().saturating_sub(self.course.start());
            let now = Trace::of(&records);
            hit.push(now.phase(&before, self.run.setting));
            before = now;
            training = self.next().start()?;
        }
        self.wait(&mut training, &before, &Aim::Never)
            .and_then(|()| training.ended_well())
            .with_context(|| in_words(&hit))?;
        Ok(hit)
    }

    /// The first kill is in the target or anywhere; then every second one comes while the run is resumed or shortly
    /// after, and the others in what is left.
    fn aim(&self, n_before: usize, done: Duration, random: &mut Random) -> Aim<'_> {
        let Course { duration, .. } = self.course;
        let start = self.course.start();
        match (n_before, self.target) {
            (0, Some(phase)) => Aim::In(phase, self.course.longest(phase).mul_f64(random.unit())),
            (0, None) => Aim::After(duration.mul_f64(random.unit())),
            _ if n_before % 2 == 1 => Aim::After(start.mul_f64(2.0 * random.unit())),
            _ => Aim::After(start + duration.saturating_sub(start + done).mul_f64(random.unit())),
        }
    }

    /// Waits for the moment, or for the end.
    fn wait(&self, training: &mut Training, before: &Trace, aim: &Aim<'_>) -> anyhow::Result<()> {
        let started = Instant::now();
        while !training.has_ended()? {
            match *aim {
                Aim::After(moment) if started.elapsed() >= moment => return Ok(()),
                Aim::In(phase, moment) if self.is_in(phase, before) => {
                    thread::sleep(moment);
                    return Ok(());
                }
                _ => {}
            }
            ensure!(started.elapsed() < TOO_LONG, "a training run hangs");
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn is_in(&self, phase: &str, before: &Trace) -> bool {
        Trace::of(&self.run.records()).phase(before, self.run.setting) == phase
    }

    /// A killed run is resumed, unless it has left nothing to be resumed.
    fn next(&self) -> Start {
        if self.run.is_begun() { self.run.resume() } else { self.run.start() }
    }
}

/// `killed in linear-path, then in epochs`.
pub(super) fn in_words(hit: &[String]) -> String {
    if hit.is_empty() {
        return "not killed after all".to_string();
    }
    format!("killed in {}", hit.join(", then in "))
}
