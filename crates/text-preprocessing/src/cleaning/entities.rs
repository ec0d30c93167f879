//! HTML entities: `&eacute;`, `&#233;`, `&#xE9;`.
//!
//! Numeric entities are decoded first, then named ones, each only once: `&amp;lt;` becomes `&lt;` and
//! stays so. A `tokenizer.json` can list names but not numbers, so numbers are decoded before every
//! other step. An entity must end with a semicolon.

use std::borrow::Cow;

use memchr::memchr;

use super::characters::{INVISIBLE, contains, decode_control};

/// The names of HTML 4 and `apos`, ascending, with the text that each stands for. Names are in lower
/// case, as texts are at look-up; invisible characters map to nothing. Where names differ only in case
/// but their characters in more (`dagger` and `Dagger`, `prime`, arrows), the lower-case name wins.
#[rustfmt::skip]
const NAMED: &[(&str, &str)] = &[
    ("aacute", "á"), ("acirc", "â"), ("acute", "´"), ("aelig", "æ"), ("agrave", "à"),
    ("alefsym", "ℵ"), ("alpha", "α"), ("amp", "&"), ("and", "∧"), ("ang", "∠"), ("apos", "'"),
    ("aring", "å"), ("asymp", "≈"), ("atilde", "ã"), ("auml", "ä"), ("bdquo", "„"), ("beta", "β"),
    ("brvbar", "¦"), ("bull", "•"), ("cap", "∩"), ("ccedil", "ç"), ("cedil", "¸"), ("cent", "¢"),
    ("chi", "χ"), ("circ", "ˆ"), ("clubs", "♣"), ("cong", "≅"), ("copy", "©"), ("crarr", "↵"),
    ("cup", "∪"), ("curren", "¤"), ("dagger", "†"), ("darr", "↓"), ("deg", "°"), ("delta", "δ"),
    ("diams", "♦"), ("divide", "÷"), ("eacute", "é"), ("ecirc", "ê"), ("egrave", "è"),
    ("empty", "∅"), ("emsp", "\u{2003}"), ("ensp", "\u{2002}"), ("epsilon", "ε"), ("equiv", "≡"),
    ("eta", "η"), ("eth", "ð"), ("euml", "ë"), ("euro", "€"), ("exist", "∃"), ("fnof", "ƒ"),
    ("forall", "∀"), ("frac12", "½"), ("frac14", "¼"), ("frac34", "¾"), ("frasl", "⁄"),
    ("gamma", "γ"), ("ge", "≥"), ("gt", ">"), ("harr", "↔"), ("hearts", "♥"), ("hellip", "…"),
    ("iacute", "í"), ("icirc", "î"), ("iexcl", "¡"), ("igrave", "ì"), ("image", "ℑ"),
    ("infin", "∞"), ("int", "∫"), ("iota", "ι"), ("iquest", "¿"), ("isin", "∈"), ("iuml", "ï"),
    ("kappa", "κ"), ("lambda", "λ"), ("lang", "〈"), ("laquo", "«"), ("larr", "←"), ("lceil", "⌈"),
    ("ldquo", "“"), ("le", "≤"), ("lfloor", "⌊"), ("lowast", "∗"), ("loz", "◊"), ("lrm", ""),
    ("lsaquo", "‹"), ("lsquo", "‘"), ("lt", "<"), ("macr", "¯"), ("mdash", "—"), ("micro", "µ"),
    ("middot", "·"), ("minus", "−"), ("mu", "μ"), ("nabla", "∇"), ("nbsp", "\u{A0}"),
    ("ndash", "–"), ("ne", "≠"), ("ni", "∋"), ("not", "¬"), ("notin", "∉"), ("nsub", "⊄"),
    ("ntilde", "ñ"), ("nu", "ν"), ("oacute", "ó"), ("ocirc", "ô"), ("oelig", "œ"), ("ograve", "ò"),
    ("oline", "‾"), ("omega", "ω"), ("omicron", "ο"), ("oplus", "⊕"), ("or", "∨"), ("ordf", "ª"),
    ("ordm", "º"), ("oslash", "ø"), ("otilde", "õ"), ("otimes", "⊗"), ("ouml", "ö"), ("para", "¶"),
    ("part", "∂"), ("permil", "‰"), ("perp", "⊥"), ("phi", "φ"), ("pi", "π"), ("piv", "ϖ"),
    ("plusmn", "±"), ("pound", "£"), ("prime", "′"), ("prod", "∏"), ("prop", "∝"), ("psi", "ψ"),
    ("quot", "\""), ("radic", "√"), ("rang", "〉"), ("raquo", "»"), ("rarr", "→"), ("rceil", "⌉"),
    ("rdquo", "”"), ("real", "ℜ"), ("reg", "®"), ("rfloor", "⌋"), ("rho", "ρ"), ("rlm", ""),
    ("rsaquo", "›"), ("rsquo", "’"), ("sbquo", "‚"), ("scaron", "š"), ("sdot", "⋅"), ("sect", "§"),
    ("shy", ""), ("sigma", "σ"), ("sigmaf", "ς"), ("sim", "∼"), ("spades", "♠"), ("sub", "⊂"),
    ("sube", "⊆"), ("sum", "∑"), ("sup", "⊃"), ("sup1", "¹"), ("sup2", "²"), ("sup3", "³"),
    ("supe", "⊇"), ("szlig", "ß"), ("tau", "τ"), ("there4", "∴"), ("theta", "θ"), ("thetasym", "ϑ"),
    ("thinsp", "\u{2009}"), ("thorn", "þ"), ("tilde", "˜"), ("times", "×"), ("trade", "™"),
    ("uacute", "ú"), ("uarr", "↑"), ("ucirc", "û"), ("ugrave", "ù"), ("uml", "¨"), ("upsih", "ϒ"),
    ("upsilon", "υ"), ("uuml", "ü"), ("weierp", "℘"), ("xi", "ξ"), ("yacute", "ý"), ("yen", "¥"),
    ("yuml", "ÿ"), ("zeta", "ζ"), ("zwj", "\u{200D}"), ("zwnj", ""),
];

