//! Texts that were damaged on their way: decoded with the wrong encoding, with HTML or control characters in them.

use std::collections::BTreeSet;

use memchr::{memchr, memchr2};
use rayon::prelude::*;

use super::finding::{Finding, Found, Severity};
use super::rows::Rows;

/// Up to this fraction of the texts, damage is only worth a note.
const FEW: f64 = 0.01;
/// From this fraction of the texts on, HTML is worth a note.
const MANY: f64 = 0.05;
/// Control characters that are named.
const N_NAMED: usize = 5;
/// The longest tag that is looked for.
const LONGEST_TAG: usize = 100;
/// Characters around damage that are shown.
const AROUND: usize = 12;

/// What one text holds.
#[derive(Default)]
struct Damage {
    /// Where wrongly decoded characters begin.
    mojibake: Option<usize>,
    has_entity: bool,
    has_tag: bool,
    controls: Vec<char>,
}

/// Looks at every text.
pub(super) fn find(rows: &Rows<'_>) -> Vec<Finding> {
    let of_row = |&row: &u32| (row, Damage::of(rows.texts[row as usize]));
    let all: Vec<(u32, Damage)> = rows.with_text.par_iter().map(of_row).collect();
    let rows_with = |has: &dyn Fn(&Damage) -> bool| -> Vec<u32> {
        all.iter().filter(|(_, damage)| has(damage)).map(|(row, _)| *row).collect()
    };
    let severity = |n: usize| match rows.share(n) <= FEW {
        true => Severity::Note,
        false => Severity::Warning,
    };
    let mut findings = Vec::new();
    let mojibake = rows_with(&|damage| damage.mojibake.is_some());
    if let Some((row, Some(at))) =
        all.iter().map(|(row, damage)| (row, damage.mojibake)).find(|(_, at)| at.is_some())
    {
        let example = around(rows.texts[*row as usize], at);
        let found = Found::Mojibake { n_texts: mojibake.len(), example };
        findings.push(rows.finding(severity(mojibake.len()), found, &mojibake));
    }
    let with_control = rows_with(&|damage| !damage.controls.is_empty());
    if !with_control.is_empty() {
        let characters: BTreeSet<char> =
            all.iter().flat_map(|(_, damage)| damage.controls.iter().copied()).collect();
        let name = |c: char| format!("U+{:04X}", u32::from(c));
        let characters = characters.into_iter().take(N_NAMED).map(name).collect();
        let found = Found::ControlCharacters { n_texts: with_control.len(), characters };
        let is_lower = |c: &char| !is_upper_control(*c);
        let n_lower = rows_with(&|damage| damage.controls.iter().any(is_lower)).len();
        findings.push(rows.finding(severity(n_lower), found, &with_control));
    }
    let with_html = rows_with(&|damage| damage.has_entity || damage.has_tag);
    if rows.share(with_html.len()) >= MANY {
        let n_entities = rows_with(&|damage| damage.has_entity).len();
        let n_tags = rows_with(&|damage| damage.has_tag).len();
        let found = Found::Markup { n_texts: with_html.len(), n_entities, n_tags };
        findings.push(rows.finding(Severity::Note, found, &with_html));
    }
    findings
}

impl Damage {
    fn of(text: &str) -> Self {
        let has_markup = memchr2(b'<', b'&', text.as_bytes()).is_some();
        let mut damage = Self {
            mojibake: None,
            has_entity: has_markup && has_entity(text),
            has_tag: has_markup && has_tag(text),
            controls: Vec::new(),
        };
        let is_plain =
            |byte: u8| (b' '..0x7F).contains(&byte) || matches!(byte, b'\t' | b'\n' | b'\r');
        if !text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
            damage.mojibake = mojibake(text);
            if damage.mojibake.is_none() {
                // What is left of a wrong decoding is not counted twice.
                damage.controls = text.chars().filter(|&c| is_damaging(c)).collect();
                damage.controls.sort_unstable();
                damage.controls.dedup();
            }
        }
        damage
    }
}

/// Whether a control character is no white space. U+0085 is a line break.
fn is_damaging(c: char) -> bool {
    c.is_control() && !c.is_whitespace()
}

/// Where the first character stands that was not decoded, or decoded with the wrong encoding: UTF-8 read as
/// Windows-1252 or Latin-1.
fn mojibake(text: &str) -> Option<usize> {
    if text.is_ascii() {
        return None;
    }
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let rest = chars.as_str();
        let mut next = rest.chars();
        let (second, third) = (next.next(), next.next());
        let follows = |c: Option<char>| c.is_some_and(is_continuation);
        let is_damage = match c {
            '\u{FFFD}' => true,
            // é, ü, ñ and the like.
            'Ã' => follows(second),
            // Spaces that do not break, and signs such as £ and °.
            'Â' => second.is_some_and(|c| ('\u{A0}'..='\u{BF}').contains(&c)),
            // Cyrillic: two letters in a row.
            'Ð' | 'Ñ' => follows(second) && matches!(third, Some('Ð' | 'Ñ')),
            // Quotation marks, dashes and the euro sign; a byte order mark; emojis.
            'â' => matches!(second, Some('€' | '\u{80}' | '‚' | '\u{82}')) && follows_any(third),
            'ï' => second == Some('»') && third == Some('¿'),
            'ð' => matches!(second, Some('Ÿ' | '\u{9F}')) && follows(third),
            _ => false,
        };
        // A lone one may be a dash or an apostrophe of Windows-1252, which is read as such.
        let is_remnant = match second {
            Some(second) => {
                is_upper_control(c) && is_letter(second) || is_letter(c) && is_upper_control(second)
            }
            None => false,
        };
        if is_damage || is_remnant {
            return Some(at);
        }
    }
    None
}

