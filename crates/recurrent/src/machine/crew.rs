//! The threads that work on one pass, and their synchronisation.
//!
//! A pass borrows helpers for as long as it runs and works itself. Helpers belong to the process, start
//! within a microsecond if they were just at work, and sleep otherwise. Passes that run at the same time
//! have crews of their own and never wait for one another. A pass takes helpers only while fewer threads are at
//! work than are allowed, so with many callers each pass runs on its caller's thread alone; only a backward
//! pass whose threads wait for one another needs as many as its forward pass had.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

#[cfg(not(recurrent_loom))]
use super::candle_pool::CandlePool;
use super::sync::{
    Arc, AtomicBool, AtomicUsize, Mutex, MutexGuard, Ordering, Place, Thread, current, park,
    spin_loop, start, yield_now,
};

/// Rounds that an idle helper spins before it sleeps: some tens of microseconds, which is longer than the
/// gaps between the passes of a training step or a stream.
const IDLE_ROUNDS: usize = if cfg!(recurrent_loom) { 1 } else { 2_000 };

/// Rounds that a thread spins for another one before it yields to other programs.
const WAIT_ROUNDS: usize = if cfg!(recurrent_loom) { 0 } else { 2_000 };

/// Threads for passes, and the number at work.
pub(crate) struct Pool {
    idle: Mutex<Vec<Arc<Helper>>>,
    at_work: AtomicUsize,
}

#[cfg(not(recurrent_loom))]
static POOL: Pool = Pool::new();

/// The pool of this process.
#[cfg(not(recurrent_loom))]
fn pool() -> &'static Pool {
    &POOL
}

/// Never called: models have pools of their own.
#[cfg(recurrent_loom)]
fn pool() -> &'static Pool {
    Box::leak(Box::new(Pool::new()))
}

/// Ignores poisoning: nothing panics while it holds one of the locks here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A thread that waits for tasks.
struct Helper {
    /// Tasks handed over so far; [`Helper::END`] ends the thread.
    given: AtomicUsize,
    /// Tasks finished so far.
    finished: AtomicUsize,
    /// The task that was handed over last.
    task: Place<Task>,
    /// To wake it; set before the helper is first used.
    thread: Mutex<Option<Thread>>,
}

/// A job and the number of the member that runs it, without the job's lifetime.
#[derive(Clone, Copy)]
struct Task {
    call: unsafe fn(*const (), usize),
    job: *const (),
    member: usize,
}

// SAFETY: it is a shared borrow of a `Sync` job; `run_on` returns only when its tasks are finished.
unsafe impl Send for Task {}
// SAFETY: as above.
unsafe impl Sync for Task {}

impl Helper {
    const END: usize = usize::MAX;

    fn start() -> std::io::Result<Arc<Self>> {
        unsafe fn nothing(_: *const (), _: usize) {}
        let task = Task { call: nothing, job: std::ptr::null(), member: 0 };
        let helper = Arc::new(Self {
            given: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
            task: Place::new(task),
            thread: Mutex::new(None),
        });
        let of_thread = Arc::clone(&helper);
        start("recurrent", move || of_thread.work())?;
        Ok(helper)
    }

    /// The life of the thread.
    fn work(&self) {
        *lock(&self.thread) = Some(current());
        let mut n_finished = 0;
        loop {
            let mut rounds = 0;
            loop {
                match self.given.load(Ordering::Acquire) {
                    Self::END => return,
                    given if given != n_finished => break,
                    _ if rounds < IDLE_ROUNDS => {
                        rounds += 1;
                        spin_loop();
                    }
                    _ => park(),
                }
            }
            // SAFETY: the acquired count says that the task is written; the next is written only after
            // this one is finished.
            let Task { call, job, member } = unsafe { self.task.get() };
            // SAFETY: `run_on` keeps the job alive until this is finished.
            unsafe { call(job, member) };
            n_finished += 1;
            self.finished.store(n_finished, Ordering::Release);
        }
    }

    fn wake(&self) {
        if let Some(thread) = &*lock(&self.thread) {
            thread.unpark();
        }
    }

    /// # Safety
    /// The last task must be finished, and what the task points to must live until this one is.
    unsafe fn give(&self, task: Task) {
        // SAFETY: the helper reads the task only after the count below.
        unsafe { self.task.set(task) };
        let given = self.given.load(Ordering::Relaxed);
        self.given.store(given + 1, Ordering::Release);
        self.wake();
    }

    fn wait(&self) {
        let given = self.given.load(Ordering::Relaxed);
        wait_until(|| self.finished.load(Ordering::Acquire) == given);
    }
}

