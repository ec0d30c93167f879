//! How many threads passes may use.

use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The value set by [`set_num_threads`]; 0 for all.
static NUM_THREADS: AtomicUsize = AtomicUsize::new(0);

/// Sets how many threads the fused CPU kernels may use from now on, in the whole process; 0 for as many as
/// there are: the value of the environment variable `CANDLE_NUM_THREADS` or `RAYON_NUM_THREADS`, else one per
/// core, but no more than the process may use (a container's quota, an affinity mask).
///
/// The number decides how the rows of a large batch are divided, and thus the order in which gradients are
/// added; how many threads are free at the moment does not change any result.
pub fn set_num_threads(n_threads: usize) {
    NUM_THREADS.store(n_threads, Ordering::Relaxed);
}

/// How many threads the fused CPU kernels may use together; see [`set_num_threads`].
pub fn num_threads() -> usize {
    match NUM_THREADS.load(Ordering::Relaxed) {
        0 => default_num_threads(),
        n_threads => n_threads,
    }
}

fn default_num_threads() -> usize {
    static DEFAULT: OnceLock<usize> = OnceLock::new();
    *DEFAULT.get_or_init(|| {
        asked_for().unwrap_or_else(|| {
            let allowed = std::thread::available_parallelism().map_or(1, NonZero::get);
            // Candle counts cores: a second thread of the same core adds nothing to a product.
            candle_core::utils::get_num_threads().clamp(1, allowed)
        })
    })
}

/// Threads of candle's pool, the caller's included.
pub(super) fn num_candle_threads() -> usize {
    static CANDLES: OnceLock<usize> = OnceLock::new();
    *CANDLES.get_or_init(|| asked_for().unwrap_or_else(candle_core::utils::get_num_threads))
}

/// The number in the environment.
fn asked_for() -> Option<usize> {
    ["CANDLE_NUM_THREADS", "RAYON_NUM_THREADS"].into_iter().find_map(|name| {
        std::env::var(name).ok()?.parse().ok().filter(|&n_threads: &usize| n_threads > 0)
    })
}
