//! A slice that several threads fill, each in its own places.

use std::marker::PhantomData;
use std::ops::Range;

/// Numbers of which some are read while others may be written.
pub(crate) struct Source<'a, E> {
    start: *const E,
    len: usize,
    slice: PhantomData<&'a [E]>,
}

impl<E> Clone for Source<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Source<'_, E> {}

// SAFETY: it is a shared borrow of numbers; those who read promise that nothing writes them meanwhile.
unsafe impl<E: Sync> Send for Source<'_, E> {}
// SAFETY: as above.
unsafe impl<E: Sync> Sync for Source<'_, E> {}

impl<'a, E> Source<'a, E> {
    #[inline(always)]
    pub(crate) fn new(slice: &'a [E]) -> Self {
        Self { start: slice.as_ptr(), len: slice.len(), slice: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *const E {
        self.start
    }

    /// # Safety
    /// Nothing may write to the range while the result lives.
    #[inline(always)]
    pub(crate) unsafe fn read(&self, range: Range<usize>) -> &'a [E] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: the range lies in the slice; the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts(self.start.add(range.start), range.len()) }
    }
}

/// A mutable slice whose parts are lent out without compiler proof that they are disjoint.
///
/// Its methods are unsafe for one reason only: between two barriers, no thread may read or write
/// what another thread writes.
pub(crate) struct Shared<'a, E> {
    start: *mut E,
    len: usize,
    slice: PhantomData<&'a mut [E]>,
}

impl<E> Clone for Shared<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Shared<'_, E> {}

// SAFETY: it is a mutable borrow of numbers; callers that use it from several threads promise, as
// above, that their accesses do not overlap.
unsafe impl<E: Send + Sync> Send for Shared<'_, E> {}
// SAFETY: as above.
unsafe impl<E: Send + Sync> Sync for Shared<'_, E> {}

impl<'a, E> Shared<'a, E> {
    pub(crate) fn new(slice: &'a mut [E]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Pointer to the numbers from `first` on.
    #[inline(always)]
    pub(crate) fn source(&self, first: usize) -> Source<'a, E> {
        assert!(first <= self.len);
        // SAFETY: the result is at most the end of the slice.
        let start = unsafe { self.start.add(first) };
        Source { start, len: self.len - first, slice: PhantomData }
    }

    /// # Safety
    /// Nothing may write to the range while the result lives.
    #[inline(always)]
    pub(crate) unsafe fn read(&self, range: Range<usize>) -> &'a [E] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: the range lies in the slice; the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts(self.start.add(range.start), range.len()) }
    }

    /// # Safety
    /// Nothing else may read or write the range while the result lives.
    #[inline(always)]
    pub(crate) unsafe fn write(&self, range: Range<usize>) -> &'a mut [E] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: the range lies in the slice; the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}