/// Length of the longest name.
const MAX_NAME_LEN: usize = 8;

/// Most digits in a numeric entity; no character needs more, apart from leading zeros.
const MAX_DECIMAL_LEN: usize = 7;
const MAX_HEXADECIMAL_LEN: usize = 6;

/// The text that a name stands for.
fn named(name: &[u8]) -> Option<&'static str> {
    let place = NAMED.binary_search_by(|(other, _)| other.as_bytes().cmp(name)).ok()?;
    NAMED.get(place).map(|(_, text)| *text)
}

/// Entities and their replacements, ordered so that replacing them one by one decodes nothing twice:
/// `&amp;` comes last.
pub(crate) fn replacements() -> impl Iterator<Item = (String, &'static str)> {
    let with_marks = |&(name, text): &(&str, &'static str)| (format!("&{name};"), text);
    let (ampersand, others): (Vec<_>, Vec<_>) = NAMED.iter().partition(|(name, _)| *name == "amp");
    others.into_iter().chain(ampersand).map(with_marks)
}

/// Whether a text may contain an entity, named or numeric.
pub(super) fn may_have_entity(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr(b'&', &bytes[at..]) {
        at += found + 1;
        let rest = &bytes[at..];
        let len = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'#').count();
        if len > 0 && rest.get(len) == Some(&b';') {
            return true;
        }
        at += len;
    }
    false
}

/// Decodes numeric entities, ignoring invisible characters inside them. If there may be an entity,
/// removes all invisible characters.
pub(crate) fn decode_numeric(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| contains(INVISIBLE, c)) {
        return decode(text, numeric);
    }
    let visible: String = text.chars().filter(|&c| !contains(INVISIBLE, c)).collect();
    let decoded = decode(&visible, numeric).into_owned();
    Cow::Owned(decoded)
}

/// Decodes the named entities in a lower-cased text.
pub(super) fn decode_named(text: &str) -> Cow<'_, str> {
    decode(text, |rest| {
        let name = rest.get(1..)?.iter().take(MAX_NAME_LEN + 1);
        let len = name.take_while(|b| b.is_ascii_alphanumeric()).count();
        if rest.get(1 + len) != Some(&b';') {
            return None;
        }
        Some((named(&rest[1..=len])?.into(), len + 2))
    })
}

