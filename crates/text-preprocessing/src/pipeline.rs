//! The stages before the vocabulary, as the `tokenizers` library describes them.
//!
//! A saved `tokenizer.json` contains them, and Python's `tokenizers` runs them. They are written here in
//! that file's form; they reach the library only where needed, since compiling the patterns takes
//! milliseconds. [`Splitter`](crate::splitter::Splitter) does the same, faster.
//!
//! The patterns list every character explicitly: `\w`, `\s` and look-around differ between the
//! regular-expression engines that `tokenizers` can be built with, and look-around can silently give up
//! on long texts. The patterns here run in linear time. The one look-ahead is a single character at the
//! end of its pattern, which both engines handle without backtracking.
//!
//! `[PAD]` and `[UNK]` are entries in the vocabulary but not "added tokens": those are matched in raw
//! text, so a review that contains the letters `[PAD]` would encode to padding.

use serde::Deserialize as _;
use serde_json::{Value, json};
use tokenizers::{
    DecoderWrapper, ModelWrapper, NormalizerWrapper, PaddingDirection, PaddingParams,
    PaddingStrategy, PreTokenizerWrapper, Tokenizer, TruncationDirection, TruncationParams,
    TruncationStrategy,
};

use crate::cleaning::characters::{
    EMOJIS, INVISIBLE, JOINER, KEYCAP, KEYS, TYPOGRAPHY, class, meant_characters,
};
use crate::cleaning::emoji::{emoji_pattern, no_word_class};
use crate::cleaning::{entities, markup};
use crate::config::{PreprocessingConfig, Truncation};
use crate::error::{Error, Result};
use crate::rules::{Cleaning, TokenScheme};
use crate::special_tokens::{PAD_ID, PAD_TOKEN};

/// An HTML break, after lower-casing.
const BREAK: &str = r"<br[ \t\r\n]*/?>";

/// The body of a character class: Python's `string.punctuation`.
const ASCII_MARKS: &str = r"!-/:-@\[-`{-~";

/// The body of a character class: marks of other scripts, dashes, curly quotes, full-width forms.
const OTHER_MARKS: &str = "¡«·»¿،؛؟\u{2010}-\u{2027}\u{2030}-\u{205E}\u{3001}-\u{3003}\
                           \u{3008}-\u{3011}\u{3014}-\u{301F}\u{FF01}-\u{FF0F}\u{FF1A}-\u{FF20}\
                           \u{FF3B}-\u{FF40}\u{FF5B}-\u{FF65}";

/// The body of a character class: Unicode white space, as in `char::is_whitespace`.
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

/// The longest piece passed to byte-pair merging, in characters: learning is quadratic in a piece's
/// length, and a file without spaces would be a single piece. No English word is longer.
pub(crate) const MAX_PIECE_CHARS: usize = 64;

/// A tokenizer that normalises, splits and truncates as configured, and does not pad.
pub(crate) fn tokenizer(
    config: &PreprocessingConfig,
    model: impl Into<ModelWrapper>,
) -> Result<Tokenizer> {
    assemble(config, model.into()).map_err(|source| Error::Build { source })
}

/// The padding settings of a saved file; [`tokenizer`] itself leaves them out.
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
    let mut tokenizer = blank(config, model)?;
    let stage = normalizer(config);
    tokenizer.with_normalizer(Some(NormalizerWrapper::deserialize(stage)?))?;
    let stage = pre_tokenizer(config);
    tokenizer.with_pre_tokenizer(Some(PreTokenizerWrapper::deserialize(stage)?));
    Ok(tokenizer)
}

/// [`tokenizer`] without normalisation and splitting: the rest of the file.
pub(crate) fn without_stages(
    config: &PreprocessingConfig,
    model: impl Into<ModelWrapper>,
) -> Result<Tokenizer> {
    blank(config, model.into()).map_err(|source| Error::Build { source })
}

fn blank(config: &PreprocessingConfig, model: ModelWrapper) -> tokenizers::Result<Tokenizer> {
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_truncation(truncation(config))?;
    if config.scheme == TokenScheme::Bpe {
        tokenizer.with_decoder(Some(DecoderWrapper::deserialize(byte_level())?));
    }
    Ok(tokenizer)
}

/// The normaliser's entry in a `tokenizer.json`.
pub(crate) fn normalizer(config: &PreprocessingConfig) -> Value {
    let mut steps = match config.cleaning {
        Cleaning::V1 => vec![lower_case(), replace_pattern(BREAK, " ")],
        Cleaning::V2 => cleaning(),
    };
    match config.scheme {
        TokenScheme::Words => steps.push(replace_pattern(&format!("[{ASCII_MARKS}]"), "")),
        TokenScheme::WordsAndPunctuation | TokenScheme::Bpe => {
            if config.cleaning == Cleaning::V1 {
                steps.push(replace("\u{2019}", "'"));
            }
            // Spaces on both sides, because "don't" must split before its "n", not after.
            steps.push(replace("n't", " n't "));
        }
    }
    json!({"type": "Sequence", "normalizers": steps})
}

