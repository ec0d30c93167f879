//! Cleans a text before it is split, under [`Cleaning::V2`](crate::Cleaning): texts that look the same,
//! or differ only in how their characters are written, give the same tokens.
//!
//! [`clean`] lists the steps in order. [`pipeline`](crate::pipeline) has the same steps for other
//! programs; the splitter's tests compare the two.

pub(crate) mod characters;
pub(crate) mod emoji;
pub(crate) mod entities;
pub(crate) mod markup;

use std::borrow::Cow;

use memchr::{memchr, memchr2, memmem};
use unicode_normalization_alignments::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use characters::{
    INVISIBLE, JOINER, contains, decode_control, fold_mark, fold_width, is_control, is_emoji,
};

/// Cleans a text by the rules of [`Cleaning::V2`](crate::Cleaning::V2), before a scheme splits it. In
/// this order:
///
/// 1. numeric entities become characters (`&#233;` and `&#xE9;`: `é`), as in HTML 5;
/// 2. letters are lower-cased, one character at a time;
/// 3. invisible characters are removed: soft hyphens, byte order marks, zero-width spaces and
///    non-joiners, direction marks, variation selectors, control characters (step 1 ignores them inside
///    entities);
/// 4. full-width forms become ASCII (`Ａ！`: `a!`), and non-ASCII control characters are decoded as
///    Windows-1252 (U+0093: `“`);
/// 5. named entities of HTML 4 become characters, each only once (`&amp;lt;`: `&lt;`);
/// 6. zero-width joiners are removed, except before an emoji;
/// 7. letters and marks are composed (Unicode NFC);
/// 8. HTML tags, then comments, become spaces (escaped ones too, because of 1 and 5);
/// 9. typographic quotes, apostrophes, hyphens and ellipses become ASCII (`“it’s…”`: `"it's..."`);
///    dashes (`–`, `—`) stay.
///
/// Takes time proportional to the length of the text. Cleaning again changes nothing, unless the first
/// pass created a new entity or tag (`&amp;lt;`, `<b<i>>`).
///
/// ```
/// use text_preprocessing::clean;
///
/// assert_eq!(clean("<b>Cafe\u{301}</b> &amp; &#8220;Ｔｅａ&rdquo;"), " café  & \"tea\"");
/// assert_eq!(clean("I <3 it, a &lt; b"), "i <3 it, a < b");
/// ```
#[must_use]
pub fn clean(text: &str) -> String {
    let mut cleaner = Cleaner::default();
    cleaner.clean(text);
    cleaner.text
}

/// Cleans texts; reuses its buffers from text to text.
#[derive(Default)]
pub(crate) struct Cleaner {
    text: String,
    /// Each step writes its result here.
    spare: String,
}

impl Cleaner {
    /// [`clean`].
    pub(crate) fn clean(&mut self, raw: &str) -> &str {
        self.text.clear();
        self.text.reserve(raw.len());
        // Checks every byte: faster than stopping at the first hit.
        let has_control = raw.bytes().fold(false, |found, byte| found | is_control(byte));
        let is_done = !has_control && push_simple(raw, &mut self.text);
        self.text.make_ascii_lowercase();
        let has_markup = is_done && memchr2(b'<', b'&', self.text.as_bytes()).is_some();
        if !is_done || has_markup && entities::may_have_entity(&self.text) {
            self.clean_any(raw);
        } else if has_markup {
            self.markup_to_spaces();
        }
        &self.text
    }

    /// Runs the steps one by one, for texts that need any of them.
    fn clean_any(&mut self, raw: &str) {
        self.text.clear();
        for c in entities::decode_numeric(raw).chars() {
            for c in decode_control(c).to_lowercase().filter(|&c| !contains(INVISIBLE, c)) {
                self.text.push(fold_width(c));
            }
        }
        if memchr(b'&', self.text.as_bytes()).is_some()
            && let Cow::Owned(decoded) = entities::decode_named(&self.text)
        {
            self.text = decoded;
        }
        self.without_stray_joiners();
        if is_nfc_quick(self.text.chars()) != IsNormalized::Yes {
            self.spare.clear();
            self.spare.extend(self.text.nfc().map(|(c, _)| c));
            std::mem::swap(&mut self.text, &mut self.spare);
        }
        self.markup_to_spaces();
        if !self.text.is_ascii() {
            self.fold_marks();
        }
    }

