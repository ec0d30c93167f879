//! Text to words, as the pipeline of [`pipeline`](crate::pipeline) makes them, in one pass.
//!
//! The library's stages keep track of where every character came from, which nobody asks here, and
//! take seconds where this takes tenths. They stay the definition: they are what a saved `tokenizer.json`
//! holds, and the tests below compare the two on every kind of text.

use crate::config::TokenScheme;
use crate::pipeline::{is_other_mark, is_space};

/// Splits texts; keeps its memory from text to text.
pub(crate) struct Splitter {
    scheme: WordScheme,
    /// A text in lower case.
    lower: String,
}

/// The schemes whose tokens are words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WordScheme {
    Words,
    WordsAndPunctuation,
}

impl WordScheme {
    /// `None` if the scheme's tokens are no words.
    pub(crate) fn of(scheme: TokenScheme) -> Option<Self> {
        match scheme {
            TokenScheme::Words => Some(Self::Words),
            TokenScheme::WordsAndPunctuation => Some(Self::WordsAndPunctuation),
            TokenScheme::Bpe => None,
        }
    }
}

impl Splitter {
    pub(crate) fn new(scheme: WordScheme) -> Self {
        Self { scheme, lower: String::new() }
    }

    /// Calls `on_token` with every token of a text, until it says that it has enough.
    pub(crate) fn split(&mut self, text: &str, on_token: &mut dyn FnMut(&str) -> Flow) {
        self.lower.clear();
        self.lower.reserve(text.len());
        match self.scheme {
            WordScheme::Words => {
                lower_without_marks(text, &mut self.lower);
                split_at_spaces(&self.lower, on_token);
            }
            WordScheme::WordsAndPunctuation => {
                lower(text, &mut self.lower);
                split_words_and_marks(&self.lower, on_token);
            }
        }
    }
}

/// Whether there is more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    Stop,
}

/// The length of an HTML break (`<br`, white space, `/`, `>`) at the start of `bytes`, 0 if there is
/// none.
fn break_len(bytes: &[u8]) -> usize {
    if !bytes.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"<br")) {
        return 0;
    }
    let mut len = 3;
    while matches!(bytes.get(len), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        len += 1;
    }
    len += usize::from(bytes.get(len) == Some(&b'/'));
    if bytes.get(len) == Some(&b'>') { len + 1 } else { 0 }
}

/// Lower case, breaks as spaces, and ASCII marks left out.
fn lower_without_marks(text: &str, lower: &mut String) {
    each_char(text, lower, |c, lower| {
        if !c.is_ascii_punctuation() {
            lower.push(c);
        }
    });
}

/// Lower case, breaks as spaces, and curly apostrophes as straight ones.
fn lower(text: &str, lower: &mut String) {
    each_char(text, lower, |c, lower| lower.push(if c == '\u{2019}' { '\'' } else { c }));
}

/// Calls `push` for every character in lower case, breaks being spaces.
fn each_char(text: &str, lower: &mut String, mut push: impl FnMut(char, &mut String)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == b'<' {
            let len = break_len(&bytes[at..]);
            if len > 0 {
                lower.push(' ');
                at += len;
                continue;
            }
        }
        if byte.is_ascii() {
            push(byte.to_ascii_lowercase().into(), lower);
            at += 1;
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        at += c.len_utf8();
        c.to_lowercase().for_each(|c| push(c, lower));
    }
}

fn split_at_spaces(text: &str, on_token: &mut dyn FnMut(&str) -> Flow) {
    let is_separator = |c: char| if c.is_ascii() { is_ascii_space(c) } else { is_space(c) };
    for token in text.split(is_separator) {
        if !token.is_empty() && on_token(token) == Flow::Stop {
            return;
        }
    }
}

/// What `char::is_whitespace` says of ASCII; quicker, since it is a range.
fn is_ascii_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ')
}

/// A negation is a token of its own, wherever it stands.
const NEGATION: &str = "n't";

/// Marks that come in runs of up to three.
const RUN_MARKS: [u8; 5] = *b".!?-*";
const LONGEST_RUN: usize = 3;