/// The steps of [`clean`](crate::clean) except numeric entities, then the keycap keys.
fn cleaning() -> Vec<Value> {
    let mut steps = vec![lower_case(), replace_pattern(&format!("[{}]", class(INVISIBLE)), "")];
    let replace_char = |from: char, to: char| replace(&from.to_string(), &to.to_string());
    steps.extend(meant_characters().map(|(c, meant)| replace_char(c, meant)));
    steps.extend(entities::replacements().map(|(entity, text)| replace(&entity, text)));
    steps.push(replace_pattern(&format!("{JOINER}(?=[^{}])", class(EMOJIS)), ""));
    steps.push(json!({"type": "NFC"}));
    steps.push(replace_pattern(&markup::tag_pattern(), " "));
    steps.push(replace_pattern(markup::COMMENT_PATTERN, " "));
    let folded = TYPOGRAPHY.iter();
    steps.extend(folded.map(|(marks, form)| replace_pattern(&format!("[{}]", class(marks)), form)));
    let keycap = |(key, token_key)| (format!("{key}{KEYCAP}"), format!("{token_key}{KEYCAP}"));
    steps.extend(KEYS.map(keycap).iter().map(|(from, to)| replace(from, to)));
    steps
}

fn lower_case() -> Value {
    json!({"type": "Lowercase"})
}

fn replace(from: &str, to: &str) -> Value {
    json!({"type": "Replace", "pattern": {"String": from}, "content": to})
}

fn replace_pattern(from: &str, to: &str) -> Value {
    json!({"type": "Replace", "pattern": {"Regex": from}, "content": to})
}

/// The pre-tokenizer's entry in a `tokenizer.json`.
pub(crate) fn pre_tokenizer(config: &PreprocessingConfig) -> Value {
    let stages = match (config.scheme, config.cleaning) {
        (TokenScheme::Words, Cleaning::V1) => vec![json!({"type": "WhitespaceSplit"})],
        (TokenScheme::Words, Cleaning::V2) => {
            let not_in_words = format!("{SPACES}{OTHER_MARKS}{}", no_word_class());
            vec![keep(&format!("{}|[^{not_in_words}]+", emoji_pattern()))]
        }
        (TokenScheme::WordsAndPunctuation, cleaning) => vec![words_and_marks(cleaning, "+")],
        (TokenScheme::Bpe, cleaning) => {
            let length = format!("{{1,{MAX_PIECE_CHARS}}}");
            vec![words_and_marks(cleaning, &length), byte_level()]
        }
    };
    json!({"type": "Sequence", "pretokenizers": stages})
}

/// Keeps `n't`, emojis, words of `length` (a repetition operator) and runs of marks; drops white space.
///
/// One stage rather than white space first and marks later: each stage copies every piece.
fn words_and_marks(cleaning: Cleaning, length: &str) -> Value {
    let (emojis, no_word) = match cleaning {
        Cleaning::V1 => (String::new(), String::new()),
        Cleaning::V2 => (format!("{}|", emoji_pattern()), no_word_class()),
    };
    let marks = format!("{ASCII_MARKS}{OTHER_MARKS}");
    let runs = r"\.{1,3}|!{1,3}|\?{1,3}|-{1,3}|\*{1,3}";
    keep(&format!("n't|{emojis}[^{SPACES}{marks}{no_word}]{length}|{runs}|[{marks}]"))
}

/// Inverted: the pattern matches what stays, and everything between matches is the "delimiter".
fn keep(pattern: &str) -> Value {
    json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": true})
}

/// Bytes as printable characters, with a leading space (`Ġ`) on each word and no further splitting;
/// nothing here reads offsets.
fn byte_level() -> Value {
    json!({
        "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": false,
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::word_level;
    use crate::words::Words;

    #[test]
    fn the_library_writes_the_stages_as_they_stand_here() {
        for scheme in TokenScheme::ALL {
            for cleaning in Cleaning::ALL {
                let config = PreprocessingConfig { scheme, cleaning, ..Default::default() };
                let model = word_level(&Words::default()).unwrap();
                let written = serde_json::to_value(tokenizer(&config, model).unwrap()).unwrap();
                assert_eq!(written["normalizer"], normalizer(&config), "{scheme} {cleaning}");
                assert_eq!(written["pre_tokenizer"], pre_tokenizer(&config), "{scheme} {cleaning}");
            }
        }
    }
}
