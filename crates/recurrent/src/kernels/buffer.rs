//! Zeroed memory whose start lies on a cache line, so that full vectors never straddle two lines.

use std::ops::{Deref, DerefMut};

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
    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let n_lines = len.div_ceil(size_of::<CacheLine>() / size_of::<E>());
        Self { lines: vec![CacheLine([0; 64]); n_lines], len, elem: std::marker::PhantomData }
    }

    /// Adds another buffer of the same length, number by number.
    pub(crate) fn add_assign(&mut self, other: &Self) {
        for (to, from) in self.iter_mut().zip(other.iter()) {
            *to += *from;
        }
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
