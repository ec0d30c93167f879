//! Splitting under [`Cleaning::V1`](crate::Cleaning::V1).

use super::parts::{Cutter, Flow, LONGEST_RUN, NEGATION, RUN_MARKS, is_ascii_space};
use crate::pipeline::{is_other_mark, is_space};
use crate::rules::TokenScheme;

/// Calls `on_token` with each token of a text until it returns [`Flow::Stop`]; overwrites `buffer`.
pub(super) fn split(
    scheme: TokenScheme,
    text: &str,
    buffer: &mut String,
    on_token: &mut impl FnMut(&str) -> Flow,
) {
    buffer.clear();
    buffer.reserve(text.len());
    match scheme {
        TokenScheme::Words => {
            lower_without_marks(text, buffer);
            split_at_spaces(buffer, on_token);
        }
        TokenScheme::WordsAndPunctuation | TokenScheme::Bpe => {
            lower(text, buffer);
            split_words_and_marks(buffer, on_token);
        }
    }
}

/// The length of an HTML break (`<br`, white space, `/`, `>`) at the start of `bytes`; 0 if there is
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

/// Lower-cases, replaces breaks with spaces, and drops ASCII marks.
fn lower_without_marks(text: &str, lower: &mut String) {
    each_char(text, lower, |c, lower| {
        if !c.is_ascii_punctuation() {
            lower.push(c);
        }
    });
}

/// Lower-cases, replaces breaks with spaces, and straightens curly apostrophes.
fn lower(text: &str, lower: &mut String) {
    each_char(text, lower, |c, lower| lower.push(if c == '\u{2019}' { '\'' } else { c }));
}

/// Calls `push` with every character in lower case; breaks count as spaces.
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

fn split_at_spaces(text: &str, on_token: &mut impl FnMut(&str) -> Flow) {
    let is_separator = |c: char| if c.is_ascii() { is_ascii_space(c) } else { is_space(c) };
    for token in text.split(is_separator) {
        if !token.is_empty() && on_token(token) == Flow::Stop {
            return;
        }
    }
}

fn split_words_and_marks(text: &str, on_token: &mut impl FnMut(&str) -> Flow) {
    let bytes = text.as_bytes();
    let mut words = Cutter::of(text);
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte.is_ascii_lowercase() && byte != b'n' {
            at += 1;
            continue;
        }
        // Length of the non-word text here, and whether it is a token.
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
        let Some(next) = words.cut(at, (len, is_token), on_token) else { return };
        at = next;
    }
    words.finish(at, on_token);
}
