//! Progress events for the caller while files are fetched.
//!
//! The texts are ready to display, so that each program needs only a few lines to show them; this
//! library itself never prints.

/// A progress event of [`fetch`](super::fetch).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A step begins, and the previous one is done: "writing data/imdb.parquet".
    Stage(String),
    /// Progress of the current step.
    Bytes {
        /// Bytes done so far.
        done: u64,
        /// Total bytes, if known.
        total: Option<u64>,
    },
    /// A message to leave on the screen: "data/imdb.parquet was altered; recreating it".
    Note(String),
}

/// The callback for events.
pub(super) type OnEvent<'a> = &'a mut dyn FnMut(Event);
