//! Splits texts that are already cleaned under [`Cleaning::V2`](crate::Cleaning::V2).

use memchr::memmem;

use super::parts::{Cutter, Flow, LONGEST_RUN, NEGATION};
use crate::cleaning::characters::{KEYCAP, KEYS};
use crate::cleaning::emoji::{emoji_len, is_no_word};
use crate::pipeline::{is_other_mark, is_space};
use crate::rules::TokenScheme;

/// Calls `on_token` with each token of a text until it returns [`Flow::Stop`]; overwrites `buffer`.
pub(super) fn split(
    scheme: TokenScheme,
    text: &str,
    buffer: &mut String,
    on_token: &mut impl FnMut(&str) -> Flow,
) {
    let keyed = with_token_keys(text);
    let text = keyed.as_deref().unwrap_or(text);
    match scheme {
        TokenScheme::Words => split_words(text, buffer, on_token),
        TokenScheme::WordsAndPunctuation | TokenScheme::Bpe => {
            split_words_and_marks(text, on_token)
        }
    }
}

/// A text with its keycap keys in token form; `None` if there is no keycap.
fn with_token_keys(text: &str) -> Option<String> {
    let mut bytes = [0; 4];
    let keycap = &*KEYCAP.encode_utf8(&mut bytes);
    if text.is_ascii() || memmem::find(text.as_bytes(), keycap.as_bytes()).is_none() {
        return None;
    }
    let mut keyed = String::with_capacity(text.len());
    let mut parts = text.split(KEYCAP).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let key = KEYS.iter().find(|(key, _)| !is_last && part.ends_with(*key));
        match key {
            Some((key, token_key)) => {
                keyed.push_str(&part[..part.len() - key.len_utf8()]);
                keyed.push(*token_key);
            }
            None => keyed.push_str(part),
        }
        if !is_last {
            keyed.push(KEYCAP);
        }
    }
    Some(keyed)
}

/// The kind of character that starts with a given byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A letter, digit or control character.
    Word,
    Space,
    /// A mark that forms runs.
    RunMark,
    Apostrophe,
    Mark,
    /// Depends on the whole character.
    BeyondAscii,
}

const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Word; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'.' | b'!' | b'?' | b'-' | b'*' => Kind::RunMark,
            b'\'' => Kind::Apostrophe,
            b'\t'..=b'\r' | b' ' => Kind::Space,
            0x80.. => Kind::BeyondAscii,
            b if b.is_ascii_punctuation() => Kind::Mark,
            _ => Kind::Word,
        };
        byte += 1;
    }
    kinds
};

fn kind(byte: u8) -> Kind {
    KINDS[usize::from(byte)]
}

/// Index of the first byte, from `at` on, that is not a lower-case ASCII letter.
///
/// Eight bytes at a time: the branch at the end of a word is the one most often mispredicted.
fn after_letters(bytes: &[u8], mut at: usize) -> usize {
    const WORD: usize = size_of::<u64>();
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    while let Some(eight) = bytes[at..].first_chunk::<WORD>() {
        let eight = u64::from_le_bytes(*eight);
        // The sums set the high bit of bytes from `a` on, and of bytes after `z`. Nothing carries over,
        // since the high bits are cleared first.
        let low = eight & !HIGH;
        let from_a = low + (0x80 - u64::from(b'a')) * ONES;
        let after_z = low + (0x80 - u64::from(b'z') - 1) * ONES;
        let others = (!from_a | after_z | eight) & HIGH;
        if others != 0 {
            return at + others.trailing_zeros() as usize / 8;
        }
        at += WORD;
    }
    at + bytes[at..].iter().take_while(|b| b.is_ascii_lowercase()).count()
}

/// The kind of a non-ASCII character, with its length in bytes.
enum Beyond {
    Word(usize),
    /// Also anything that is not part of a token.
    Space(usize),
    Mark(usize),
    Emoji(usize),
}

fn beyond_ascii(text: &str) -> Beyond {
    let Some(c) = text.chars().next() else { return Beyond::Space(0) };
    let len = c.len_utf8();
    if is_space(c) {
        Beyond::Space(len)
    } else if is_no_word(c) {
        match emoji_len(text) {
            // Keys that are full-width marks always have their keycap.
            0 => Beyond::Space(len),
            len => Beyond::Emoji(len),
        }
    } else if is_other_mark(c) {
        Beyond::Mark(len)
    } else {
        Beyond::Word(len)
    }
}

