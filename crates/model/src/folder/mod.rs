//! A trained model as a folder: what it holds, how it is written and read.
//!
//! | file | holds |
//! |---|---|
//! | `model.safetensors` | the weights under PyTorch's `state_dict` names, f32 |
//! | `config.json` | format version, id, network, preprocessing, vocabulary size |
//! | `tokenizer.json` | the vocabulary, readable by the Python `tokenizers` package |
//! | `metrics.json` | what training measured |
//! | `ngrams.safetensors` | with a linear path: its n-grams and their values |
//! | `seen_texts.safetensors` | digests of the texts that the model has seen; may be deleted |
//! | `curve.svg` | the learning curve, for people; may be deleted |
//!
//! All but the curve carry the id of the model that they are part of ([`ModelId`]; `tokenizer.json`, a
//! standard file, is known by its digest), so that files of two models do not pass for one.
//!
//! [`OutputFolder`] writes: claimed by one process at a time, replaced whole, swept. [`load`] reads, also while
//! a folder is replaced. Open `output.rs` and `load.rs` first; `lock.rs` and `replace.rs` have what the system
//! gives, `format.rs` the versions.

mod claim;
mod files;
mod format;
mod hints;
mod identity;
mod load;
mod lock;
mod output;
mod replace;
mod seen;

use text_preprocessing::TextEncoder;

use crate::network::SentimentRnn;

pub use files::{
    CONFIG_FILE, CURVE_FILE, METRICS_FILE, NGRAMS_FILE, SEEN_TEXTS_FILE, TOKENIZER_FILE,
    WEIGHTS_FILE,
};
pub(crate) use identity::Identifier;
pub use identity::{MODEL_ID, ModelId};
pub use load::{Records, load, load_with_records};
pub use output::{Existing, OutputFolder};
pub use seen::SeenTexts;

/// A network with the encoder that its ids come from.
#[derive(Debug, Clone)]
pub struct TrainedModel {
    /// The network.
    pub network: SentimentRnn,
    /// The encoder whose vocabulary the network was trained with.
    pub encoder: TextEncoder,
}
