//! Which characters cleaning removes, folds and treats as emojis.
//!
//! Each set is defined once, as a table or function for [`super::Cleaner`]; the patterns in a
//! `tokenizer.json` are derived from it.

/// Character ranges, ascending, both ends inclusive.
pub(crate) type Ranges = &'static [(char, char)];

/// Whether one of the ranges contains a character.
pub(crate) fn contains(ranges: Ranges, c: char) -> bool {
    let after = ranges.partition_point(|&(_, last)| last < c);
    ranges.get(after).is_some_and(|&(first, _)| first <= c)
}

/// Ranges as the body of a regex character class. No bound of our ranges needs escaping there.
pub(crate) fn class(ranges: Ranges) -> String {
    let mut class = String::new();
    for &(first, last) in ranges {
        class.push(first);
        if first < last {
            class.push('-');
            class.push(last);
        }
    }
    class
}

/// Invisible characters: ASCII control characters other than white space, soft hyphen, grapheme joiner,
/// direction marks, zero-width space and non-joiner, word joiner and invisible operators, variation
/// selectors, byte order mark.
///
/// Variation selectors are removed even after an emoji: `❤` and `❤️` mean the same.
pub(crate) const INVISIBLE: Ranges = &[
    ('\0', '\u{8}'),
    ('\u{E}', '\u{1F}'),
    ('\u{7F}', '\u{7F}'),
    ('\u{AD}', '\u{AD}'),
    ('\u{34F}', '\u{34F}'),
    ('\u{61C}', '\u{61C}'),
    ('\u{180B}', '\u{180F}'),
    ('\u{200B}', '\u{200C}'),
    ('\u{200E}', '\u{200F}'),
    ('\u{202A}', '\u{202E}'),
    ('\u{2060}', '\u{206F}'),
    ('\u{FE00}', '\u{FE0F}'),
    ('\u{FEFF}', '\u{FEFF}'),
    ('\u{E0001}', '\u{E0001}'),
    ('\u{E0100}', '\u{E01EF}'),
];

/// Joins emojis into one; anywhere else it is just another invisible character.
pub(crate) const JOINER: char = '\u{200D}';

/// Characters that can begin an emoji: Unicode's `Extended_Pictographic` from the arrows on (not `©`,
/// `®`, `™`, `‼`, `⁉`, `ℹ`), the other symbols in the blocks Miscellaneous Symbols, Dingbats (except
/// brackets and circled digits) and the supplementary symbol blocks, and skin tones.
pub(crate) const EMOJIS: Ranges = &[
    ('\u{2194}', '\u{2199}'),
    ('\u{21A9}', '\u{21AA}'),
    ('\u{231A}', '\u{231B}'),
    ('\u{2328}', '\u{2328}'),
    ('\u{2388}', '\u{2388}'),
    ('\u{23CF}', '\u{23CF}'),
    ('\u{23E9}', '\u{23F3}'),
    ('\u{23F8}', '\u{23FA}'),
    ('\u{24C2}', '\u{24C2}'),
    ('\u{25AA}', '\u{25AB}'),
    ('\u{25B6}', '\u{25B6}'),
    ('\u{25C0}', '\u{25C0}'),
    ('\u{25FB}', '\u{25FE}'),
    ('\u{2600}', '\u{2767}'),
    ('\u{2794}', '\u{27BF}'),
    ('\u{2934}', '\u{2935}'),
    ('\u{2B05}', '\u{2B07}'),
    ('\u{2B1B}', '\u{2B1C}'),
    ('\u{2B50}', '\u{2B50}'),
    ('\u{2B55}', '\u{2B55}'),
    ('\u{3030}', '\u{3030}'),
    ('\u{303D}', '\u{303D}'),
    ('\u{3297}', '\u{3297}'),
    ('\u{3299}', '\u{3299}'),
    ('\u{1F000}', '\u{1F0FF}'),
    ('\u{1F10D}', '\u{1F10F}'),
    ('\u{1F12F}', '\u{1F12F}'),
    ('\u{1F16C}', '\u{1F171}'),
    ('\u{1F17E}', '\u{1F17F}'),
    ('\u{1F18E}', '\u{1F18E}'),
    ('\u{1F191}', '\u{1F19A}'),
    ('\u{1F1AD}', '\u{1F1E5}'),
    ('\u{1F200}', '\u{1FAFF}'),
    ('\u{1FC00}', '\u{1FFFD}'),
];

/// Skin tones, which follow an emoji.
pub(crate) const SKIN_TONES: Ranges = &[('\u{1F3FB}', '\u{1F3FF}')];

/// Regional indicator letters; a pair makes a flag.
pub(crate) const FLAG_LETTERS: Ranges = &[('\u{1F1E6}', '\u{1F1FF}')];

/// Invisible tag letters that turn the black flag into the flag of England, Scotland or Wales.
pub(crate) const FLAG_TAGS: Ranges = &[('\u{E0020}', '\u{E007F}')];

/// Turns the digit, `#` or `*` before it into a keycap.
pub(crate) const KEYCAP: char = '\u{20E3}';

