//! The stages before the vocabulary, put together from the `tokenizers` library's own parts.
//!
//! A saved `tokenizer.json` carries them, and Python's `tokenizers` then runs the same code.
//! The patterns name every character that they mean: `\w`, `\s` and look-around differ between
//! the regular-expression engines that `tokenizers` can be built with, and look-around can give
//! up silently on long texts. What is left runs in linear time.
//!
//! `[PAD]` and `[UNK]` are entries of the vocabulary but not "added tokens": those are looked for
//! in raw text, so a review that contains the letters `[PAD]` would encode to padding.

use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Replace, Sequence as Normalizers};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::{
    ModelWrapper, PaddingDirection, PaddingParams, PaddingStrategy, SplitDelimiterBehavior,
    Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy,
};

use crate::config::{PreprocessingConfig, TokenScheme, Truncation};
use crate::error::{Error, Result};
use crate::vocabulary::{PAD_ID, PAD_TOKEN};

/// An HTML break, after lower-casing.
const BREAK: &str = r"<br[ \t\r\n]*/?>";

/// The inside of a character class: Python's `string.punctuation`.
const ASCII_MARKS: &str = r"!-/:-@\[-`{-~";

/// The inside of a character class: marks of other scripts, dashes, curly quotes, full-width forms.
const OTHER_MARKS: &str = "¡«·»¿،؛؟\u{2010}-\u{2027}\u{2030}-\u{205E}\u{3001}-\u{3003}\
                           \u{3008}-\u{3011}\u{3014}-\u{301F}\u{FF01}-\u{FF0F}\u{FF1A}-\u{FF20}\
                           \u{FF3B}-\u{FF40}\u{FF5B}-\u{FF65}";

/// The inside of a character class: Unicode's white space, what `char::is_whitespace` says.
const SPACES: &str = "\t-\r \u{85}\u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\
                      \u{3000}";

/// Whether a character is one of [`OTHER_MARKS`].
pub(crate) fn is_other_mark(c: char) -> bool {
    matches!(
        c,
        '¡' | '«' | '·' | '»' | '¿' | '،' | '؛' | '؟'
            | '\u{2010}'..='\u{2027}'
            | '\u{2030}'..='\u{205E}'
            | '\u{3001}'..='\u{3003}'
            | '\u{3008}'..='\u{3011}'
            | '\u{3014}'..='\u{301F}'
            | '\u{FF01}'..='\u{FF0F}'
            | '\u{FF1A}'..='\u{FF20}'
            | '\u{FF3B}'..='\u{FF40}'
            | '\u{FF5B}'..='\u{FF65}'
    )
}

/// Whether a character is one of [`SPACES`].
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// The longest piece given to byte-pair merging, in characters: learning is quadratic within a
/// piece, and a file without spaces would be one piece. No English word is longer.
const MAX_PIECE_CHARS: usize = 64;

/// Whether offsets leave out white space; nothing here reads offsets.
const TRIM_OFFSETS: bool = false;

/// A tokenizer that normalises, splits and cuts as `config` says, and does not pad.
pub(crate) fn tokenizer(
    config: &PreprocessingConfig,
    model: impl Into<ModelWrapper>,
) -> Result<Tokenizer> {
    assemble(config, model.into()).map_err(|source| Error::Build { source })
}

/// The padding that a saved file asks for; [`tokenizer`] itself leaves it out.
pub(crate) fn padding(config: &PreprocessingConfig) -> PaddingParams {
    PaddingParams {
        strategy: PaddingStrategy::Fixed(config.seq_len),
        direction: PaddingDirection::Left,
        pad_to_multiple_of: None,
        pad_id: PAD_ID,
        pad_type_id: 0,
        pad_token: PAD_TOKEN.to_owned(),
    }
}

fn assemble(config: &PreprocessingConfig, model: ModelWrapper) -> tokenizers::Result<Tokenizer> {
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(Normalizers::new(normalizers(config.scheme)?)))?;
    tokenizer.with_pre_tokenizer(Some(PreTokenizers::new(pre_tokenizers(config.scheme)?)));
    tokenizer.with_truncation(truncation(config))?;
    if config.scheme == TokenScheme::Bpe {
        tokenizer.with_decoder(Some(byte_level()));
    }
    Ok(tokenizer)
}

fn normalizers(scheme: TokenScheme) -> tokenizers::Result<Vec<NormalizerWrapper>> {
    let regex = |pattern: &str| ReplacePattern::Regex(pattern.to_owned());
    let mut steps = vec![Lowercase.into(), Replace::new(regex(BREAK), " ")?.into()];
    match scheme {
        TokenScheme::Words => {
            steps.push(Replace::new(regex(&format!("[{ASCII_MARKS}]")), "")?.into());
        }
        TokenScheme::WordsAndPunctuation | TokenScheme::Bpe => {
            steps.push(Replace::new("\u{2019}", "'")?.into());
            // Spaces, because "don't" has to fall apart before and not after its "n".
            steps.push(Replace::new("n't", " n't ")?.into());
        }
    }
    Ok(steps)
}

fn pre_tokenizers(scheme: TokenScheme) -> tokenizers::Result<Vec<PreTokenizerWrapper>> {
    Ok(match scheme {
        TokenScheme::Words => vec![WhitespaceSplit.into()],
        TokenScheme::WordsAndPunctuation => vec![words_and_marks("+")?.into()],
        TokenScheme::Bpe => {
            let length = format!("{{1,{MAX_PIECE_CHARS}}}");
            vec![words_and_marks(&length)?.into(), byte_level().into()]
        }
    })
}

/// Keeps `n't`, words of `length` (a repetition operator), runs of marks; drops white space.
///
/// One stage, not white space first and marks later: each stage copies every piece.
fn words_and_marks(length: &str) -> tokenizers::Result<Split> {
    let marks = format!("{ASCII_MARKS}{OTHER_MARKS}");
    let runs = r"\.{1,3}|!{1,3}|\?{1,3}|-{1,3}|\*{1,3}";
    let pattern = format!("n't|[^{SPACES}{marks}]{length}|{runs}|[{marks}]");
    // Inverted: the pattern says what stays, and what lies between is the "delimiter".
    Split::new(SplitPattern::Regex(pattern), SplitDelimiterBehavior::Removed, true)
}

/// Bytes as printable characters, a leading space (`Ġ`) on each word, no splitting of its own.
fn byte_level() -> ByteLevel {
    ByteLevel::new(true, TRIM_OFFSETS, false)
}

fn truncation(config: &PreprocessingConfig) -> Option<TruncationParams> {
    let direction = match config.truncation {
        Truncation::Head => TruncationDirection::Right,
        Truncation::Tail => TruncationDirection::Left,
        Truncation::HeadTail => return None,
    };
    Some(TruncationParams {
        direction,
        max_length: config.seq_len,
        strategy: TruncationStrategy::LongestFirst,
        stride: 0,
    })
}
