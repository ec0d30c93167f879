//! Memory for intermediate results: aligned to cache lines and reused from pass to pass.
//!
//! A training pass needs tens of megabytes for a fraction of a second. The system provides memory
//! page by page and reclaims it when it is freed; for a large batch that costs more than the
//! pass's own element-wise arithmetic. So buffers are kept when dropped, large ones for all threads and small
//! ones by the thread that drops them, and the next pass reuses them as they are.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use super::vector::Number;

/// A fixed-length slice of numbers, aligned to a cache line.
pub(crate) struct Buffer<E> {
    block: Block,
    len: usize,
    elem: std::marker::PhantomData<E>,
}

impl<E: Number> Buffer<E> {
    /// `len` numbers with arbitrary contents from earlier use.
    pub(crate) fn scratch(len: usize) -> Self {
        Self { block: lend(n_bytes::<E>(len)), len, elem: std::marker::PhantomData }
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
        give_back(std::mem::replace(&mut self.block, Block::EMPTY));
    }
}

impl<E: Number> Deref for Buffer<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        // SAFETY: the block holds at least `len` numbers, is initialised, more strictly aligned
        // than any number, and every bit pattern is a valid f32 or f64.
        unsafe { std::slice::from_raw_parts(self.block.start.as_ptr().cast(), self.len) }
    }
}

impl<E: Number> DerefMut for Buffer<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        // SAFETY: as in `deref`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.block.start.as_ptr().cast(), self.len) }
    }
}

/// Bytes of `len` numbers. More than the address space holds is refused as any allocation of that size is.
fn n_bytes<E>(len: usize) -> usize {
    let bytes = len.checked_mul(size_of::<E>()).filter(|&bytes| bytes <= isize::MAX as usize);
    bytes.unwrap_or_else(|| handle_alloc_error(Layout::new::<E>()))
}

/// `len` zeros in a vector that outlives the kernels, such as a tensor's data.
pub(crate) fn zeroed_vec<E: Number>(len: usize) -> Vec<E> {
    // The allocator gets a block this large from the system, which zeroes it on first touch, in
    // large pages if advised beforehand.
    let mut numbers = vec![E::default(); len];
    let bytes = n_bytes::<E>(len);
    if bytes >= 2 * HUGE_PAGE {
        let start = numbers.as_mut_ptr().cast::<u8>();
        let before_page = start.align_offset(HUGE_PAGE);
        let n_pages = bytes.saturating_sub(before_page) / HUGE_PAGE;
        if let Some(start) = NonNull::new(start.wrapping_add(before_page)) {
            advise_huge_pages(start, n_pages * HUGE_PAGE);
        }
    }
    numbers
}

const CACHE_LINE: usize = 64;

/// The system's large page size on x86-64 and most 64-bit Arm.
const HUGE_PAGE: usize = 2 << 20;

/// Initialised memory.
struct Block {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a block owns its memory.
unsafe impl Send for Block {}
// SAFETY: it can only be accessed through the buffer that owns it.
unsafe impl Sync for Block {}

impl Block {
    const EMPTY: Self = Self { start: NonNull::<u64>::dangling().cast(), bytes: 0 };

    /// `bytes` is a multiple of the cache line.
    fn new(bytes: usize) -> Self {
        if bytes == 0 {
            // The address of an empty block must still be aligned.
            let Some(start) = NonNull::new(std::ptr::without_provenance_mut(CACHE_LINE)) else {
                return Self::EMPTY;
            };
            return Self { start, bytes };
        }
        let layout = Self::layout(bytes);
        // SAFETY: the layout is not empty.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        if bytes >= HUGE_PAGE {
            advise_huge_pages(start, bytes);
        }
        // SAFETY: the memory is ours and has this length.
        unsafe { start.write_bytes(0, bytes) };
        Self { start, bytes }
    }

    fn layout(bytes: usize) -> Layout {
        let align = if bytes >= HUGE_PAGE { HUGE_PAGE } else { CACHE_LINE };
        match Layout::from_size_align(bytes, align) {
            Ok(layout) => layout,
            // More than the address space: no allocator can provide it.
            Err(_) => handle_alloc_error(Layout::new::<u64>()),
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.bytes > 0 {
            // SAFETY: `new` allocated it with this layout.
            unsafe { dealloc(self.start.as_ptr(), Self::layout(self.bytes)) };
        }
    }
}

/// Asks for large pages: fewer page faults and TLB misses, and weights contiguous in physical
/// memory, which do not evict one another from the second-level cache.
fn advise_huge_pages(start: NonNull<u8>, bytes: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: advice on memory that we own; it does not change the contents. A refusal costs only time.
    unsafe {
        libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_HUGEPAGE);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, bytes);
}

/// Blocks below this size are kept by the thread that drops them: the threads of a pass would otherwise wait
/// for one another in the allocator, which takes longer than a step of a stream.
const MIN_SHARED_BYTES: usize = 64 << 10;

/// Small blocks that a thread keeps.
const MAX_SMALL_BLOCKS: usize = 32;

