//! Memory for intermediate results: aligned to cache lines, and handed from pass to pass.
//!
//! A training pass needs tens of megabytes for a fraction of a second. The system gives memory
//! page by page and takes it back when it is freed; for a large batch that costs more than the
//! pass's own element-wise arithmetic. So large buffers are kept when they are dropped and the
//! next pass gets them as they are.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use super::vector::Number;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct CacheLine([u8; 64]);

/// A fixed-length slice of numbers, aligned to 64 bytes.
pub(crate) struct Buffer<E> {
    lines: Vec<CacheLine>,
    len: usize,
    elem: std::marker::PhantomData<E>,
}

impl<E: Number> Buffer<E> {
    /// `len` numbers that were left there by someone else.
    pub(crate) fn scratch(len: usize) -> Self {
        let n_lines = len.div_ceil(size_of::<CacheLine>() / size_of::<E>());
        Self { lines: lend(n_lines), len, elem: std::marker::PhantomData }
    }

    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let mut buffer = Self::scratch(len);
        buffer.fill(E::default());
        buffer
    }
}

impl<E> Drop for Buffer<E> {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.lines));
    }
}

impl<E: Number> Deref for Buffer<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        // SAFETY: the lines hold at least `len` numbers, are initialised, more strictly aligned
        // than any number, and every bit pattern is a valid f32 or f64.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<E: Number> DerefMut for Buffer<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        // SAFETY: as in `deref`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

/// Lines below which the allocator is fast enough: 64 KiB.
const MIN_KEPT_LINES: usize = 1024;

/// Requests that a kept buffer outlives without being wanted. A pass makes some ten for each
/// thread, so this is a good number of passes: as many as an evaluation between two epochs.
const PATIENCE: u64 = 4096;

/// Buffers that nobody holds now.
struct Kept {
    free: Vec<Free>,
    /// Requests so far.
    clock: u64,
}

struct Free {
    lines: Vec<CacheLine>,
    since: u64,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { free: Vec::new(), clock: 0 });

/// At least `n_lines` initialised lines; a kept buffer that is not much larger, or a new one.
fn lend(n_lines: usize) -> Vec<CacheLine> {
    if n_lines < MIN_KEPT_LINES {
        return vec![CacheLine([0; 64]); n_lines];
    }
    // Eight sizes for each doubling, so that batches of similar lengths share buffers.
    let n_lines = n_lines.next_multiple_of(n_lines.next_power_of_two() / 16);
    // Nothing inside the lock can leave the list half changed.
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.clock += 1;
    match kept.free.iter().rposition(|free| free.lines.len() == n_lines) {
        Some(index) => kept.free.swap_remove(index).lines,
        None => {
            drop(kept);
            vec![CacheLine([0; 64]); n_lines]
        }
    }
}

fn give_back(lines: Vec<CacheLine>) {
    if lines.len() < MIN_KEPT_LINES {
        return;
    }
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let now = kept.clock;
    kept.free.push(Free { lines, since: now });
    kept.free.retain(|free| now - free.since <= PATIENCE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_lent_again_and_zeros_are_zeros() {
        let len = 123_457;
        let mut first = Buffer::<f32>::scratch(len);
        first.fill(7.0);
        let address = first.as_ptr();
        drop(first);
        // Other tests may take it in between, so look at several.
        let again: Vec<Buffer<f32>> = (0..4).map(|_| Buffer::zeros(len - 100)).collect();
        assert!(again.iter().any(|buffer| buffer.as_ptr() == address));
        assert!(again.iter().all(|buffer| buffer.iter().all(|&x| x == 0.0)));
        assert!(again.iter().all(|buffer| buffer.as_ptr().align_offset(64) == 0));
    }
}
