//! One training, undisturbed and killed.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};

use super::course::Course;
use super::kills::{Kills, in_words};
use super::outcome::Outcome;
use super::phase::ENDED;
use super::run::{RUN, Run};
use super::settings::Setting;
use super::tally::Tally;
use crate::random::Random;

/// How often checkpoints are written: after every step, or after a time. Results must not depend on it.
const EVERY: [&str; 2] = ["0s", "200ms"];
/// Kills of one run.
const MOST_KILLS: usize = 4;
/// Runs for each kill that is wanted; some end before they are killed.
const MOST_RUNS: usize = 5;

pub(super) struct Trials<'a> {
    pub(super) program: &'a Path,
    /// Folder of the table, in which each run gets a new folder.
    pub(super) place: &'a Path,
    pub(super) setting: &'a Setting,
    pub(super) n_threads: usize,
    pub(super) seed: u64,
}

impl Trials<'_> {
    /// Lets it run undisturbed, then kills it so many times, and counts the kills.
    ///
    /// # Errors
    /// If a run fails, or leaves something else behind than the first one.
    pub(super) fn all(
        &self,
        n_kills: usize,
        random: &mut Random,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let [(often, expected), (seldom, other)] = [self.undisturbed(0)?, self.undisturbed(1)?];
        other.check(&expected).with_context(|| {
            format!("undisturbed, it depends on --checkpoint-every {} or {}", EVERY[0], EVERY[1])
        })?;
        let courses = [often, seldom];
        let (mut n_done, mut n_runs) = (0, 0);
        while n_done < n_kills {
            ensure!(
                n_runs < MOST_RUNS * n_kills,
                "of {n_kills} kills, only {n_done} came before the end of a run"
            );
            let n_wanted = (1 + random.below(MOST_KILLS)).min(n_kills - n_done);
            // Two runs with each kind of checkpoints; the first kill of every second one is aimed, at a phase and at
            // the end in turn.
            let kind = (n_runs / 2 + self.n_threads) % EVERY.len();
            let target = match n_runs % 4 {
                1 => self.rarest(tally),
                3 => Some(ENDED),
                _ => None,
            };
            let n_hit = self.within(EVERY[kind], |run| {
                let hit = Kills { run, course: &courses[kind], n_wanted, target }.all(random)?;
                let outcome = Outcome::read(run).and_then(|outcome| outcome.check(&expected));
                outcome.with_context(|| in_words(&hit))?;
                let n_hit = hit.len();
                tally.add(hit, &run.records())?;
                Ok(n_hit)
            })?;
            n_done += n_hit;
            n_runs += 1;
        }
        let [often, seldom] = courses.map(|course| course.duration.as_secs_f64());
        println!(
            "resume: {}, RAYON_NUM_THREADS={}: {often:.1} s with --checkpoint-every {}, {seldom:.1} s with {}; after \
             {n_done} kills in {n_runs} runs, everything is as undisturbed",
            self.setting.name, self.n_threads, EVERY[0], EVERY[1],
        );
        Ok(())
    }

    /// A run that nothing disturbs.
    fn undisturbed(&self, kind: usize) -> anyhow::Result<(Course, Outcome)> {
        self.within(EVERY[kind], |run| {
            let course = Course::of(run)?;
            Ok((course, Outcome::read(run)?))
        })
        .context("undisturbed")
    }

    /// The phase that was hit least so far.
    fn rarest(&self, tally: &Tally) -> Option<&'static str> {
        let phases = self.setting.phases.iter().copied();
        phases.min_by_key(|phase| tally.hits(phase))
    }

    /// Does something with a run in a new folder, which is removed afterwards.
    fn within<T>(
        &self,
        every: &'static str,
        work: impl FnOnce(&Run<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let &Self { program, place, setting, n_threads, seed } = self;
        let folder = place.join(RUN);
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let run = Run { program, setting, folder, n_threads, seed, every };
        let done = work(&run).with_context(|| format!("with --checkpoint-every {every}"))?;
        fs::remove_dir_all(&run.folder)
            .with_context(|| format!("cannot remove {}", run.folder.display()))?;
        Ok(done)
    }
}