/// A control character beyond ASCII, other than the line break.
fn is_upper_control(c: char) -> bool {
    ('\u{80}'..='\u{9F}').contains(&c) && c != '\u{85}'
}

/// A letter of Latin-1 beyond ASCII.
fn is_letter(c: char) -> bool {
    ('À'..='ÿ').contains(&c)
}

/// Any character but a letter or white space, which would follow a real `â€`.
fn follows_any(c: Option<char>) -> bool {
    c.is_some_and(|c| !c.is_whitespace() && !c.is_ascii_alphanumeric())
}

/// Whether a byte from 0x80 to 0xBF looks like this in Windows-1252 or Latin-1.
fn is_continuation(c: char) -> bool {
    const OF_WINDOWS: &str = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ";
    ('\u{80}'..='\u{BF}').contains(&c) || OF_WINDOWS.contains(c)
}

/// Whether a text holds something like `&amp;` or `&#39;`.
fn has_entity(text: &str) -> bool {
    text.split('&').skip(1).any(|rest| {
        let Some(end) = memchr(b';', &rest.as_bytes()[..rest.len().min(10)]) else { return false };
        match rest[..end].strip_prefix('#') {
            Some(digits) => {
                let digits = digits.trim_start_matches(['x', 'X']);
                !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
            }
            None => end > 1 && rest[..end].bytes().all(|byte| byte.is_ascii_alphanumeric()),
        }
    })
}

/// Whether a text holds something like `<br />` or `</b>`.
fn has_tag(text: &str) -> bool {
    text.split('<').skip(1).any(|rest| {
        let name = rest.strip_prefix('/').unwrap_or(rest);
        let near = &rest.as_bytes()[..rest.len().min(LONGEST_TAG)];
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && memchr(b'>', near).is_some()
    })
}

/// A few characters of a text around a place, on one line.
fn around(text: &str, at: usize) -> String {
    let before: Vec<char> = text[..at].chars().rev().take(AROUND).collect();
    let shown = before.into_iter().rev().chain(text[at..].chars().take(AROUND));
    shown.map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrongly_decoded_characters_are_told_from_letters_of_many_languages() {
        for damaged in [
            "a cafÃ© in Paris",
            "itâ€™s fine",
            "itâ\u{80}\u{99}s fine",
            "no \u{FFFD} way",
            "ï»¿first",
            "costs Â£5",
            "ÐŸÑ€Ð¸Ð²ÐµÑ‚",
            "nice ðŸ˜€",
            "schÃ¶n, grÃ¼n",
            "at Õ¢_\u{8a}Î\u{81}Ð all",
        ] {
            assert!(mojibake(damaged).is_some(), "{damaged}");
        }
        for fine in [
            "a caf\u{e9} \u{96} it\u{92}s",
            "a café in Paris",
            "SÃO PAULO, NÃO",
            "« Âge d'or »",
            "El Niño ESPAÑA",
            "naïve, râle, 5 €",
            "ÐETTA ER ÍSLENSKA",
            "“quoted” – and so on…",
            "Привет",
            "größer",
            "😀",
            "Â\u{20}b",
        ] {
            assert_eq!(mojibake(fine), None, "{fine}");
        }
    }

    #[test]
    fn entities_and_tags_are_told_from_ampersands_and_comparisons() {
        for html in ["a &amp; b", "it&#39;s", "it&#x27;s", "&eacute;"] {
            assert!(has_entity(html), "{html}");
        }
        for plain in ["a & b; c", "R&D; more", "AT&T", "&;", "&#;", "a &amp b"] {
            assert!(!has_entity(plain), "{plain}");
        }
        for html in ["a<br />b", "<b>bold</b>", "</p>", "<a href=\"x\">"] {
            assert!(has_tag(html), "{html}");
        }
        for plain in ["1 < 2 > 0", "I <3 it", "a<b", "<->"] {
            assert!(!has_tag(plain), "{plain}");
        }
    }

    #[test]
    fn white_space_is_no_damage() {
        assert!(Damage::of("a\tb\r\nc\u{85}d\u{b}").controls.is_empty());
        assert_eq!(Damage::of("a\0b\u{7f}\u{93}a\0").controls, ['\0', '\u{7f}', '\u{93}']);
    }
}