/// Replaces what `entity` finds at an ampersand; it returns the replacement and the bytes to replace.
fn decode(
    text: &str,
    entity: impl Fn(&[u8]) -> Option<(Cow<'static, str>, usize)>,
) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut decoded = String::new();
    // Everything before `done` is already in `decoded`.
    let (mut done, mut at) = (0, 0);
    while let Some(found) = memchr(b'&', &bytes[at..]) {
        at += found;
        match entity(&bytes[at..]) {
            Some((character, len)) => {
                decoded.push_str(&text[done..at]);
                decoded.push_str(&character);
                at += len;
                done = at;
            }
            None => at += 1,
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    decoded.push_str(&text[done..]);
    Cow::Owned(decoded)
}

/// The character for the numeric entity at the start of `rest`, and the entity's length.
fn numeric(rest: &[u8]) -> Option<(Cow<'static, str>, usize)> {
    let (digits_at, radix, max_len) = match rest.get(..3)? {
        [b'&', b'#', b'x' | b'X'] => (3, 16, MAX_HEXADECIMAL_LEN),
        [b'&', b'#', _] => (2, 10, MAX_DECIMAL_LEN),
        _ => return None,
    };
    let digits = rest[digits_at..].iter().take(max_len + 1);
    let len = digits.take_while(|b| char::from(**b).is_digit(radix)).count();
    if !(1..=max_len).contains(&len) || rest.get(digits_at + len) != Some(&b';') {
        return None;
    }
    let number = rest[digits_at..digits_at + len].iter().fold(0, |number, &digit| {
        number * radix + char::from(digit).to_digit(radix).unwrap_or_default()
    });
    let text = character(number).map_or(Cow::Borrowed(""), |c| Cow::Owned(c.to_string()));
    Some((text, digits_at + len + 1))
}

/// The character for a number according to HTML 5 (and Python's `html.unescape`): none for control
/// characters and noncharacters, U+FFFD for 0, surrogates, and numbers beyond Unicode.
fn character(number: u32) -> Option<char> {
    match number {
        0x80..=0x9F => char::from_u32(number).map(decode_control),
        0x01..=0x08 | 0x0B | 0x0E..=0x1F | 0x7F | 0xFDD0..=0xFDEF => None,
        0 => Some(char::REPLACEMENT_CHARACTER),
        _ => match char::from_u32(number) {
            Some(_) if number & 0xFFFE == 0xFFFE => None,
            Some(c) => Some(c),
            None => Some(char::REPLACEMENT_CHARACTER),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decoded_as_html_5_says() {
        for (text, expected) in [
            ("caf&#233; &#xE9;&#Xe9; &#0233;", "café éé é"),
            ("&#39;&#x27;&#34;&#38;&#60;&#62;", "''\"&<>"),
            ("&#146;&#150;&#128;&#129;", "’–€\u{81}"),
            (
                "&#0;&#55296;&#1114112;&#9999999;&#xFFFFFF;",
                "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}",
            ),
            ("a&#1;b&#x0B;c&#xFFFE;d&#x1FFFF;e&#127;", "abcde"),
            ("&#9;&#10;&#13;|", "\t\n\r|"),
            ("&\u{200B}#2\u{FE0F}33\u{AD};\u{1}", "é"),
            ("&#x1F44D;&#128077;", "👍👍"),
            // One level only, and nothing that merely looks like an entity.
            ("&#38;#39; &#38;lt; &amp;#39;", "&#39; &lt; &amp;#39;"),
            (
                "&# 39; &#; &#x; &#39 &#00000039; &#x0000027; &#3a; &#xG; &#٣; & &",
                "&# 39; &#; &#x; &#39 &#00000039; &#x0000027; &#3a; &#xG; &#٣; & &",
            ),
        ] {
            assert_eq!(decode_numeric(text), expected, "{text}");
        }
    }

    #[test]
    fn names_are_decoded_once() {
        for (text, expected) in [
            (
                "caf&eacute; &amp; &lt;b&gt; &quot;x&quot; &apos;&nbsp;&hellip;",
                "café & <b> \"x\" '\u{A0}…",
            ),
            ("&amp;lt; &amp;amp; &amp;eacute;", "&lt; &amp; &eacute;"),
            ("a&shy;b&zwnj;c&zwj;d", "abc\u{200D}d"),
            (
                "r&d; at&t &eacute &;&&amp;; &thetasym;&thetasymx; &nosuch;",
                "r&d; at&t &eacute &;&&; ϑ&thetasymx; &nosuch;",
            ),
        ] {
            assert_eq!(decode_named(text), expected, "{text}");
        }
    }

    #[test]
    fn names_are_in_order_and_their_characters_in_lower_case() {
        assert!(NAMED.is_sorted_by(|(a, _), (b, _)| a < b));
        assert_eq!(NAMED.len(), 189);
        assert_eq!(NAMED.iter().map(|(name, _)| name.len()).max(), Some(MAX_NAME_LEN));
        for (name, text) in NAMED {
            assert_eq!(text.to_lowercase(), *text, "{name}");
            assert!(text.chars().count() <= 1);
        }
        let replacements: Vec<_> = replacements().collect();
        assert_eq!(replacements.len(), NAMED.len());
        assert_eq!(replacements.last(), Some(&("&amp;".to_owned(), "&")));
    }

    #[test]
    fn no_entity_is_overlooked() {
        for text in ["&eacute;", "x &amp", "&&lt;", "&#233;", "&#x1;", "a&b&c;", "&a&b;"] {
            let has = decode_numeric(text) != text || decode_named(text) != text;
            assert!(!has || may_have_entity(text), "{text}");
        }
        assert!(!may_have_entity("r&d at&t, &;&& &é;"));
    }
}
