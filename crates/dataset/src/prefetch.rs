//! Prepares items ahead of time on another thread. Knows nothing of batches.

use std::any::Any;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use crate::error::{Error, Result};

/// Capacity of the queue; one more item may be in preparation.
const N_WAITING: usize = 2;

/// An iterator over `make(0)`, …, `make(n_items - 1)`, made ahead of time.
///
/// A panic in `make` becomes an error, the last item of the iterator. Dropping the iterator
/// waits for the thread, which notices after at most one more `make`.
pub(crate) struct Prefetch<T> {
    /// `None` while dropping, so that the thread sees a closed channel.
    receiver: Option<Receiver<T>>,
    thread: Option<JoinHandle<()>>,
    n_left: usize,
}

impl<T: Send + 'static> Prefetch<T> {
    /// Starts the thread.
    ///
    /// # Errors
    /// `Spawn` if the system cannot start a thread.
    pub(crate) fn start(
        n_items: usize,
        mut make: impl FnMut(usize) -> T + Send + 'static,
    ) -> Result<Self> {
        let (sender, receiver) = sync_channel(N_WAITING);
        let work = move || {
            for idx in 0..n_items {
                // A closed channel means that nobody wants the rest.
                if sender.send(make(idx)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("batch-loader".to_owned())
            .spawn(work)
            .map_err(|source| Error::Spawn { source })?;
        Ok(Self { receiver: Some(receiver), thread: Some(thread), n_left: n_items })
    }
}

impl<T> Prefetch<T> {
    /// Why the thread stopped early.
    fn last_words(&mut self) -> String {
        let outcome = self.thread.take().map(JoinHandle::join);
        match outcome {
            Some(Err(payload)) => panic_message(payload.as_ref()),
            _ => "no panic message".to_owned(),
        }
    }
}

impl<T> Iterator for Prefetch<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.n_left == 0 {
            return None;
        }
        match self.receiver.as_ref()?.recv() {
            Ok(item) => {
                self.n_left -= 1;
                Some(Ok(item))
            }
            Err(_) => {
                self.n_left = 0;
                Some(Err(Error::WorkerStopped { reason: self.last_words() }))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.n_left, Some(self.n_left))
    }
}

impl<T> ExactSizeIterator for Prefetch<T> {}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        // Close the channel before joining the thread: otherwise both would wait forever.
        self.receiver = None;
        if let Some(thread) = self.thread.take() {
            // Do not raise the thread's panic again.
            let _ = thread.join();
        }
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no panic message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn items_come_in_order_and_are_counted() {
        let mut items = Prefetch::start(5, |idx| idx * idx).unwrap();
        assert_eq!(items.len(), 5);
        assert_eq!(items.next().unwrap().unwrap(), 0);
        assert_eq!(items.len(), 4);
        assert_eq!(items.map(Result::unwrap).collect::<Vec<_>>(), [1, 4, 9, 16]);
    }

    #[test]
    fn a_panic_on_the_thread_is_the_last_item() {
        let items = Prefetch::start(5, |idx| {
            assert!(idx < 2, "no row {idx}");
            idx
        });
        let items: Vec<_> = items.unwrap().collect();
        assert_eq!(items.len(), 3);
        let message = items[2].as_ref().unwrap_err().to_string();
        assert_eq!(message, "the thread that prepares batches stopped: no row 2");
    }

    #[test]
    fn dropping_it_early_ends_the_thread_and_what_it_holds() {
        let made = Arc::new(AtomicUsize::new(0));
        let on_thread = Arc::clone(&made);
        let mut items =
            Prefetch::start(1_000_000, move |_| on_thread.fetch_add(1, Ordering::Relaxed)).unwrap();
        items.next().unwrap().unwrap();
        drop(items);
        assert_eq!(Arc::strong_count(&made), 1);
        // One taken, N_WAITING in the channel, one in preparation, one of slack.
        assert!(made.load(Ordering::Relaxed) <= 3 + N_WAITING);
    }
}
