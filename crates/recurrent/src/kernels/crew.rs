//! The threads that work on one pass, and their synchronisation.
//!
//! They belong to candle's own pool; they start within a microsecond and all run at the same time,
//! so that they may wait for one another. With a second pool, each pool's threads would spin on
//! cores that the other needs.

use std::hint::spin_loop;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use candle_core::utils::barrier_pool;

/// Spins at a barrier before a thread yields to other programs.
const BARRIER_ROUNDS: usize = 2_000;

/// The value set by [`set_num_threads`]; 0 for all.
static NUM_THREADS: AtomicUsize = AtomicUsize::new(0);

/// Sets how many of candle's threads the fused CPU kernels may use from now on, in the whole
/// process; 0 for all of them (one per core, or the value of the environment variable
/// `CANDLE_NUM_THREADS` or `RAYON_NUM_THREADS`).
pub fn set_num_threads(n_threads: usize) {
    NUM_THREADS.store(n_threads, Ordering::Relaxed);
}

/// The calling thread, member 0, and threads of candle's pool.
#[derive(Clone, Copy)]
pub(crate) struct Crew {
    n_members: usize,
}

impl Crew {
    /// A crew of as many members as [`set_num_threads`] allows.
    pub(crate) fn new() -> Self {
        let n_threads = barrier_pool().n_workers() + 1;
        let n_members = match NUM_THREADS.load(Ordering::Relaxed) {
            0 => n_threads,
            wanted => wanted.min(n_threads),
        };
        Self { n_members }
    }

    /// A crew of at most this many members.
    pub(crate) fn of(n_members: usize) -> Self {
        Self { n_members: n_members.clamp(1, barrier_pool().n_workers() + 1) }
    }

    pub(crate) fn n_members(&self) -> usize {
        self.n_members
    }

    /// Calls `job` with each member's number, on all members simultaneously.
    pub(crate) fn run(&self, job: impl Fn(usize) + Sync) {
        if self.n_members == 1 {
            return job(0);
        }
        let pool = barrier_pool();
        // The caller is the pool's last thread.
        let n_threads = pool.n_workers() + 1;
        pool.execute(|thread| {
            let member = (thread + 1) % n_threads;
            if member < self.n_members {
                job(member);
            }
        });
    }

    /// Calls `job` once with each number below `n`; each member gets a contiguous range.
    pub(crate) fn for_each(&self, n: usize, job: impl Fn(usize) + Sync) {
        self.run(|member| share(n, member, self.n_members).for_each(&job));
    }

    /// [`Crew::run`] with one result per member.
    pub(crate) fn map<R: Send>(&self, job: impl Fn(usize) -> R + Sync) -> Vec<R> {
        let results: Vec<Mutex<Option<R>>> =
            (0..self.n_members).map(|_| Mutex::new(None)).collect();
        self.run(|member| {
            let result = job(member);
            if let Ok(mut place) = results[member].lock() {
                *place = Some(result);
            }
        });
        results.into_iter().filter_map(|place| place.into_inner().ok().flatten()).collect()
    }
}

/// A member's range when `0..n` is divided evenly.
pub(crate) fn share(n: usize, member: usize, n_members: usize) -> Range<usize> {
    member * n / n_members..(member + 1) * n / n_members
}

/// A reusable barrier for a fixed number of threads.
pub(crate) struct Barrier {
    n_threads: usize,
    arrived: AtomicUsize,
    meetings: AtomicUsize,
    broken: AtomicBool,
}

impl Barrier {
    pub(crate) fn new(n_threads: usize) -> Self {
        Self {
            n_threads,
            arrived: AtomicUsize::new(0),
            meetings: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// Returns when all threads have called it; their earlier writes are then visible to all.
    pub(crate) fn wait(&self) {
        if self.n_threads == 1 {
            return;
        }
        let meeting = self.meetings.load(Ordering::Relaxed);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.n_threads {
            self.arrived.store(0, Ordering::Relaxed);
            self.meetings.store(meeting + 1, Ordering::Release);
            return;
        }
        let mut rounds = 0;
        while self.meetings.load(Ordering::Acquire) == meeting {
            assert!(!self.broken.load(Ordering::Relaxed), "another thread of the pass panicked");
            // There may be fewer cores than threads.
            if rounds < BARRIER_ROUNDS {
                rounds += 1;
                spin_loop();
            } else {
                thread::yield_now();
            }
        }
    }

    /// While the result lives, a panic in this thread releases the threads that wait for it.
    pub(crate) fn attend(&self) -> Attendance<'_> {
        Attendance(self)
    }
}

pub(crate) struct Attendance<'a>(&'a Barrier);

impl Drop for Attendance<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.broken.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_works_once_and_barriers_keep_them_in_step() {
        for _ in 0..200 {
            let crew = Crew::new();
            let barrier = Barrier::new(crew.n_members());
            let counter = AtomicUsize::new(0);
            let seen = crew.map(|member| {
                let _attendance = barrier.attend();
                counter.fetch_add(1, Ordering::Relaxed);
                barrier.wait();
                let seen = counter.load(Ordering::Relaxed);
                barrier.wait();
                (member, seen)
            });
            let n = crew.n_members();
            assert_eq!(seen, (0..n).map(|member| (member, n)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn shares_cover_everything_once() {
        for (n, n_members) in [(0, 3), (2, 3), (7, 3), (16, 1)] {
            let all: Vec<usize> = (0..n_members).flat_map(|m| share(n, m, n_members)).collect();
            assert_eq!(all, (0..n).collect::<Vec<_>>());
        }
    }
}