fn split_words_and_marks(text: &str, on_token: &mut dyn FnMut(&str) -> Flow) {
    let bytes = text.as_bytes();
    // The word that is being read began here; it ends where something else begins.
    let mut start = 0;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte.is_ascii_lowercase() && byte != b'n' {
            at += 1;
            continue;
        }
        // How much of the text here is no part of a word, and whether it is a token.
        let (len, is_token) = if byte == b'n' {
            match text[at..].starts_with(NEGATION) {
                true => (NEGATION.len(), true),
                false => (0, false),
            }
        } else if byte.is_ascii() {
            if is_ascii_space(byte.into()) {
                (1, false)
            } else if RUN_MARKS.contains(&byte) {
                let run = bytes[at..].iter().take(LONGEST_RUN).take_while(|&&b| b == byte);
                (run.count(), true)
            } else {
                (usize::from(byte.is_ascii_punctuation()), true)
            }
        } else {
            let Some(c) = text[at..].chars().next() else { break };
            if is_space(c) {
                (c.len_utf8(), false)
            } else if is_other_mark(c) {
                (c.len_utf8(), true)
            } else {
                at += c.len_utf8();
                continue;
            }
        };
        if len == 0 {
            at += 1;
            continue;
        }
        if start < at && on_token(&text[start..at]) == Flow::Stop {
            return;
        }
        if is_token && on_token(&text[at..at + len]) == Flow::Stop {
            return;
        }
        at += len;
        start = at;
    }
    if start < at {
        on_token(&text[start..at]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokenizers::pre_tokenizer::OffsetType;
    use tokenizers::{
        NormalizedString, Normalizer as _, OffsetReferential, PreTokenizedString, PreTokenizer as _,
    };

    use super::*;
    use crate::config::PreprocessingConfig;
    use crate::{pipeline, vocabulary};

    const SCHEMES: [TokenScheme; 2] = [TokenScheme::Words, TokenScheme::WordsAndPunctuation];

    fn by_splitter(scheme: TokenScheme, text: &str) -> Vec<String> {
        let mut tokens = Vec::new();
        Splitter::new(WordScheme::of(scheme).unwrap()).split(text, &mut |token| {
            tokens.push(token.to_owned());
            Flow::Continue
        });
        tokens
    }

    fn by_library(scheme: TokenScheme, text: &str) -> Vec<String> {
        let config = PreprocessingConfig { scheme, ..Default::default() };
        let model = vocabulary::word_level(&crate::words::Words::default()).unwrap();
        let tokenizer = pipeline::tokenizer(&config, model).unwrap();
        let mut normalized = NormalizedString::from(text);
        tokenizer.get_normalizer().unwrap().normalize(&mut normalized).unwrap();
        let mut split = PreTokenizedString::from(normalized);
        tokenizer.get_pre_tokenizer().unwrap().pre_tokenize(&mut split).unwrap();
        let tokens = split.get_splits(OffsetReferential::Normalized, OffsetType::None);
        tokens.into_iter().map(|(token, _, _)| token.to_owned()).collect()
    }

    /// Pieces that meet in ways that matter, and any characters at all.
    fn any_text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            8 => prop::sample::select(vec![
                "<br />", "<BR/>", "<br\t\n>", "<br", "<b", ">", "/", "n't", "N'T", "n’t", "n", "'",
                "’", "t", " ", "\u{A0}", "\u{3000}", "\u{85}", "\u{1C}", "\u{200B}", ".", "..", "!",
                "?!", "-", "--", "*", "—", "“", "，", "。", "İ", "Σ", "ß", "ẞ", "ǅ", "é", "e\u{301}",
                "don", "Film", "a_b", "[PAD]", "9/10", "\0", "\u{7F}", "🎬",
            ])
            .prop_map(str::to_owned),
            1 => "\\PC{0,3}",
            1 => any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

        #[test]
        fn tokens_are_those_of_the_librarys_pipeline(text in any_text()) {
            for scheme in SCHEMES {
                prop_assert_eq!(
                    by_splitter(scheme, &text), by_library(scheme, &text), "{} {:?}", scheme, text
                );
            }
        }
    }

    #[test]
    fn every_character_is_of_the_kind_that_the_library_takes_it_for() {
        let text: String = ('\0'..=char::MAX).flat_map(|c| ['x', c]).collect();
        for scheme in SCHEMES {
            assert!(by_splitter(scheme, &text) == by_library(scheme, &text), "{scheme}");
        }
    }
}