    /// Removes joiners that no emoji follows. A joiner with an emoji after but not before it is not part
    /// of a token either, but there is no need to look back for that: emojis are separate from words
    /// anyway.
    fn without_stray_joiners(&mut self) {
        let mut bytes = [0; 4];
        let joiner = JOINER.encode_utf8(&mut bytes);
        if memmem::find(self.text.as_bytes(), joiner.as_bytes()).is_none() {
            return;
        }
        self.spare.clear();
        let mut chars = self.text.chars().peekable();
        while let Some(c) = chars.next() {
            // A joiner at the end of the text stays, as in `pipeline`; there it is not part of a token.
            if c != JOINER || chars.peek().is_none_or(|&next| is_emoji(next)) {
                self.spare.push(c);
            }
        }
        std::mem::swap(&mut self.text, &mut self.spare);
    }

    fn markup_to_spaces(&mut self) {
        if markup::tags_to_spaces(&self.text, &mut self.spare) {
            std::mem::swap(&mut self.text, &mut self.spare);
        }
        if markup::comments_to_spaces(&self.text, &mut self.spare) {
            std::mem::swap(&mut self.text, &mut self.spare);
        }
    }

    fn fold_marks(&mut self) {
        self.spare.clear();
        for c in self.text.chars() {
            match fold_mark(c) {
                Some(form) => self.spare.push_str(form),
                None => self.spare.push(c),
            }
        }
        std::mem::swap(&mut self.text, &mut self.spare);
    }
}

/// Appends a text if every non-ASCII character can be cleaned on its own, in lower case except for
/// ASCII; leaves markup and entities as they are. `false` if a character needs more than that.
fn push_simple(text: &str, clean: &mut String) -> bool {
    let mut rest = text;
    loop {
        let ascii = ascii_len(rest.as_bytes());
        clean.push_str(&rest[..ascii]);
        rest = &rest[ascii..];
        let mut chars = rest.chars();
        // Non-ASCII characters seldom occur alone, except in English.
        loop {
            let before = chars.as_str();
            match chars.next() {
                None => return true,
                Some(c) if c.is_ascii() => {
                    rest = before;
                    break;
                }
                Some(c) if is_simple(c) => {
                    let c = decode_control(c);
                    match fold_mark(c) {
                        Some(form) => clean.push_str(form),
                        None => clean.extend(c.to_lowercase()),
                    }
                }
                Some(_) => return false,
            }
        }
    }
}

/// The number of leading ASCII bytes.
fn ascii_len(bytes: &[u8]) -> usize {
    const WORD: usize = size_of::<u64>();
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let mut len = 0;
    while let Some(word) = bytes[len..].first_chunk::<WORD>() {
        let high = u64::from_le_bytes(*word) & HIGH_BITS;
        if high != 0 {
            return len + high.trailing_zeros() as usize / 8;
        }
        len += WORD;
    }
    len + bytes[len..].iter().take_while(|b| b.is_ascii()).count()
}

/// Whether a character is known to be neither invisible nor full-width, to have a composed lower case,
/// and to compose with nothing before it: common letters, typographic marks, emojis. Not exhaustive.
fn is_simple(c: char) -> bool {
    matches!(
        c,
        '\u{80}'..='\u{AC}'
            | '\u{AE}'..='\u{2FF}'
            | '\u{390}'..='\u{3FF}'
            | '\u{400}'..='\u{482}'
            | '\u{48A}'..='\u{52F}'
            | '\u{5D0}'..='\u{5EA}'
            | '\u{60C}'
            | '\u{61B}'
            | '\u{61F}'..='\u{64A}'
            | '\u{66E}'..='\u{66F}'
            | '\u{671}'..='\u{6D3}'
            | '\u{1E00}'..='\u{1EFF}'
            | '\u{2002}'..='\u{200A}'
            | '\u{2010}'..='\u{2029}'
            | '\u{2030}'..='\u{205E}'
            | '\u{20A0}'..='\u{20BF}'
            | '\u{2122}'
            | '\u{2190}'..='\u{21FF}'
            | '\u{2500}'..='\u{27BF}'
            | '\u{3001}'..='\u{3029}'
            | '\u{3041}'..='\u{3096}'
            | '\u{309B}'..='\u{30FF}'
            | '\u{3400}'..='\u{4DBF}'
            | '\u{4E00}'..='\u{9FFF}'
            | '\u{AC00}'..='\u{D7A3}'
            | '\u{1F000}'..='\u{1FAFF}'
    )
}

#[cfg(test)]
mod tests;
