#![doc = include_str!("../README.md")]

mod columns;
mod digest;
mod encoded;
mod error;
pub mod fetch;
mod format;
mod labelled;
mod labels;
mod loader;
mod nearest;
mod predictions;
mod prefetch;
mod shuffle;
mod source;
mod split;
mod text_table;

pub use columns::{ChosenColumn, ColumnChoice, ColumnNames};
pub use digest::file_digest;
pub use encoded::EncodedSplit;
pub use error::{Error, Result};
pub use format::Format;
pub use labelled::{Deduplicated, LabelledTexts};
pub use labels::{CLASS_NAMES, parse_label};
pub use loader::{Batch, BatchPadding, Loader, LoaderConfig, Order, PADDING_ID};
pub use nearest::nearest;
pub use predictions::{PredictionColumns, Predictions};
pub use split::{MIN_ROWS, Split, SplitConfig};
pub use text_table::TextTable;
