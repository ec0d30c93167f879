//! A trained model as a folder: what it holds, how it is written and read.
//!
//! | file | holds |
//! |---|---|
//! | `model.safetensors` | the weights under PyTorch's `state_dict` names, f32 |
//! | `config.json` | format version, id, task, thresholds, network, preprocessing, vocabulary size |
//! | `tokenizer.json` | the vocabulary, readable by the Python `tokenizers` package |
//! | `metrics.json` | what training measured |
//! | `ngrams.safetensors` | with a linear path: its n-grams, their values and, where they are a path, their ratios |
//! | `seen_texts.safetensors` | digests of the texts that the model has seen; may be deleted |
//! | `curve.svg` | the learning curve, for people; may be deleted |
//!
//! All but the curve carry the id of their model ([`ModelId`]; `tokenizer.json`, a standard file, is
//! identified by its digest), so that files of two models are never mixed.
//!
//! [`OutputFolder`] writes: it is claimed by one process at a time, replaced as a whole, and cleared of
//! leftovers. [`Classifier::open`](crate::Classifier::open) reads, even while a folder is being replaced. Start with `output.rs` and
//! `load.rs`; `lock.rs` and `replace.rs` have the system calls, `format.rs` the versions.

mod claim;
mod files;
mod format;
mod hints;
mod identity;
mod load;
mod lock;
mod output;
mod read_files;
mod replace;
mod seen;
mod trained;

pub use claim::is_claimed;
pub use files::{
    CONFIG_FILE, CURVE_FILE, METRICS_FILE, NGRAMS_FILE, SEEN_TEXTS_FILE, TOKENIZER_FILE,
    WEIGHTS_FILE,
};
pub use format::drop_retired;
pub(crate) use identity::Identifier;
pub use identity::{MODEL_ID, ModelId};
pub use load::{Records, load_with_records};
pub use output::{Existing, OutputFolder, SavedModel};
pub use read_files::read_files;
pub use seen::SeenTexts;
pub use trained::TrainedModel;