fn split_words_and_marks(text: &str, on_token: &mut impl FnMut(&str) -> Flow) {
    let bytes = text.as_bytes();
    let mut words = Cutter::of(text);
    let mut at = 0;
    loop {
        at = after_letters(bytes, at);
        let Some(&byte) = bytes.get(at) else { break };
        // Length of the non-word text here, and whether it is a token.
        let (len, is_token) = match kind(byte) {
            Kind::Word => {
                at += 1;
                continue;
            }
            Kind::Space => (1, false),
            Kind::Mark => (1, true),
            Kind::RunMark => {
                let run = bytes[at..].iter().take(LONGEST_RUN).take_while(|&&b| b == byte);
                (run.count(), true)
            }
            Kind::Apostrophe => {
                if words.start < at && bytes[at - 1..].starts_with(NEGATION.as_bytes()) {
                    at -= 1;
                    (NEGATION.len(), true)
                } else {
                    (1, true)
                }
            }
            Kind::BeyondAscii => match beyond_ascii(&text[at..]) {
                Beyond::Word(len) => {
                    at += len;
                    continue;
                }
                Beyond::Space(len) => (len, false),
                Beyond::Mark(len) | Beyond::Emoji(len) => (len, true),
            },
        };
        let Some(next) = words.cut(at, (len, is_token), on_token) else { return };
        at = next;
    }
    words.finish(at, on_token);
}

/// Splits at white space, emojis and non-ASCII marks, and removes ASCII marks from words.
fn split_words(text: &str, buffer: &mut String, on_token: &mut impl FnMut(&str) -> Flow) {
    buffer.clear();
    if text.is_ascii() {
        split_ascii_words(text, buffer, on_token);
        return;
    }
    // Remove marks first, since an emoji may continue after one.
    buffer.extend(text.chars().filter(|c| !c.is_ascii_punctuation()));
    let text = &**buffer;
    let bytes = text.as_bytes();
    let mut words = Cutter::of(text);
    let mut at = 0;
    loop {
        at = after_letters(bytes, at);
        let Some(&byte) = bytes.get(at) else { break };
        let (len, is_token) = match kind(byte) {
            Kind::Space => (1, false),
            Kind::BeyondAscii => match beyond_ascii(&text[at..]) {
                Beyond::Word(len) => {
                    at += len;
                    continue;
                }
                Beyond::Space(len) | Beyond::Mark(len) => (len, false),
                Beyond::Emoji(len) => (len, true),
            },
            // Digits and control characters; marks are already removed.
            _ => {
                at += 1;
                continue;
            }
        };
        let Some(next) = words.cut(at, (len, is_token), on_token) else { return };
        at = next;
    }
    words.finish(at, on_token);
}

/// [`split_words`] for ASCII; copies only words with marks inside, to the empty `buffer`.
fn split_ascii_words(text: &str, buffer: &mut String, on_token: &mut impl FnMut(&str) -> Flow) {
    let bytes = text.as_bytes();
    // The part of a word since its start or its last mark.
    let mut start = 0;
    let mut at = 0;
    loop {
        at = after_letters(bytes, at);
        let kind_at = |at| bytes.get(at).map(|&byte| kind(byte));
        let end = at;
        match kind_at(at) {
            Some(Kind::Word) => {
                at += 1;
                continue;
            }
            None | Some(Kind::Space) => {}
            Some(_) => {
                while kind_at(at).is_some_and(|kind| kind != Kind::Word && kind != Kind::Space) {
                    at += 1;
                }
                if kind_at(at) == Some(Kind::Word) {
                    buffer.push_str(&text[start..end]);
                    start = at;
                    continue;
                }
            }
        }
        let word = if buffer.is_empty() {
            &text[start..end]
        } else {
            buffer.push_str(&text[start..end]);
            &**buffer
        };
        if !word.is_empty() && on_token(word) == Flow::Stop {
            return;
        }
        if at >= bytes.len() {
            return;
        }
        buffer.clear();
        at += 1;
        start = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_end_where_the_first_other_byte_is() {
        for other in (0..=u8::MAX).filter(|b| !b.is_ascii_lowercase()) {
            for n_letters in 0..20 {
                for n_after in 0..10 {
                    let mut bytes: Vec<u8> = (0..n_letters).map(|i| b"azmby"[i % 5]).collect();
                    assert_eq!(after_letters(&bytes, 0), n_letters);
                    bytes.push(other);
                    bytes.extend(std::iter::repeat_n(b'a', n_after));
                    assert_eq!(after_letters(&bytes, n_letters / 2), n_letters, "{other}");
                }
            }
        }
    }
}