/// Spins, then yields: there may be fewer cores than threads.
fn wait_until(mut is_done: impl FnMut() -> bool) {
    let mut rounds = 0;
    while !is_done() {
        if rounds < WAIT_ROUNDS {
            rounds += 1;
            spin_loop();
        } else {
            yield_now();
        }
    }
}

/// The calling thread, member 0, and helpers.
pub(crate) struct Crew<'a> {
    pool: &'a Pool,
    helpers: Helpers,
    n_members: usize,
    /// Members counted as being at work.
    n_counted: usize,
}

/// The other members of a crew.
enum Helpers {
    Own(Vec<Arc<Helper>>),
    #[cfg(not(recurrent_loom))]
    Candles(CandlePool),
}

impl Crew<'static> {
    /// A crew of at most `wanted` members, out of the threads that may be used and are not at work; at least
    /// the calling thread.
    pub(crate) fn of_idle(wanted: usize) -> Self {
        pool().crew_of_idle(wanted, super::threads::num_threads())
    }

    /// A crew of exactly this many members, even if there are more of them than idle cores: for members that
    /// wait for one another.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub(crate) fn of(n_members: usize) -> std::io::Result<Self> {
        pool().crew_of(n_members)
    }
}

impl Pool {
    #[cfg(not(recurrent_loom))]
    const fn new() -> Self {
        Self { idle: Mutex::new(Vec::new()), at_work: AtomicUsize::new(0) }
    }

    #[cfg(recurrent_loom)]
    fn new() -> Self {
        Self { idle: Mutex::new(Vec::new()), at_work: AtomicUsize::new(0) }
    }

    fn crew_of_idle(&self, wanted: usize, allowed: usize) -> Crew<'_> {
        let mut at_work = self.at_work.load(Ordering::Relaxed);
        let n_members = loop {
            let n_members = wanted.min(allowed.saturating_sub(at_work)).max(1);
            let now = at_work + n_members;
            let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
            match self.at_work.compare_exchange_weak(at_work, now, success, failure) {
                Ok(_) => break n_members,
                Err(changed) => at_work = changed,
            }
        };
        let mut crew = self.crew_of_counted(n_members);
        // Without a further thread the work is done all the same.
        let _ = crew.add_helpers();
        crew.n_members = crew.n_helpers() + 1;
        crew
    }

    fn crew_of(&self, n_members: usize) -> std::io::Result<Crew<'_>> {
        self.at_work.fetch_add(n_members, Ordering::Relaxed);
        let mut crew = self.crew_of_counted(n_members);
        crew.add_helpers()?;
        Ok(crew)
    }

    /// A crew without helpers, whose members are already counted.
    fn crew_of_counted(&self, n_members: usize) -> Crew<'_> {
        Crew { pool: self, helpers: Helpers::Own(Vec::new()), n_members, n_counted: n_members }
    }
}

/// Ends the helpers of a test's pool; that of the process lives as long as it does.
impl Drop for Pool {
    fn drop(&mut self) {
        for helper in lock(&self.idle).drain(..) {
            helper.given.store(Helper::END, Ordering::Release);
            helper.wake();
        }
    }
}

impl Crew<'_> {
    fn add_helpers(&mut self) -> std::io::Result<()> {
        #[cfg(not(recurrent_loom))]
        if std::ptr::eq(self.pool, &raw const POOL)
            && let Some(candles) = CandlePool::take(self.n_members)
        {
            self.helpers = Helpers::Candles(candles);
            return Ok(());
        }
        let n = self.n_members - 1;
        let mut helpers = Vec::new();
        if n > 0 {
            let mut idle = lock(&self.pool.idle);
            // The last ones to return may not be asleep yet.
            let first = idle.len().saturating_sub(n);
            helpers.extend(idle.drain(first..));
        }
        while helpers.len() < n {
            match Helper::start() {
                Ok(helper) => helpers.push(helper),
                Err(error) => {
                    self.helpers = Helpers::Own(helpers);
                    return Err(error);
                }
            }
        }
        self.helpers = Helpers::Own(helpers);
        Ok(())
    }

    fn n_helpers(&self) -> usize {
        match &self.helpers {
            Helpers::Own(helpers) => helpers.len(),
            #[cfg(not(recurrent_loom))]
            Helpers::Candles(_) => self.n_members - 1,
        }
    }

    pub(crate) fn n_members(&self) -> usize {
        self.n_members
    }

    /// Calls `job` with each member's number, on all members at the same time. A panic of a member is this
    /// call's panic, once all members have returned.
    pub(crate) fn run<J: Fn(usize) + Sync>(&self, job: J) {
        if self.n_members == 1 {
            return job(0);
        }
        let panic = Mutex::new(None);
        let guarded = |member: usize| {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| job(member))) {
                lock(&panic).get_or_insert(payload);
            }
        };
        match &self.helpers {
            Helpers::Own(helpers) => run_on(helpers, &guarded),
            #[cfg(not(recurrent_loom))]
            Helpers::Candles(candles) => candles.run(guarded),
        }
        if let Some(payload) = lock(&panic).take() {
            resume_unwind(payload);
        }
    }

    /// [`Crew::run`] with one result per member.
    pub(crate) fn map<R: Send>(&self, job: impl Fn(usize) -> R + Sync) -> Vec<R> {
        let results: Vec<Mutex<Option<R>>> =
            (0..self.n_members()).map(|_| Mutex::new(None)).collect();
        self.run(|member| {
            let result = job(member);
            *lock(&results[member]) = Some(result);
        });
        results.iter().filter_map(|place| lock(place).take()).collect()
    }
}

