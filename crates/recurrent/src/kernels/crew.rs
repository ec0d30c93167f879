//! Helper threads that start on a pass within a microsecond, and what keeps them in step.
//!
//! Some passes are over in microseconds (one step of a stream), and some need all threads to meet
//! after each step. A work-stealing pool suits neither: it may run two jobs of one pass one after
//! the other on one thread, which would wait for itself. So the kernels have a few threads of
//! their own. One pass has them at a time; a second pass that runs meanwhile, from another thread
//! of the program, does its work alone.

use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, Thread};

/// Rounds that a helper without work looks for some before it sleeps: some 20 µs.
const IDLE_ROUNDS: usize = 1000;

/// Rounds that a thread waits for another at a barrier before it lets other programs run.
const BARRIER_ROUNDS: usize = 2_000;

type Job = dyn Fn(usize) + Sync;

/// A sleeping or searching helper, as its crew sees it.
struct Helper {
    post: Arc<Post>,
    thread: Thread,
}

/// Where a helper gets its jobs.
struct Post {
    /// Jobs posted so far.
    posted: AtomicUsize,
    /// Jobs done so far; equal to `posted` when the helper is free.
    done: AtomicUsize,
    job: UnsafeCell<Option<*const Job>>,
    panicked: AtomicBool,
}

// SAFETY: `job` is written only by the crew's one owner while the helper is free, and read only by
// the helper between `posted` and `done`, whose release and acquire order the two.
unsafe impl Send for Post {}
// SAFETY: as above.
unsafe impl Sync for Post {}

static HELPERS: Mutex<Vec<Helper>> = Mutex::new(Vec::new());

/// What [`set_num_threads`] asked for; 0 for candle's number.
static NUM_THREADS: AtomicUsize = AtomicUsize::new(0);

/// Sets how many threads the fused CPU kernels may use from now on, in the whole process; 0 for
/// as many as candle uses (one per core, or the environment variable `RAYON_NUM_THREADS`).
pub fn set_num_threads(n_threads: usize) {
    NUM_THREADS.store(n_threads, Ordering::Relaxed);
}

/// How many threads a pass may use.
pub(crate) fn num_threads() -> usize {
    match NUM_THREADS.load(Ordering::Relaxed) {
        0 => candle_core::utils::get_num_threads(),
        n_threads => n_threads,
    }
}

/// The threads that work on one pass: the caller, who is member 0, and helpers.
pub(crate) struct Crew {
    helpers: Option<MutexGuard<'static, Vec<Helper>>>,
    n_members: usize,
}

impl Crew {
    /// At most `n_members`; fewer if the helpers are busy or the system gives no threads.
    pub(crate) fn hire(n_members: usize) -> Self {
        if n_members < 2 {
            return Self { helpers: None, n_members: 1 };
        }
        let mut helpers = match HELPERS.try_lock() {
            Ok(helpers) => helpers,
            // A panic leaves the list whole.
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Self { helpers: None, n_members: 1 },
        };
        while helpers.len() + 1 < n_members {
            let Some(helper) = start_helper(helpers.len() + 1) else { break };
            helpers.push(helper);
        }
        let n_members = n_members.min(helpers.len() + 1);
        Self { helpers: Some(helpers), n_members }
    }

    /// As many of `n_members` as threads were ever started, if need be after waiting for them.
    pub(crate) fn wait_for(n_members: usize) -> Self {
        if n_members < 2 {
            return Self { helpers: None, n_members: 1 };
        }
        let helpers = HELPERS.lock().unwrap_or_else(PoisonError::into_inner);
        let n_members = n_members.min(helpers.len() + 1);
        Self { helpers: Some(helpers), n_members }
    }

    pub(crate) fn n_members(&self) -> usize {
        self.n_members
    }

    /// Calls `job` with each member's number, on all members at once.
    pub(crate) fn run(&self, job: &(dyn Fn(usize) + Sync)) {
        let helpers = match &self.helpers {
            Some(helpers) => &helpers[..self.n_members - 1],
            None => &[],
        };
        // SAFETY: only the lifetime changes. Helpers use the job until they are done, and
        // `all_done` waits for that before this function is left, even by a panic.
        let job_for_helpers =
            unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static Job>(job) };
        let all_done = WaitForAll(helpers);
        for helper in helpers {
            // SAFETY: the helper is free: the crew is ours alone, and every `run` waits.
            unsafe { *helper.post.job.get() = Some(job_for_helpers) };
            helper.post.panicked.store(false, Ordering::Relaxed);
            helper.post.posted.fetch_add(1, Ordering::Release);
            helper.thread.unpark();
        }
        job(0);
        drop(all_done);
        if helpers.iter().any(|helper| helper.post.panicked.load(Ordering::Relaxed)) {
            resume_unwind(Box::new("a helper thread of a recurrent layer panicked"));
        }
    }

    /// Calls `job` once with each number below `n`, dealt to the members in stretches.
    pub(crate) fn for_each(&self, n: usize, job: impl Fn(usize) + Sync) {
        self.run(&|member| share(n, member, self.n_members).for_each(&job));
    }

    /// [`Crew::run`], with one result for each member.
    pub(crate) fn map<R: Send>(&self, job: impl Fn(usize) -> R + Sync) -> Vec<R> {
        let results: Vec<Mutex<Option<R>>> =
            (0..self.n_members).map(|_| Mutex::new(None)).collect();
        self.run(&|member| {
            let result = job(member);
            if let Ok(mut place) = results[member].lock() {
                *place = Some(result);
            }
        });
        results.into_iter().filter_map(|place| place.into_inner().ok().flatten()).collect()
    }
}

