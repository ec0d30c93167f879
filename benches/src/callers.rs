//! Threads that all call something as fast as they can, and how often each of them succeeds.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};

/// What one thread calls repeatedly.
pub type Call<'a> = Box<dyn FnMut() -> Result<()> + Send + 'a>;

/// Runs each call repeatedly on its own thread, all at once, for `duration`. Returns how often each ran per
/// second, in the order of the calls.
///
/// Each call runs once before, untimed. Only what ends within the duration counts, so that all calls work
/// throughout; a call that takes longer than that counts once.
///
/// # Errors
/// If a call fails or panics.
pub fn calls_per_second(mut calls: Vec<Call<'_>>, duration: Duration) -> Result<Vec<f64>> {
    for call in &mut calls {
        call().context("the warm-up failed")?;
    }
    let start = &Barrier::new(calls.len());
    thread::scope(|scope| {
        let threads: Vec<_> = calls
            .into_iter()
            .map(|call| {
                scope.spawn(move || {
                    start.wait();
                    repeat(call, duration)
                })
            })
            .collect();
        let joined = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(anyhow!("a calling thread panicked")))
        });
        // Waits for all threads before it reports an error.
        joined.collect::<Vec<_>>().into_iter().collect()
    })
}

/// Calls for `duration`, at least once; returns calls per second.
fn repeat(mut call: Call<'_>, duration: Duration) -> Result<f64> {
    let started = Instant::now();
    let (mut n_calls, mut last_end) = (0, Duration::ZERO);
    loop {
        call()?;
        let now = started.elapsed();
        if now < duration || n_calls == 0 {
            n_calls += 1;
            last_end = now;
        }
        if now >= duration {
            return Ok(f64::from(n_calls) / last_end.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use anyhow::bail;

    use super::*;

    #[test]
    fn every_call_runs_and_a_slow_one_counts_once() -> Result<()> {
        let n_fast = AtomicUsize::new(0);
        let fast: Call = Box::new(|| {
            n_fast.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(1));
            Ok(())
        });
        let slow: Call = Box::new(|| {
            thread::sleep(Duration::from_millis(60));
            Ok(())
        });
        let rates = calls_per_second(vec![fast, slow], Duration::from_millis(30))?;
        assert!(n_fast.into_inner() >= 2);
        assert!(rates[0] > 0.0 && rates[0] <= 1000.0, "{rates:?}");
        assert!(rates[1] > 0.0 && rates[1] <= 1000.0 / 60.0, "{rates:?}");
        Ok(())
    }

    #[test]
    fn one_failing_call_fails_all() {
        let mut n_calls = 0;
        let failing: Call = Box::new(move || {
            n_calls += 1;
            if n_calls == 3 {
                bail!("the third call");
            }
            Ok(())
        });
        let fine: Call = Box::new(|| Ok(()));
        let result = calls_per_second(vec![fine, failing], Duration::from_millis(5));
        assert_eq!(result.unwrap_err().to_string(), "the third call");
    }
}
