//! The primitives that threads synchronise with: the standard library's, or `loom`'s, which tries every
//! order in which threads can run (`cargo xtask loom`).

#[cfg(not(recurrent_loom))]
pub(super) use std::{
    hint::spin_loop,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    sync::{Arc, Mutex, MutexGuard},
    thread::{Thread, current, park, yield_now},
};

#[cfg(recurrent_loom)]
pub(super) use loom::{
    hint::spin_loop,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    sync::{Arc, Mutex, MutexGuard},
    thread::{Thread, current, park, yield_now},
};

/// Starts a thread.
#[cfg(not(recurrent_loom))]
pub(super) fn start(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_string()).spawn(run).map(drop)
}

/// Starts a thread.
#[cfg(recurrent_loom)]
pub(super) fn start(_: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    drop(loom::thread::spawn(run));
    Ok(())
}

/// A place that one thread writes and another reads later.
#[cfg(not(recurrent_loom))]
pub(super) struct Place<T>(std::cell::UnsafeCell<T>);

#[cfg(not(recurrent_loom))]
impl<T: Copy> Place<T> {
    pub(super) fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// # Safety
    /// Nothing may write at the same time.
    pub(super) unsafe fn get(&self) -> T {
        // SAFETY: the caller vouches for it.
        unsafe { *self.0.get() }
    }

    /// # Safety
    /// Nothing else may read or write at the same time.
    pub(super) unsafe fn set(&self, value: T) {
        // SAFETY: the caller vouches for it.
        unsafe { *self.0.get() = value };
    }
}

/// A place that one thread writes and another reads later; loom checks that they do.
#[cfg(recurrent_loom)]
pub(super) struct Place<T>(loom::cell::UnsafeCell<T>);

#[cfg(recurrent_loom)]
impl<T: Copy> Place<T> {
    pub(super) fn new(value: T) -> Self {
        Self(loom::cell::UnsafeCell::new(value))
    }

    /// # Safety
    /// Nothing may write at the same time.
    pub(super) unsafe fn get(&self) -> T {
        // SAFETY: the caller vouches for it.
        self.0.with(|value| unsafe { *value })
    }

    /// # Safety
    /// Nothing else may read or write at the same time.
    pub(super) unsafe fn set(&self, value: T) {
        // SAFETY: the caller vouches for it.
        self.0.with_mut(|place| unsafe { *place = value });
    }
}

// SAFETY: both accesses are unsafe, and callers promise that they do not overlap.
unsafe impl<T: Send> Sync for Place<T> {}
