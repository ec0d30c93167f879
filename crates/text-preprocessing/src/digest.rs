//! A hash of what a text says, which identifies it regardless of case, spaces and punctuation.

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use crate::cleaning::Cleaner;
use crate::cleaning::characters::{FLAG_LETTERS, contains, is_emoji};
use crate::symbols::SYMBOLS;

/// Minimum number of texts per task.
const TEXTS_PER_TASK: usize = 64;

/// A hash that two texts share if they say the same, that is, if they differ at most in case, white
/// space, punctuation and symbols, HTML tags, and how their characters are written (entities, composed
/// or not, full-width, with invisible characters in between).
///
/// It is the 64-bit XXH3 hash (seed 0) of the UTF-8 text that [`clean`](crate::clean) returns, without
/// the characters in the Unicode 14 general categories P, S, Z, Cc and Cf; emojis and flag letters are
/// kept. What remains: letters, combining marks, digits, emojis, and characters added after Unicode 14.
/// If nothing remains, the cleaned text is hashed without surrounding white space.
///
/// The hash depends on nothing else, neither configuration nor machine, and stays the same in later
/// versions.
///
/// ```
/// use text_preprocessing::text_digest;
///
/// assert_eq!(text_digest("A <b>great</b> film!"), text_digest("a great... FILM"));
/// assert_ne!(text_digest("A great film!"), text_digest("A great film 👍"));
/// assert_ne!(text_digest("..."), text_digest("?!"));
/// ```
#[must_use]
pub fn text_digest(text: &str) -> u64 {
    Digester::default().digest(text)
}

/// [`text_digest`] of many texts, on all cores; results are in the order of the texts.
#[must_use]
pub fn text_digests<S: AsRef<str> + Sync>(texts: &[S]) -> Vec<u64> {
    let digest = |digester: &mut Digester, text: &S| digester.digest(text.as_ref());
    texts.par_iter().with_min_len(TEXTS_PER_TASK).map_init(Digester::default, digest).collect()
}

/// Digests texts; reuses its buffers from text to text.
#[derive(Default)]
struct Digester {
    cleaner: Cleaner,
    /// The bytes of a text that count.
    kept: Vec<u8>,
}

/// Letters and digits in lower case; 0 for other ASCII bytes.
const KEPT: [u8; 128] = {
    let mut kept = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        if (byte as u8).is_ascii_alphanumeric() {
            kept[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    kept
};

impl Digester {
    fn digest(&mut self, text: &str) -> u64 {
        // ASCII without markup and entities needs no cleaning: keep letters and digits.
        let is_clean = text.is_ascii() && memchr::memchr2(b'<', b'&', text.as_bytes()).is_none();
        let clean = if is_clean { text } else { self.cleaner.clean(text) };
        keep(clean, &mut self.kept);
        if self.kept.is_empty() {
            xxh3_64(self.cleaner.clean(text).trim().as_bytes())
        } else {
            xxh3_64(&self.kept)
        }
    }
}

/// Overwrites `kept` with the bytes of a text that count.
fn keep(text: &str, kept: &mut Vec<u8>) {
    kept.clear();
    kept.resize(text.len(), 0);
    let mut len = 0;
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte.is_ascii() {
            // Always written; the next byte overwrites it unless it counts. This avoids a branch.
            let small = KEPT[usize::from(byte & 0x7F)];
            kept[len] = small;
            len += usize::from(small != 0);
            at += 1;
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        let end = at + c.len_utf8();
        if is_emoji(c) || contains(FLAG_LETTERS, c) || !contains(SYMBOLS, c) {
            kept[len..len + c.len_utf8()].copy_from_slice(&bytes[at..end]);
            len += c.len_utf8();
        }
        at = end;
    }
    kept.truncate(len);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization_alignments::UnicodeNormalization as _;

    use super::*;

    #[test]
    fn texts_that_say_the_same_share_a_digest() {
        let same = [
            "Caf\u{e9} &amp; bar, 10/10: don't go! 👍🏽",
            "cafe\u{301} <br/>bar 10 10 DONT GO 👍\u{FE0F}🏽",
            "&lt;p&gt;CAF&Eacute; &#38; b\u{200B}ar １０ 1&#48;   “don’t” go👍🏽…",
        ];
        for text in same {
            assert_eq!(text_digest(text), text_digest(same[0]), "{text}");
        }
        for other in [
            "Cafe & bar, 10/10: don't go! 👍🏽",
            "Café bar 10/10 don't go",
            "Café bar 10/10 dont go 👍",
        ] {
            assert_ne!(text_digest(other), text_digest(same[0]), "{other}");
        }
    }

    #[test]
    fn marks_count_where_there_is_nothing_else() {
        let texts = ["", "!", "?", "...", "— —", "$"];
        for (i, text) in texts.iter().enumerate() {
            for other in &texts[i + 1..] {
                assert_ne!(text_digest(text), text_digest(other), "{text} {other}");
            }
            assert_eq!(text_digest(text), text_digest(&format!(" {text}\t")));
        }
        assert_eq!(text_digest("…"), text_digest("..."));
        assert_eq!(text_digest("<br>"), text_digest(" "));
    }

    #[test]
    fn letters_of_every_script_count_and_marks_of_none() {
        let kept = |text: &str| {
            let mut kept = Vec::new();
            keep(text, &mut kept);
            String::from_utf8(kept).unwrap()
        };
        assert_eq!(
            kept(
                "aZ9_ é×ß هذا، हिन्दी। 한국 好，。 ๑๒ ½² €©∑ ❤👍🏽🇬 \u{AD}\u{200D}\u{E0067}\u{E000}\u{20E3}"
            ),
            "az9éßهذاहिन्दी한국好๑๒½²❤👍🏽🇬\u{E000}\u{20E3}"
        );
    }

    #[test]
    fn many_texts_have_the_digests_of_each() {
        let texts: Vec<String> = (0..500).map(|i| format!("Text <b>{i}</b> é")).collect();
        let expected: Vec<u64> = texts.iter().map(|text| text_digest(text)).collect();
        assert_eq!(text_digests(&texts), expected);
    }

    proptest! {
        #[test]
        fn case_space_marks_and_form_make_no_other_text(words in prop::collection::vec("[\\pL\\pN]{1,6}", 1..6)) {
            // Characters whose capitals lower-case to other letters would make different texts.
            let plain = words.join(" ");
            let marked = words.join("\t, <br>");
            let decomposed: String = marked.nfd().map(|(c, _)| c).collect();
            for other in [&marked, &decomposed, &format!("“{plain}”")] {
                prop_assert_eq!(text_digest(other), text_digest(&plain), "{:?}", other);
            }
        }
    }
}