thread_local! {
    static SMALL: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// A small block of at least `bytes` bytes, at most twice as large, if this thread keeps one.
fn take_small(bytes: usize) -> Option<Block> {
    let take = |blocks: &RefCell<Vec<Block>>| {
        let mut blocks = blocks.borrow_mut();
        let fits = |block: &Block| (bytes..=2 * bytes).contains(&block.bytes);
        let index = blocks.iter().rposition(fits)?;
        Some(blocks.swap_remove(index))
    };
    SMALL.try_with(take).ok().flatten()
}

fn keep_small(block: Block) {
    // At the end of a thread there may be no list any more; the block is then freed.
    let _ = SMALL.try_with(|blocks| {
        let mut blocks = blocks.borrow_mut();
        if blocks.len() == MAX_SMALL_BLOCKS {
            blocks.remove(0);
        }
        blocks.push(block);
    });
}

/// Number of requests after which an unused block is freed. A pass makes about ten per thread, so
/// this covers many passes: as many as an evaluation between two epochs.
const PATIENCE: u64 = 4096;

/// The free blocks, oldest first, and statistics on the lent ones.
struct Kept {
    free: Vec<Free>,
    /// Bytes currently lent.
    lent_bytes: usize,
    /// Limit on lent and free bytes together: the most ever lent at once.
    max_bytes: usize,
    /// Requests so far.
    clock: u64,
}

struct Free {
    block: Block,
    since: u64,
}

static KEPT: Mutex<Kept> =
    Mutex::new(Kept { free: Vec::new(), lent_bytes: 0, max_bytes: 0, clock: 0 });

impl Kept {
    /// A free block of at least `bytes` bytes that is not much larger.
    fn take(&mut self, bytes: usize) -> Option<Block> {
        let fits = |free: &Free| (bytes..=bytes + bytes / 16).contains(&free.block.bytes);
        let (index, _) = self
            .free
            .iter()
            .enumerate()
            .filter(|(_, free)| fits(free))
            .min_by_key(|(_, free)| free.block.bytes)?;
        Some(self.free.remove(index).block)
    }

    fn free_bytes(&self) -> usize {
        self.free.iter().map(|free| free.block.bytes).sum()
    }

    /// Removes blocks that exceed the limit or have long been unused.
    fn evict(&mut self) -> Vec<Block> {
        let mut evicted = Vec::new();
        let is_stale = |free: &Free, clock: u64| clock - free.since > PATIENCE;
        while let Some(oldest) = self.free.first() {
            let stale = is_stale(oldest, self.clock);
            if !stale && self.lent_bytes + self.free_bytes() <= self.max_bytes {
                break;
            }
            let block = self.free.remove(0).block;
            if stale {
                self.max_bytes -= block.bytes.min(self.max_bytes);
            }
            evicted.push(block);
        }
        evicted
    }
}

/// At least `bytes` initialised bytes; a kept block that is not much larger, or a new one.
fn lend(bytes: usize) -> Block {
    let bytes = bytes.next_multiple_of(CACHE_LINE);
    if bytes < MIN_SHARED_BYTES {
        return take_small(bytes).unwrap_or_else(|| Block::new(bytes));
    }
    // Nothing inside the lock can leave the list inconsistent.
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.clock += 1;
    let block = kept.take(bytes);
    kept.lent_bytes += block.as_ref().map_or(bytes, |block| block.bytes);
    kept.max_bytes = kept.max_bytes.max(kept.lent_bytes);
    let evicted = kept.evict();
    // Free and allocate memory outside the lock.
    drop(kept);
    drop(evicted);
    block.unwrap_or_else(|| Block::new(bytes))
}

fn give_back(block: Block) {
    if block.bytes < MIN_SHARED_BYTES {
        if block.bytes > 0 {
            keep_small(block);
        }
        return;
    }
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.lent_bytes -= block.bytes;
    let since = kept.clock;
    kept.free.push(Free { block, since });
}

/// Frees the blocks that the kernels keep for their next passes: for a program that has done with training
/// and wants the memory for other work. The next passes allocate anew. (Each thread that has run passes keeps
/// up to 2 MiB of small blocks, of which only the calling thread's are freed.)
pub fn free_memory() {
    let _ = SMALL.try_with(|blocks| blocks.borrow_mut().clear());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.max_bytes = kept.lent_bytes;
    let free = std::mem::take(&mut kept.free);
    // Free memory outside the lock.
    drop(kept);
    drop(free);
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
        // Other tests may take it in between, so try several.
        let again: Vec<Buffer<f32>> = (0..4).map(|_| Buffer::zeros(len - 100)).collect();
        assert!(again.iter().any(|buffer| buffer.as_ptr() == address));
        assert!(again.iter().all(|buffer| buffer.iter().all(|&x| x == 0.0)));
        assert!(again.iter().all(|buffer| buffer.as_ptr().align_offset(64) == 0));
    }

    #[test]
    fn freed_memory_is_not_kept() {
        let len = 3_210_987;
        drop(Buffer::<f32>::scratch(len));
        free_memory();
        let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        // Other tests run at the same time, but none has buffers of this size.
        let is_ours = |free: &Free| free.block.bytes >= len * size_of::<f32>();
        assert!(!kept.free.iter().any(is_ours));
    }
}