/// The stretch of `0..n` that a member gets of an even division.
pub(crate) fn share(n: usize, member: usize, n_members: usize) -> std::ops::Range<usize> {
    member * n / n_members..(member + 1) * n / n_members
}

struct WaitForAll<'a>(&'a [Helper]);

impl Drop for WaitForAll<'_> {
    fn drop(&mut self) {
        for helper in self.0 {
            let mut waiting = Waiting::default();
            let posted = helper.post.posted.load(Ordering::Relaxed);
            while helper.post.done.load(Ordering::Acquire) != posted {
                waiting.round();
            }
        }
    }
}

fn start_helper(member: usize) -> Option<Helper> {
    let post = Arc::new(Post {
        posted: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        job: UnsafeCell::new(None),
        panicked: AtomicBool::new(false),
    });
    let its_post = Arc::clone(&post);
    let spawned = thread::Builder::new()
        .name(format!("recurrent-{member}"))
        .spawn(move || helper_loop(member, &its_post));
    Some(Helper { post, thread: spawned.ok()?.thread().clone() })
}

fn helper_loop(member: usize, post: &Post) {
    for n_done in 0.. {
        let mut rounds = 0;
        while post.posted.load(Ordering::Acquire) == n_done {
            if rounds < IDLE_ROUNDS {
                rounds += 1;
                spin_loop();
            } else {
                thread::park();
            }
        }
        // SAFETY: a job was posted and is not done, so the crew's owner does not write.
        if let Some(job) = unsafe { *post.job.get() } {
            // SAFETY: the owner keeps the job alive until it is done.
            let job = unsafe { &*job };
            if catch_unwind(AssertUnwindSafe(|| job(member))).is_err() {
                post.panicked.store(true, Ordering::Relaxed);
            }
        }
        post.done.store(n_done + 1, Ordering::Release);
    }
}

/// Spins for a while, then lets other threads run: there may be fewer cores than threads.
#[derive(Default)]
struct Waiting {
    rounds: usize,
}

impl Waiting {
    fn round(&mut self) {
        if self.rounds < BARRIER_ROUNDS {
            self.rounds += 1;
            spin_loop();
        } else {
            thread::yield_now();
        }
    }
}

/// Where a fixed number of threads wait for one another, as often as they like.
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

    /// Returns when all threads have called it; what they wrote before is visible to all then.
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
        let mut waiting = Waiting::default();
        while self.meetings.load(Ordering::Acquire) == meeting {
            assert!(!self.broken.load(Ordering::Relaxed), "another thread of the pass panicked");
            waiting.round();
        }
    }

    /// While the result lives, a panic of this thread frees those that wait for it.
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
            let crew = Crew::hire(3);
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
    fn a_second_crew_works_alone_while_the_first_is_held() {
        let first = Crew::hire(2);
        // Another test may hold the helpers, and then the first works alone as well.
        let second = Crew::hire(2);
        assert_eq!(second.n_members(), 1);
        assert_eq!(second.map(|member| member), [0]);
        drop(first);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_the_crew_usable() {
        let caught = catch_unwind(|| {
            let crew = Crew::hire(2);
            let barrier = Barrier::new(crew.n_members());
            crew.run(&|member| {
                let _attendance = barrier.attend();
                assert!(member + 1 < crew.n_members(), "the last member fails");
                barrier.wait();
            });
        });
        assert!(caught.is_err());
        let crew = Crew::hire(2);
        assert_eq!(crew.map(|member| member).len(), crew.n_members());
    }

    #[test]
    fn shares_cover_everything_once() {
        for (n, n_members) in [(0, 3), (2, 3), (7, 3), (16, 1)] {
            let all: Vec<usize> = (0..n_members).flat_map(|m| share(n, m, n_members)).collect();
            assert_eq!(all, (0..n).collect::<Vec<_>>());
        }
    }
}
