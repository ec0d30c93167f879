#![allow(dead_code,unused_imports)]
mod near { use std::collections::HashSet; use rayon::prelude::*;
/// Texts are nearly the same if so many of so many sequences that either has are in both.
const SIMILAR: [usize; 2] = [4, 5];
/// Counters of sequences; several sequences may share one, so that counts may be too large, never too small.
const N_COUNTERS: usize = 1 << 22;
/// Of more texts with the same sequence, each is compared with so many before it and with the first.
const N_COMPARED: usize = 8;

/// Which pairs are wanted.
#[derive(Clone, Copy)]
pub(super) enum Sides {
    /// All.
    One,
    /// Those of one of the first so many sets with one of the others.
    Two(usize),
}

/// Pairs of sets that are similar, the first set first.
pub(super) fn similar(sets: &[&[u32]], sides: Sides) -> Vec<[u32; 2]> {
    let mut counters = vec![0u8; N_COUNTERS];
    for &hash in sets.iter().flat_map(|set| set.iter()) {
        let counter = &mut counters[hash as usize % N_COUNTERS];
        *counter = counter.saturating_add(1);
    }
    let mut entries: Vec<(u32, u32)> = sets
        .par_iter()
        .zip(0u32..sets.len() as u32)
        .flat_map_iter(|(set, at)| shared_of_rarest(set, &counters).map(move |hash| (hash, at)))
        .collect();
    drop(counters);
    entries.par_sort_unstable();
    let mut candidates = Vec::new();
    for same in entries.chunk_by(|(a, _), (b, _)| a == b) {
        let mut add = |a: u32, b: u32| {
            if may_be_similar(sets[a as usize].len(), sets[b as usize].len()) {
                candidates.push([a, b]);
            }
        };
        let n_first = match sides {
            Sides::One => 0,
            Sides::Two(n) => same.partition_point(|(_, at)| (*at as usize) < n),
        };
        for (idx, (_, at)) in same.iter().enumerate().skip(n_first) {
            let before = match sides {
                Sides::One => &same[..idx],
                Sides::Two(_) => &same[..n_first],
            };
            let near = before.len().saturating_sub(N_COMPARED);
            before[near..].iter().for_each(|(_, other)| add(*other, *at));
            before[..near].first().into_iter().for_each(|(_, other)| add(*other, *at));
        }
    }
    candidates.par_sort_unstable();
    candidates.dedup();
    candidates.retain(|[a, b]| a != b);
    let is_similar = |[a, b]: &[u32; 2]| {
        let (a, b) = (sets[*a as usize], sets[*b as usize]);
        let n_common = n_common(a, b);
        SIMILAR[1] * n_common >= SIMILAR[0] * (a.len() + b.len() - n_common)
    };
    candidates.into_par_iter().filter(is_similar).collect()
}

/// Of the rarest fifth of a set, the elements that other sets may have, too.
fn shared_of_rarest(set: &[u32], counters: &[u8]) -> impl Iterator<Item = u32> + use<> {
    let n_common = (SIMILAR[0] * set.len()).div_ceil(SIMILAR[1]);
    let n_rarest = if set.is_empty() { 0 } else { set.len() - n_common + 1 };
    let count = |hash: u32| counters[hash as usize % N_COUNTERS];
    let mut order: Vec<(u8, u32)> = set.iter().map(|&hash| (count(hash), hash)).collect();
    if n_rarest < order.len() {
        order.select_nth_unstable(n_rarest);
        order.truncate(n_rarest);
    }
    order.into_iter().filter(|(count, _)| *count > 1).map(|(_, hash)| hash)
}

/// Whether sets of these sizes can be similar at all.
fn may_be_similar(a: usize, b: usize) -> bool {
    SIMILAR[1] * a.min(b) >= SIMILAR[0] * a.max(b)
}

/// Elements that are in both of two ascending lists.
fn n_common(a: &[u32], b: &[u32]) -> usize {
    let (mut at_a, mut at_b, mut n) = (0, 0, 0);
    while let (Some(of_a), Some(of_b)) = (a.get(at_a), b.get(at_b)) {
        n += usize::from(of_a == of_b);
        at_a += usize::from(of_a <= of_b);
        at_b += usize::from(of_b <= of_a);
    }
    n
}

/// A hash of a sequence of ids, the same on every machine.
fn hash(ids: &[u32]) -> u32 {
    let mix = |hash: u64, &id: &u32| {
        let mixed = (hash ^ u64::from(id)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 29)
    };
    (ids.iter().fold(0x51_7C_C1_B7, mix) >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets of numbers, some of them with most elements in common, the same each time.
    fn sets() -> Vec<Vec<u32>> {
        let mut state = 7u64;
        let mut next = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((state >> 33) % below) as u32
        };
        let mut sets: Vec<Vec<u32>> = Vec::new();
        for _ in 0..300 {
            let base = next(3);
            let mut set: Vec<u32> = match sets.len() {
                n if n > 0 && base > 0 => sets[next(n as u64) as usize].clone(),
                _ => (0..20 + next(80)).map(|_| next(4000)).collect(),
            };
            for _ in 0..next(12) {
                let at = next(set.len() as u64) as usize;
                set[at] = next(4000);
            }
            set.sort_unstable();
            set.dedup();
            sets.push(set);
        }
        sets
    }

    fn compared_one_by_one(sets: &[Vec<u32>]) -> Vec<[u32; 2]> {
        let mut pairs = Vec::new();
        for (b, of_b) in sets.iter().enumerate() {
            for (a, of_a) in sets[..b].iter().enumerate() {
                let common = of_a.iter().filter(|element| of_b.contains(element)).count();
                if common as f64 >= 0.8 * (of_a.len() + of_b.len() - common) as f64 {
                    pairs.push([a as u32, b as u32]);
                }
            }
        }
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn all_similar_pairs_are_found_where_no_sequence_is_in_many_texts() {
        let mut sets = sets();
        sets.extend([vec![], vec![], vec![5], vec![5]]);
        let borrowed: Vec<&[u32]> = sets.iter().map(Vec::as_slice).collect();
        let expected: HashSet<[u32; 2]> = compared_one_by_one(&sets).into_iter().collect();
        let found = similar(&borrowed, Sides::One);
        assert!(found.len() > 50, "{}", found.len());
        // Two empty sets are not similar: they say nothing.
        let expected: HashSet<[u32; 2]> =
            expected.into_iter().filter(|[a, _]| !sets[*a as usize].is_empty()).collect();
        let found_set: HashSet<[u32; 2]> = found.iter().copied().collect();
        assert!(found_set.is_subset(&expected));
        // Of families of more than eight, some pairs are left out, but no member is.
        let later =
            |pairs: &HashSet<[u32; 2]>| pairs.iter().map(|[_, b]| *b).collect::<HashSet<u32>>();
        assert_eq!(later(&found_set), later(&expected));
    }

    #[test]
    fn pairs_of_two_tables_have_one_side_in_each() {
        let sets = sets();
        let borrowed: Vec<&[u32]> = sets.iter().map(Vec::as_slice).collect();
        let found = similar(&borrowed, Sides::Two(150));
        assert!(!found.is_empty());
        assert!(found.iter().all(|[a, b]| *a < 150 && *b >= 150), "{found:?}");
        let crossing = |[a, b]: &[u32; 2]| *a < 150 && *b >= 150;
        let expected: HashSet<u32> = compared_one_by_one(&sets)
            .iter()
            .filter(|pair| crossing(pair))
            .map(|pair| pair[1])
            .collect();
        assert_eq!(found.iter().map(|pair| pair[1]).collect::<HashSet<u32>>(), expected);
    }

    #[test]
    fn a_thousand_times_the_same_set_is_no_million_of_pairs() {
        let set: Vec<u32> = (0..50).collect();
        let found = similar(&vec![&*set; 1000], Sides::One);
        assert!(found.len() < 10_000, "{}", found.len());
        assert_eq!(found.iter().map(|[_, b]| *b).collect::<HashSet<u32>>().len(), 999);
    }
}
}
mod damage { use memchr::{memchr,memchr2};
const LONGEST_TAG: usize=100; const AROUND: usize=12;
/// What one text holds.
#[derive(Default)]
struct Damage {
    /// Where wrongly decoded characters begin.
    mojibake: Option<usize>,
    has_entity: bool,
    has_tag: bool,
    controls: Vec<char>,
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
}
mod scripts { use std::collections::BTreeMap; use unicode_script::{Script, UnicodeScript as _};
/// The script of a text that has no spaces between its words.
fn without_spaces(text: &str) -> Option<Script> {
    if text.is_ascii() {
        return None;
    }
    let (mut n_letters, mut n_runs) = (0, 0);
    let mut of_scripts: BTreeMap<&str, (Script, usize)> = BTreeMap::new();
    let mut was_inside = false;
    for c in text.chars() {
        let is_letter = c.is_alphabetic();
        n_letters += usize::from(is_letter);
        let script = c.script();
        let is_inside = most_of_a_word(script).is_some();
        if is_inside && is_letter {
            of_scripts.entry(script.full_name()).or_insert((script, 0)).1 += 1;
        }
        n_runs += usize::from(is_inside && !was_inside);
        // Vowel signs and shared marks belong to the run, spaces and marks end it.
        was_inside = is_inside || was_inside && !c.is_whitespace() && !c.is_ascii();
    }
    let n_inside: usize = of_scripts.values().map(|(_, n)| n).sum();
    let (script, _) = of_scripts.into_values().max_by_key(|(_, n)| *n)?;
    let most = most_of_a_word(script)?;
    (2 * n_inside > n_letters && n_inside > most * n_runs).then_some(script)
}

/// For a script without spaces between words, how many letters words have on average at most.
fn most_of_a_word(script: Script) -> Option<usize> {
    match script {
        Script::Han | Script::Hiragana | Script::Katakana => Some(4),
        Script::Thai | Script::Lao | Script::Khmer | Script::Myanmar => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_without_spaces_are_told_from_those_with() {
        for (text, script) in [
            ("这部电影非常好看,我很喜欢。", Script::Han),
            ("この映画はとても面白かったです", Script::Hiragana),
            ("หนังเรื่องนี้สนุกมากและน่าติดตาม", Script::Thai),
            ("ភាពយន្តនេះល្អណាស់ខ្ញុំចូលចិត្តវា", Script::Khmer),
            ("ຮູບເງົາເລື່ອງນີ້ດີຫຼາຍຂ້ອຍມັກມັນ", Script::Lao),
        ] {
            assert_eq!(without_spaces(text), Some(script), "{text}");
        }
        for text in [
            "a plain text",
            "ein schöner Film",
            "这 部 电影 非常 好看",
            "이 영화는 정말 재미있었어요",
            "the film 花样年华 is a long and quiet one",
            "Отличный фильм",
        ] {
            assert_eq!(without_spaces(text), None, "{text}");
        }
    }
}
}
