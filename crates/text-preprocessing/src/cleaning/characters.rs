//! Which characters cleaning removes, folds and takes for emojis.
//!
//! Each set stands here once: as a table or function for [`super::Cleaner`], from which the pipeline of a
//! `tokenizer.json` takes its patterns.

/// Ranges of characters, ascending, both ends included.
pub(crate) type Ranges = &'static [(char, char)];

/// Whether one of the ranges has a character.
pub(crate) fn contains(ranges: Ranges, c: char) -> bool {
    let after = ranges.partition_point(|&(_, last)| last < c);
    ranges.get(after).is_some_and(|&(first, _)| first <= c)
}

/// Ranges as the inside of a character class. None of ours ends with a character that means something there.
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

/// Characters that nobody sees: control characters of ASCII other than white space, soft hyphen, grapheme
/// joiner, marks of direction, zero-width space and non-joiner, word joiner and invisible operators, variation
/// selectors, byte order mark.
///
/// Variation selectors go even after an emoji: `❤` and `❤️` mean the same.
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

/// Joins emojis to one; anywhere else it is invisible, too.
pub(crate) const JOINER: char = '\u{200D}';

/// What an emoji begins with: Unicode's `Extended_Pictographic` from the arrows on (not `©`, `®`, `™`,
/// `‼`, `⁉`, `ℹ`), the other symbols of the blocks Miscellaneous Symbols, Dingbats (brackets and circled
/// digits aside) and the supplementary symbol blocks, and skin tones.
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

/// Letters of flags, which come in pairs.
pub(crate) const FLAG_LETTERS: Ranges = &[('\u{1F1E6}', '\u{1F1FF}')];

/// Invisible letters that follow the black flag, to make it that of England, Scotland or Wales.
pub(crate) const FLAG_TAGS: Ranges = &[('\u{E0020}', '\u{E007F}')];

/// Makes a keycap of a digit, `#` or `*` before it.
pub(crate) const KEYCAP: char = '\u{20E3}';

/// The keys of keycaps, as they stand in a text and as they stand in a token. No full-width form is left
/// after cleaning, so that a key in a token is never mistaken for a digit or mark of the text.
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

/// The keys as they stand in tokens.
pub(crate) const TOKEN_KEYS: Ranges = &[('＃', '＃'), ('＊', '＊'), ('０', '９')];

/// Whether an emoji begins with a character; quick for the letters of most alphabets.
pub(crate) fn is_emoji(c: char) -> bool {
    c >= '\u{2194}' && contains(EMOJIS, c)
}

/// Whether a byte of ASCII is one of [`INVISIBLE`].
pub(crate) fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=0x8 | 0xE..=0x1F | 0x7F)
}

/// Control characters beyond ASCII. Texts that were written on Windows and read as Latin-1 have them in place
/// of quotes, dashes and a few letters.
const CONTROLS: std::ops::RangeInclusive<char> = '\u{80}'..='\u{9F}';

/// What [`CONTROLS`] are in Windows-1252; the same where it has nothing.
#[rustfmt::skip]
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];

/// What a control character beyond ASCII means, any other character as it is.
pub(crate) fn decode_control(c: char) -> char {
    if !CONTROLS.contains(&c) {
        return c;
    }
    WINDOWS_1252.get(c as usize - 0x80).copied().unwrap_or(c)
}

/// Full-width forms of ASCII characters; capitals are lower-cased before.
const FULL_WIDTH: std::ops::RangeInclusive<char> = '！'..='～';

/// How far full-width forms are from ASCII.
const WIDTH_OFFSET: u32 = 0xFEE0;

/// The ASCII character of a full-width form, any other character as it is.
pub(crate) fn fold_width(c: char) -> char {
    if !FULL_WIDTH.contains(&c) {
        return c;
    }
    char::from_u32(c as u32 - WIDTH_OFFSET).unwrap_or(c)
}

/// Characters of lower-cased texts that mean another one, and that one in lower case: control characters and
/// full-width forms.
pub(crate) fn meant_characters() -> impl Iterator<Item = (char, char)> {
    let controls =
        CONTROLS.flat_map(|c| decode_control(c).to_lowercase().map(move |small| (c, small)));
    let full_width = FULL_WIDTH.map(|c| (c, fold_width(c)));
    let has_meaning = |(c, meant): &(char, char)| c != meant && !meant.is_ascii_uppercase();
    controls.chain(full_width).filter(has_meaning)
}

/// Typographic marks that have an ASCII form: the inside of a character class each, and the form.
pub(crate) const TYPOGRAPHY: [(Ranges, &str); 4] = [
    (&[('´', '´'), ('\u{2BC}', '\u{2BC}'), ('‘', '‛'), ('‹', '›')], "'"),
    (&[('«', '«'), ('»', '»'), ('“', '‟'), ('〝', '〟')], "\""),
    (&[('\u{2010}', '\u{2011}')], "-"),
    (&[('…', '…')], "..."),
];

/// The ASCII form of a typographic mark.
pub(crate) fn fold_mark(c: char) -> Option<&'static str> {
    // One look at most of all letters.
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
