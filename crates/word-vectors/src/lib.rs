#![doc = include_str!("../README.md")]

mod error;
mod header;
mod nearest;
mod notes;
mod origin;
mod read;
mod store;
mod unpack;
mod words;
mod writer;

pub use error::{Error, Result};
pub use nearest::Near;
pub use notes::{Counted, Notes};
pub use origin::Origin;
pub use read::{ConvertRequest, Converted, WordsRead, convert, read_json, read_words};
pub use store::Store;
pub use writer::StoreWriter;
