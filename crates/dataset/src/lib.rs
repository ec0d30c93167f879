#![doc = include_str!("../README.md")]

mod answers;
pub mod check;
mod chunked;
mod classes;
mod columns;
mod digest;
mod duplicates;
mod encoded;
mod error;
pub mod fetch;
mod folds;
mod grouped;
mod groups;
mod iterative;
mod label_key;
mod label_map;
mod label_words;
mod labelled;
mod labels;
mod loader;
mod memory;
mod nearest;
mod prefetch;
mod quoted;
mod shuffle;
mod split;
mod split_parts;
mod tables;
mod targets;
mod task_kind;
mod weights;
mod wording;

pub use answers::{
    AnswerKind, AnswerName, AnswerValues, AnswerWriter, Layout, OutputOptions, Written,
    check_output,
};
pub use chunked::{ChunkedTable, Chunks, TextChunk};
pub use classes::{CLASS_NAMES, Classes};
pub use columns::{ChosenColumn, ColumnChoice, ColumnNames};
pub use duplicates::{Conflicts, Deduplicated};
pub use encoded::EncodedSplit;
pub use error::{Error, Result};
pub use folds::{Fold, MIN_FOLDS};
pub use label_map::LabelMap;
pub use label_words::parse_label;
pub use labelled::LabelledTexts;
pub use labels::{ClassesOf, LabelOptions};
pub use loader::{Batch, BatchPadding, Loader, LoaderConfig, Order};
pub use memory::Labels;
pub use nearest::nearest;
pub use shuffle::epoch_order;
pub use split::MIN_ROWS;
pub use split_parts::{Split, SplitConfig};
pub use tables::write::{Existing, ParquetFile, ParquetKind, ParquetValues};
pub use tables::{
    BadRows, Change, DataFile, Encoding, Fault, Format, Header, Missing, Note, Place, QuoteCause,
    Quoting, ReadNotes, ReadOptions, Separator,
};
pub use targets::Targets;
pub use task_kind::TaskKind;
