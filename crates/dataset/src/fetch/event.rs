//! What a caller hears while files are fetched.
//!
//! The texts are ready to show, so that drawing them is a few lines in each program; this library
//! itself never prints.

/// One piece of news from [`fetch`](super::fetch).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A step begins, and the one before it is over: "writing data/imdb.parquet".
    Stage(String),
    /// How far the running step is.
    Bytes {
        /// Bytes done so far.
        done: u64,
        /// Bytes in all, where known.
        total: Option<u64>,
    },
    /// Something to leave on the screen: "data/imdb.parquet was altered; making it anew".
    Note(String),
}

/// Where the news goes.
pub(super) type OnEvent<'a> = &'a mut dyn FnMut(Event);