/// Calls `job`, which does not panic, on the caller's thread as member 0 and on each helper.
fn run_on<J: Fn(usize) + Sync>(helpers: &[Arc<Helper>], job: &J) {
    /// # Safety
    /// `job` points to a J.
    unsafe fn call<J: Fn(usize)>(job: *const (), member: usize) {
        // SAFETY: the caller vouches for it.
        unsafe { (*job.cast::<J>())(member) }
    }
    for (index, helper) in helpers.iter().enumerate() {
        let job = std::ptr::from_ref(job).cast();
        // SAFETY: this function waits for all tasks below, before `job` goes.
        unsafe { helper.give(Task { call: call::<J>, job, member: index + 1 }) };
    }
    job(0);
    for helper in helpers {
        helper.wait();
    }
}

impl Drop for Crew<'_> {
    fn drop(&mut self) {
        match &mut self.helpers {
            Helpers::Own(helpers) if helpers.is_empty() => {}
            Helpers::Own(helpers) => lock(&self.pool.idle).append(helpers),
            #[cfg(not(recurrent_loom))]
            Helpers::Candles(_) => {}
        }
        self.pool.at_work.fetch_sub(self.n_counted, Ordering::Relaxed);
    }
}

/// A member's range when `0..n` is divided evenly.
pub(crate) fn share(n: usize, member: usize, n_members: usize) -> std::ops::Range<usize> {
    member * n / n_members..(member + 1) * n / n_members
}

/// Whether a thread of a pass has panicked, so that nobody waits for it.
#[derive(Default)]
pub(crate) struct Alarm(AtomicBool);

impl Alarm {
    /// While the result lives, a panic in this thread raises the alarm.
    pub(crate) fn attend(&self) -> Attendance<'_> {
        // A pass may run in a destructor while its thread unwinds.
        Attendance { alarm: self, was_panicking: std::thread::panicking() }
    }
}

pub(crate) struct Attendance<'a> {
    alarm: &'a Alarm,
    was_panicking: bool,
}

impl Drop for Attendance<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.was_panicking {
            self.alarm.0.store(true, Ordering::Relaxed);
        }
    }
}

/// A reusable barrier for a fixed number of threads.
pub(crate) struct Barrier {
    n_threads: usize,
    arrived: AtomicUsize,
    meetings: AtomicUsize,
}

impl Barrier {
    pub(crate) fn new(n_threads: usize) -> Self {
        Self { n_threads, arrived: AtomicUsize::new(0), meetings: AtomicUsize::new(0) }
    }

    /// Returns when all threads have called it; their earlier writes are then visible to all.
    ///
    /// # Panics
    /// If another thread of the pass has panicked.
    pub(crate) fn wait(&self, alarm: &Alarm) {
        if self.n_threads == 1 {
            return;
        }
        let meeting = self.meetings.load(Ordering::Relaxed);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.n_threads {
            self.arrived.store(0, Ordering::Relaxed);
            self.meetings.store(meeting + 1, Ordering::Release);
            return;
        }
        wait_until(|| {
            let have_met = self.meetings.load(Ordering::Acquire) != meeting;
            let is_alarm = alarm.0.load(Ordering::Relaxed);
            assert!(have_met || !is_alarm, "another thread of the pass panicked");
            have_met
        });
    }
}