/// Keycap keys: the form in the text, and the form in tokens. Cleaning leaves no other full-width forms,
/// so a key in a token is never mistaken for a digit or mark of the text.
pub(crate) const KEYS: [(char, char); 12] = [
    ('#', '＃'),
    ('*', '＊'),
    ('0', '０'),
    ('1', '１'),
    ('2', '２'),
    ('3', '３'),
    ('4', '４'),
    ('5', '５'),
    ('6', '６'),
    ('7', '７'),
    ('8', '８'),
    ('9', '９'),
];

/// The keys in their token form.
pub(crate) const TOKEN_KEYS: Ranges = &[('＃', '＃'), ('＊', '＊'), ('０', '９')];

/// Whether a character can begin an emoji; fast for the letters of most alphabets.
pub(crate) fn is_emoji(c: char) -> bool {
    c >= '\u{2194}' && contains(EMOJIS, c)
}

/// Whether an ASCII byte is one of [`INVISIBLE`].
pub(crate) fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=0x8 | 0xE..=0x1F | 0x7F)
}

/// Non-ASCII control characters. Texts written on Windows and decoded as Latin-1 contain them instead of
/// quotes, dashes and a few letters.
const CONTROLS: std::ops::RangeInclusive<char> = '\u{80}'..='\u{9F}';

/// [`CONTROLS`] decoded as Windows-1252; unchanged where it is undefined.
#[rustfmt::skip]
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];

/// Decodes a non-ASCII control character; returns any other character unchanged.
pub(crate) fn decode_control(c: char) -> char {
    if !CONTROLS.contains(&c) {
        return c;
    }
    WINDOWS_1252.get(c as usize - 0x80).copied().unwrap_or(c)
}

/// Full-width forms of ASCII characters; capitals have already been lower-cased.
const FULL_WIDTH: std::ops::RangeInclusive<char> = '！'..='～';

/// Offset from an ASCII character to its full-width form.
const WIDTH_OFFSET: u32 = 0xFEE0;

/// Folds a full-width form to ASCII; returns any other character unchanged.
pub(crate) fn fold_width(c: char) -> char {
    if !FULL_WIDTH.contains(&c) {
        return c;
    }
    char::from_u32(c as u32 - WIDTH_OFFSET).unwrap_or(c)
}

/// Characters in lower-cased text that stand for another one, with that one in lower case: control
/// characters and full-width forms.
pub(crate) fn meant_characters() -> impl Iterator<Item = (char, char)> {
    let controls =
        CONTROLS.flat_map(|c| decode_control(c).to_lowercase().map(move |small| (c, small)));
    let full_width = FULL_WIDTH.map(|c| (c, fold_width(c)));
    let has_meaning = |(c, meant): &(char, char)| c != meant && !meant.is_ascii_uppercase();
    controls.chain(full_width).filter(has_meaning)
}

/// Typographic marks that have an ASCII form: the body of a character class, and the form.
pub(crate) const TYPOGRAPHY: [(Ranges, &str); 4] = [
    (&[('´', '´'), ('\u{2BC}', '\u{2BC}'), ('‘', '‛'), ('‹', '›')], "'"),
    (&[('«', '«'), ('»', '»'), ('“', '‟'), ('〝', '〟')], "\""),
    (&[('\u{2010}', '\u{2011}')], "-"),
    (&[('…', '…')], "..."),
];

/// The ASCII form of a typographic mark.
pub(crate) fn fold_mark(c: char) -> Option<&'static str> {
    // Most letters need only this check.
    if !matches!(c, '«' | '´' | '»' | '\u{2BC}' | '\u{2010}'..='\u{203A}' | '〝'..='〟') {
        return None;
    }
    TYPOGRAPHY.iter().find(|(ranges, _)| contains(ranges, c)).map(|(_, form)| *form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_ascend_and_need_no_escape() {
        let mut all = vec![INVISIBLE, EMOJIS, SKIN_TONES, FLAG_LETTERS, FLAG_TAGS, TOKEN_KEYS];
        all.extend(TYPOGRAPHY.map(|(ranges, _)| ranges));
        for ranges in all {
            assert!(ranges.iter().all(|(first, last)| first <= last));
            let ends = class(ranges).replace('-', "");
            assert!(!ends.contains(|c: char| c.is_ascii_graphic()), "{ends}");
            assert!(ranges.is_sorted_by(|(_, last), (first, _)| last < first), "{ranges:?}");
        }
    }

    #[test]
    fn marks_fold_to_ascii_and_no_other_character_does() {
        for c in '\0'..=char::MAX {
            let listed = TYPOGRAPHY.iter().find(|(ranges, _)| contains(ranges, c));
            assert_eq!(fold_mark(c), listed.map(|(_, form)| *form), "{c:?}");
        }
        for byte in 0..128 {
            assert_eq!(is_control(byte), contains(INVISIBLE, char::from(byte)));
        }
        assert_eq!(meant_characters().count(), 27 + 94 - 26);
        assert!(meant_characters().all(|(_, meant)| meant.to_lowercase().eq([meant])));
        assert_eq!(
            "ａ１！～Ａ\u{3000}é".chars().map(fold_width).collect::<String>(),
            "a1!~A\u{3000}é"
        );
    }
}
