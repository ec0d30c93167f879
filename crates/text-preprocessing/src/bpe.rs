//! Byte-pair vocabularies: the library's trainer and merging, applied to the pieces that
//! [`Splitter`](crate::splitter::Splitter) finds, with our own ids for `[PAD]` and `[UNK]`.

use std::sync::LazyLock;

use hashbrown::HashMap;
use tokenizers::models::bpe::{BPE, BpeTrainer, Merges, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Model as _};

use crate::config::PreprocessingConfig;
use crate::counts::WordCounts;
use crate::error::{Error, Result};
use crate::special_tokens::{PAD_TOKEN, UNKNOWN_TOKEN};

/// Learns merges until the vocabulary is full or no pair is frequent enough.
///
/// `None` if there are no counts.
pub(crate) fn learn(config: &PreprocessingConfig, counts: &WordCounts) -> Result<Option<BPE>> {
    if counts.is_empty() {
        return Ok(None);
    }
    // The trainer puts special tokens first, which is right for `[PAD]`; `[UNK]` is added at the end.
    let trainer = BpeTrainer::builder()
        .show_progress(false)
        .special_tokens(vec![AddedToken::from(PAD_TOKEN, true)])
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .min_frequency(config.min_frequency.max(1))
        .vocab_size(config.vocab_limit().map_or(usize::MAX, |limit| limit - 1))
        .build();
    let mut trained = BPE::default();
    let counts = counts.iter().map(|(piece, count)| (with_space(piece).into(), count)).collect();
    trainer.do_train(&counts, &mut trained).map_err(|source| Error::Build { source })?;

    let mut vocab: Vocab = trained.get_vocab().into_iter().collect();
    vocab.insert(UNKNOWN_TOKEN.to_owned(), vocab.len() as u32);
    let merges = merges_of(&trained).map_err(|source| Error::Build { source })?;
    model(vocab, merges).map(Some)
}

/// A byte-pair model with `[UNK]` as its unknown token.
pub(crate) fn model(vocab: Vocab, merges: Merges) -> Result<BPE> {
    BPE::builder()
        .vocab_and_merges(vocab, merges)
        .unk_token(UNKNOWN_TOKEN.to_owned())
        .build()
        .map_err(|source| Error::Build { source })
}

/// The merges in order. The library keeps them private, but its JSON form exposes them.
fn merges_of(bpe: &BPE) -> tokenizers::Result<Merges> {
    let mut json = serde_json::to_value(bpe)?;
    Ok(serde_json::from_value(json["merges"].take())?)
}

/// The printable stand-ins for bytes in byte-level vocabularies: the byte's Latin-1 character if it is
/// printable, else a character from U+0100 onwards.
static STAND_INS: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut others = '\u{100}'..;
    std::array::from_fn(|byte| match byte as u8 {
        byte @ (b'!'..=b'~' | 0xA1..=0xAC | 0xAE..) => char::from(byte),
        _ => others.next().unwrap_or_default(),
    })
});

/// A piece with a leading space, each byte replaced by its stand-in.
pub(crate) fn with_space(piece: &str) -> String {
    let stand_ins = &*STAND_INS;
    std::iter::once(b' ').chain(piece.bytes()).map(|byte| stand_ins[usize::from(byte)]).collect()
}

/// Merges pieces into ids and caches the results.
pub(crate) struct Merger<'a> {
    model: &'a BPE,
    /// Start and end of a piece's ids in `ids`.
    seen: HashMap<String, (usize, usize)>,
    ids: Vec<u32>,
}

impl<'a> Merger<'a> {
    pub(crate) fn new(model: &'a BPE) -> Self {
        Self { model, seen: HashMap::new(), ids: Vec::new() }
    }

    /// The ids of a piece.
    ///
    /// # Errors
    /// [`Error::Encode`]; no piece is known to cause it.
    pub(crate) fn ids_of(&mut self, piece: &str) -> Result<&[u32]> {
        let (start, end) = match self.seen.get(piece) {
            Some(place) => *place,
            None => {
                let tokens = self
                    .model
                    .tokenize(&with_space(piece))
                    .map_err(|source| Error::Encode { source })?;
                let start = self.ids.len();
                self.ids.extend(tokens.iter().map(|token| token.id));
                let place = (start, self.ids.len());
                self.seen.insert(piece.to_owned(), place);
                place
            }
        };
        Ok(&self.ids[start..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_are_the_librarys() {
        let mut ours = STAND_INS.to_vec();
        ours.sort_unstable();
        let mut theirs: Vec<char> = ByteLevel::alphabet().into_iter().collect();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
        assert_eq!(with_space("né\u{AD}"), "ĠnÃ©Âł".replace('ł', "Ń"));
    }
}
