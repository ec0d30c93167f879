//! Candle's own threads, as a crew's helpers.
//!
//! Candle's operations on large tensors run on a pool of threads that go on spinning for a while. Helpers
//! beside them would have to share the cores with them, in a training step after each such operation. So the
//! first crew that wants exactly as many threads as that pool has takes them, and the others have helpers of
//! their own: the pool serves one caller at a time. While a pass has it, candle's operations on large tensors
//! in other threads wait for the pass to end, as they do for one another's.

use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::utils::barrier_pool;

use super::threads::num_candle_threads;

/// Whether a crew has the pool.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The right to use the pool, for one crew at a time.
pub(super) struct CandlePool(());

impl CandlePool {
    /// The pool, if it has exactly this many threads, the caller's included, and no crew has it.
    pub(super) fn take(n_threads: usize) -> Option<Self> {
        // The pool is created when it is first asked for anything.
        if n_threads < 2 || num_candle_threads() != n_threads || is_on_pool() {
            return None;
        }
        if IS_TAKEN.swap(true, Ordering::Acquire) {
            return None;
        }
        let pool = Self(());
        (barrier_pool().n_workers() + 1 == n_threads).then_some(pool)
    }

    /// Calls `job`, which must not panic, with each member's number; the caller is member 0.
    pub(super) fn run(&self, job: impl Fn(usize) + Sync) {
        let pool = barrier_pool();
        // The caller is the pool's last thread.
        let n_threads = pool.n_workers() + 1;
        pool.execute(|thread| job((thread + 1) % n_threads));
    }
}

/// Whether this is one of the pool's threads: the pool would wait for its own job for ever.
fn is_on_pool() -> bool {
    std::thread::current().name().is_some_and(|name| name.starts_with("candle-bp-"))
}

impl Drop for CandlePool {
    fn drop(&mut self) {
        IS_TAKEN.store(false, Ordering::Release);
    }
}