#[cfg(all(test, not(recurrent_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_member_works_once_and_barriers_keep_them_in_step() -> std::io::Result<()> {
        let pool = Pool::new();
        for n in (1..=4).cycle().take(200) {
            let crew = pool.crew_of(n)?;
            let (barrier, alarm) = (Barrier::new(n), Alarm::default());
            let counter = AtomicUsize::new(0);
            for round in 1..=2 {
                let seen = crew.map(|member| {
                    let _attendance = alarm.attend();
                    counter.fetch_add(1, Ordering::Relaxed);
                    barrier.wait(&alarm);
                    let seen = counter.load(Ordering::Relaxed);
                    barrier.wait(&alarm);
                    (member, seen)
                });
                assert_eq!(seen, (0..n).map(|member| (member, round * n)).collect::<Vec<_>>());
            }
        }
        assert_eq!(lock(&pool.idle).len(), 3, "helpers are reused");
        Ok(())
    }

    #[test]
    fn crews_that_run_at_the_same_time_share_the_threads_that_are_allowed() {
        let pool = Pool::new();
        let first = pool.crew_of_idle(3, 4);
        let second = pool.crew_of_idle(3, 4);
        let third = pool.crew_of_idle(3, 4);
        assert_eq!([&first, &second, &third].map(Crew::n_members), [3, 1, 1]);
        drop(first);
        assert_eq!(pool.crew_of_idle(9, 4).n_members(), 2);
        drop((second, third));
        assert_eq!(pool.at_work.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_threads_go_on_working() -> std::io::Result<()> {
        let pool = Pool::new();
        for n_panics in [1, 3] {
            let crew = pool.crew_of(3)?;
            let (barrier, alarm) = (Barrier::new(3), Alarm::default());
            let result = catch_unwind(AssertUnwindSafe(|| {
                crew.run(|member| {
                    let _attendance = alarm.attend();
                    assert!(member < 3 - n_panics, "member {member}");
                    barrier.wait(&alarm);
                });
            }));
            assert!(result.is_err());
            let members = crew.map(|member| member);
            assert_eq!(members, [0, 1, 2]);
        }
        Ok(())
    }

    #[test]
    fn shares_cover_everything_once() {
        for (n, n_members) in [(0, 3), (2, 3), (7, 3), (16, 1)] {
            let all: Vec<usize> = (0..n_members).flat_map(|m| share(n, m, n_members)).collect();
            assert_eq!(all, (0..n).collect::<Vec<_>>());
        }
    }
}

/// Models of the crew, in which `loom` tries every order of the threads' steps.
#[cfg(all(test, recurrent_loom))]
mod models {
    use super::*;

    #[test]
    fn a_job_runs_once_on_each_member_and_its_writes_are_seen() {
        loom::model(|| {
            let pool = Pool::new();
            for _ in 0..2 {
                let crew = pool.crew_of_idle(2, 2);
                let places = [Place::new(0), Place::new(0)];
                struct Places<'a>(&'a [Place<usize>; 2]);
                // SAFETY: each member writes its own place; loom checks it.
                unsafe impl Sync for Places<'_> {}
                let shared = Places(&places);
                crew.run(|member| {
                    let shared = &shared;
                    // SAFETY: no other member has this place.
                    unsafe { shared.0[member].set(member + 1) };
                });
                // SAFETY: `run` has returned.
                let seen = unsafe { [places[0].get(), places[1].get()] };
                assert_eq!(seen, [1, 2]);
            }
        });
    }

    #[test]
    fn what_a_member_wrote_before_a_barrier_is_seen_after_it() {
        loom::model(|| {
            let pool = Pool::new();
            let crew = pool.crew_of_idle(2, 2);
            let (barrier, alarm) = (Barrier::new(2), Alarm::default());
            struct Shared(Place<usize>);
            // SAFETY: member 1 writes between the barriers, member 0 reads after them; loom checks it.
            unsafe impl Sync for Shared {}
            let shared = Shared(Place::new(0));
            crew.run(|member| {
                let shared = &shared;
                if member == 1 {
                    // SAFETY: member 0 reads after the barrier.
                    unsafe { shared.0.set(7) };
                }
                barrier.wait(&alarm);
                if member == 0 {
                    // SAFETY: member 1 wrote before the barrier.
                    assert_eq!(unsafe { shared.0.get() }, 7);
                }
            });
        });
    }

    #[test]
    fn two_callers_never_have_the_same_helper() {
        loom::model(|| {
            let pool = Arc::new(Pool::new());
            let other = Arc::clone(&pool);
            let thread = loom::thread::spawn(move || {
                let crew = other.crew_of_idle(2, 2);
                crew.run(|_| {});
                crew.n_members()
            });
            let crew = pool.crew_of_idle(2, 2);
            crew.run(|_| {});
            let n_members = crew.n_members();
            drop(crew);
            let others = thread.join();
            assert!(matches!(others, Ok(1 | 2)) && (1..=2).contains(&n_members));
        });
    }
}
