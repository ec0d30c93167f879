//! Byte-pair vocabularies: the library's trainer, with our ids for `[PAD]` and `[UNK]`.

use tokenizers::models::bpe::{BPE, BpeTrainer, Merges, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, ModelWrapper};

use crate::config::PreprocessingConfig;
use crate::counts::Counts;
use crate::error::{Error, Result};
use crate::vocabulary::{PAD_TOKEN, UNKNOWN_TOKEN};

/// Learns merges until the vocabulary is full or no pair is frequent enough.
///
/// `None` if there are no counts at all.
pub(crate) fn learn(config: &PreprocessingConfig, counts: Counts) -> Result<Option<ModelWrapper>> {
    if counts.is_empty() {
        return Ok(None);
    }
    // The trainer puts special tokens first, which is right for `[PAD]`; `[UNK]` comes after.
    let trainer = BpeTrainer::builder()
        .show_progress(false)
        .special_tokens(vec![AddedToken::from(PAD_TOKEN, true)])
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .min_frequency(config.min_frequency.max(1))
        .vocab_size(config.vocab_limit().map_or(usize::MAX, |limit| limit - 1))
        .build();
    let mut trained = BPE::default();
    let counts = counts.into_iter().map(|(token, count)| (token.into(), count)).collect();
    trainer.do_train(&counts, &mut trained).map_err(|source| Error::Build { source })?;

    let mut vocab: Vocab = trained.get_vocab().into_iter().collect();
    vocab.insert(UNKNOWN_TOKEN.to_owned(), vocab.len() as u32);
    let merges = merges_of(&trained).map_err(|source| Error::Build { source })?;
    model(vocab, merges).map(Some)
}

/// A byte-pair model with `[UNK]` as its unknown token.
pub(crate) fn model(vocab: Vocab, merges: Merges) -> Result<ModelWrapper> {
    BPE::builder()
        .vocab_and_merges(vocab, merges)
        .unk_token(UNKNOWN_TOKEN.to_owned())
        .build()
        .map(ModelWrapper::from)
        .map_err(|source| Error::Build { source })
}

/// The merges in their order. The library keeps them private; its JSON form shows them.
fn merges_of(bpe: &BPE) -> tokenizers::Result<Merges> {
    let mut json = serde_json::to_value(bpe)?;
    Ok(serde_json::from_value(json["merges"].take())?)
}
