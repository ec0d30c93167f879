//! Finds the emoji at a position in a cleaned text: one token, whatever is next to it.

use super::characters::{
    EMOJIS, FLAG_LETTERS, FLAG_TAGS, JOINER, KEYCAP, SKIN_TONES, TOKEN_KEYS, class, contains,
    is_emoji,
};

/// Most emojis that can be joined into one; Unicode's longest sequence has four.
const MAX_JOINED: usize = 8;

/// Most tag letters after a black flag; Unicode's longest sequence has six.
const MAX_TAGS: usize = 7;

/// A regular expression for what [`emoji_len`] finds.
pub(crate) fn emoji_pattern() -> String {
    let (emojis, tones, tags) = (class(EMOJIS), class(SKIN_TONES), class(FLAG_TAGS));
    let one = format!("[{emojis}][{tones}]?[{tags}]{{0,{MAX_TAGS}}}");
    let (letters, keys) = (class(FLAG_LETTERS), class(TOKEN_KEYS));
    let more = MAX_JOINED - 1;
    format!("{one}(?:{JOINER}{one}){{0,{more}}}|[{letters}]{{1,2}}|[{keys}]{KEYCAP}")
}

/// Characters that belong to no word, whether or not they belong to an emoji: the body of a character
/// class.
pub(crate) fn no_word_class() -> String {
    let ranges = [EMOJIS, FLAG_LETTERS, FLAG_TAGS, TOKEN_KEYS];
    ranges.map(class).concat() + &JOINER.to_string()
}

/// Whether [`no_word_class`] contains a character.
pub(crate) fn is_no_word(c: char) -> bool {
    c == JOINER
        || is_emoji(c)
        || [FLAG_LETTERS, FLAG_TAGS, TOKEN_KEYS].iter().any(|ranges| contains(ranges, c))
}

/// Length in bytes of the emoji at the start of `text`; 0 if there is none.
pub(crate) fn emoji_len(text: &str) -> usize {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return 0 };
    if contains(FLAG_LETTERS, first) {
        let second = chars.next().filter(|&c| contains(FLAG_LETTERS, c));
        return first.len_utf8() + second.map_or(0, char::len_utf8);
    }
    if contains(TOKEN_KEYS, first) {
        let is_keycap = chars.next() == Some(KEYCAP);
        return if is_keycap { first.len_utf8() + KEYCAP.len_utf8() } else { 0 };
    }
    let mut len = element_len(text);
    if len == 0 {
        return 0;
    }
    for _ in 1..MAX_JOINED {
        let Some(joined) = text[len..].strip_prefix(JOINER) else { break };
        match element_len(joined) {
            0 => break,
            more => len += JOINER.len_utf8() + more,
        }
    }
    len
}

/// Length of a single emoji with its skin tone and tags.
fn element_len(text: &str) -> usize {
    let mut chars = text.chars().peekable();
    let Some(first) = chars.next_if(|&c| is_emoji(c)) else { return 0 };
    let tone = chars.next_if(|&c| contains(SKIN_TONES, c));
    let tags = std::iter::from_fn(|| chars.next_if(|&c| contains(FLAG_TAGS, c))).take(MAX_TAGS);
    first.len_utf8() + tone.map_or(0, char::len_utf8) + tags.map(char::len_utf8).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_ends_where_the_next_one_begins() {
        for (text, n_chars) in [
            ("👍👍", 1),
            ("👍🏽👍", 2),
            ("👍🏽🏽", 2),
            ("🏽", 1),
            ("❤x", 1),
            ("★★", 1),
            ("👨\u{200D}👩\u{200D}👧👦", 5),
            ("👩🏽\u{200D}🚀!", 4),
            ("👍\u{200D}x", 1),
            ("🇬🇧🇫🇷", 2),
            ("🇬x", 1),
            ("🇬", 1),
            ("１\u{20E3}１", 2),
            ("＃\u{20E3}", 2),
            ("🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}x", 7),
            ("x👍", 0),
            ("１", 0),
            ("\u{200D}👍", 0),
            ("\u{20E3}", 0),
            ("", 0),
            ("©", 0),
        ] {
            let expected: usize = text.chars().take(n_chars).map(char::len_utf8).sum();
            assert_eq!(emoji_len(text), expected, "{text:?}");
        }
        let chain = "👍\u{200D}".repeat(1_000);
        assert_eq!(chain[..emoji_len(&chain)].chars().filter(|&c| c == '👍').count(), MAX_JOINED);
    }
}
