//! How long each stage of answering a table took.

use std::time::{Duration, Instant};

/// Stages that run side by side: each has its own clock, and their sum may exceed the whole time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stages {
    /// Reading, unpacking and checking the table for the first time.
    pub(super) survey: Duration,
    /// Reading it again, in chunks.
    pub(super) reading: Duration,
    /// Cleaning texts and looking up their ids.
    pub(super) encoding: Duration,
    /// The network, and decisions.
    pub(super) network: Duration,
    /// Writing parts and joining them.
    pub(super) writing: Duration,
}

impl Stages {
    /// Adds the stages of another thread.
    pub(super) fn add(&mut self, other: Self) {
        self.survey += other.survey;
        self.reading += other.reading;
        self.encoding += other.encoding;
        self.network += other.network;
        self.writing += other.writing;
    }

    /// A line for each stage, and for the whole. `n_texts`, `n_tokens`: what was answered, and read by the network.
    pub(super) fn table(&self, total: Duration, n_texts: usize, n_tokens: usize) -> String {
        let rows = [
            ("first reading, with checks", self.survey),
            ("reading", self.reading),
            ("cleaning and encoding", self.encoding),
            ("network", self.network),
            ("writing", self.writing),
            ("in all (stages overlap)", total),
        ];
        let line = |(name, time): (&str, Duration)| {
            let seconds = time.as_secs_f64();
            let rate = |n: usize| n as f64 / seconds.max(f64::MIN_POSITIVE);
            format!(
                "{name:<28} {seconds:>8.2} s {:>12.0} texts/s {:>12.0} tokens/s\n",
                rate(n_texts),
                rate(n_tokens)
            )
        };
        rows.map(line).concat()
    }
}

/// Runs a function and adds its time to a clock.
pub(super) fn timed<T>(clock: &mut Duration, run: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = run();
    *clock += started.elapsed();
    result
}
