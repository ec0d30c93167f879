//! Tests of what cleaning promises, on chosen and on random texts.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// Generous, for a busy machine: linear time is well below a second, quadratic time is 10^12 steps.
const MEGABYTES_LIMIT: Duration = Duration::from_secs(60);

/// Applies every step to every character, without shortcuts.
fn by_steps(text: &str) -> String {
    let mut cleaner = Cleaner::default();
    cleaner.clean_any(text);
    cleaner.text
}

#[test]
fn what_looks_the_same_becomes_the_same() {
    for (text, expected) in [
        ("", ""),
        ("Plain TEXT", "plain text"),
        ("Cafe\u{301} Café", "café café"),
        ("won\u{200B}der\u{AD}ful \u{FEFF}film\u{2060}", "wonderful film"),
        ("wo\u{200D}n\u{200C}der", "wonder"),
        ("\u{1112}\u{1161}\u{11AB}", "한"),
        ("Ａｂｃ１２！", "abc12!"),
        ("“It’s” «fine»… ‘so’ re‐do — no–yes", "\"it's\" \"fine\"... 'so' re-do — no–yes"),
        ("don´t donʼt", "don't don't"),
        ("&Eacute;t&eacute; &EACUTE; R&amp;D &#82;&#38;D", "été é r&d r&d"),
        ("&lt;br&gt;x&#60;p&#62;", " x "),
        ("<B\u{200B}R>x", " x"),
        ("e&#769;", "é"),
        ("e\u{200D}\u{301}", "é"),
        ("a&zwj;b &shy;c", "ab c"),
        ("👍\u{FE0F} ❤\u{FE0F}", "👍 ❤"),
        ("👨\u{200D}👩\u{200D}👧\u{200D} x", "👨\u{200D}👩\u{200D}👧 x"),
        ("🏳\u{FE0F}\u{200D}🌈", "🏳\u{200D}🌈"),
        ("1\u{FE0F}\u{20E3}", "1\u{20E3}"),
        ("İ", "i\u{307}"),
        ("\u{91}a\u{92} \u{93}b\u{94} c\u{96}d\u{85} \u{8A}\u{81}", "'a' \"b\" c–d... š\u{81}"),
        ("wo\u{1}r\u{7F}d\0 \t\u{1F}", "word \t"),
        ("&#\u{200B}233; &e\u{AD}acute;", "é é"),
        ("a<!-- <b>x</b> -->b", "a b"),
        ("\u{37E}\u{212A}\u{2126}", ";kω"),
    ] {
        assert_eq!(clean(text), expected, "{text:?}");
        assert_eq!(by_steps(text), expected, "{text:?}");
    }
}

#[test]
fn the_short_way_is_right_for_every_character() {
    for c in '\0'..=char::MAX {
        let text = format!("e{c}{c}x");
        assert_eq!(clean(&text), by_steps(&text), "{text:?}");
        if is_simple(c) {
            // Only another mark composes with what a simple character leaves behind.
            let lower = by_steps(&c.to_string());
            assert_eq!(lower.nfc().map(|(c, _)| c).collect::<String>(), lower, "{c:?}");
            assert_eq!(clean(&text), by_steps(&text), "{c:?}");
        }
    }
}

#[test]
fn emojis_of_every_kind_are_emojis() {
    use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
    use tokenizers::{PreTokenizedString, PreTokenizer as _, SplitDelimiterBehavior};
    let chars_of = |pattern: &str| -> Vec<char> {
        let text: String = ('\u{80}'..=char::MAX).collect();
        let pattern = SplitPattern::Regex(pattern.to_owned());
        let split = Split::new(pattern, SplitDelimiterBehavior::Removed, true).unwrap();
        let mut pieces = PreTokenizedString::from(text.as_str());
        split.pre_tokenize(&mut pieces).unwrap();
        let pieces = pieces.get_splits(
            tokenizers::OffsetReferential::Normalized,
            tokenizers::pre_tokenizer::OffsetType::None,
        );
        pieces.iter().flat_map(|(piece, ..)| piece.chars()).collect()
    };
    let is_ours = |c| is_emoji(c) || contains(characters::FLAG_LETTERS, c);
    let shown_as_emojis = chars_of(r"\p{Emoji_Presentation}+");
    assert!(shown_as_emojis.len() > 1_000);
    assert!(shown_as_emojis.iter().all(|&c| is_ours(c)));
    let others: String =
        chars_of(r"\p{Extended_Pictographic}+").into_iter().filter(|&c| !is_ours(c)).collect();
    assert_eq!(others, "©®‼⁉™ℹ");
}

/// Pieces that cleaning changes, side by side in any order, mixed with arbitrary characters.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![
            "<", ">", "<br />", "<BR/>", "<a ", "href=x", "=", "</p", "<!--", "-->", "-", "&", ";", "#",
            "&lt;", "&gt;", "&amp;", "&eacute;", "&#39;", "&#x301;", "&zwj;", "&shy", "lt;", "amp;",
            "e", "E", "\u{301}", "\u{323}", "é", "İ", "ß", "ẞ", "Σ", "Å", "\u{212B}", "\u{AD}",
            "\u{200B}", "\u{200D}", "\u{1}", "\u{93}", "\u{8A}", "\u{FE0F}", "\u{FEFF}", "👍", "🏽", "🇬", "🇧", "❤", "1", "\u{20E3}",
            "Ａ", "＜", "＞", "＆", "；", "“", "’", "…", "—", "´", "\u{1FFD}", "각", "\u{1100}",
            "\u{1161}", "\u{11A8}", "か", "\u{3099}", "क", "\u{93C}", " ", "\u{A0}", "好", "\u{E0067}",
        ])
        .prop_map(str::to_owned),
        1 => "\\PC{0,3}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn the_short_way_and_the_long_way_meet(text in any_text()) {
        prop_assert_eq!(clean(&text), by_steps(&text));
    }

    #[test]
    fn cleaning_again_changes_nothing(text in any_text()) {
        let once = clean(&text);
        // Cleaning may create new markup and entities.
        let made_markup = once.contains('<') || entities::may_have_entity(&once);
        prop_assert!(made_markup || clean(&once) == once, "{:?} {:?}", once, clean(&once));
        prop_assert!(once.nfc().map(|(c, _)| c).eq(once.chars()));
        prop_assert!(!once.chars().any(|c| contains(INVISIBLE, c)));
    }

    #[test]
    fn decomposed_texts_become_the_same(text in any_text()) {
        // A decomposed semicolon would create an entity, a decomposed relation sign a tag.
        let plain = text.replace(['&', '<', '>', '='], " ");
        let decomposed: String = plain.nfd().map(|(c, _)| c).collect();
        prop_assert_eq!(clean(&decomposed), clean(&plain));
    }
}

#[test]
fn a_megabyte_of_anything_takes_linear_time() {
    let start = Instant::now();
    for unit in [
        "<a ",
        "<a href=",
        "<br",
        "<!--",
        "<!-- ",
        "<!doctype ",
        "&",
        "&#",
        "&#x1",
        "&amp",
        "&eacute",
        "&amp;",
        "<br/>",
        "</",
        "<a checked ",
        "\u{200D}",
        "👍\u{200D}",
        "e\u{301}",
        "\u{301}",
        "…",
        "<",
        "<!---",
        "&lt;!--",
        "\u{E0067}",
        "<b checked",
        "＜ａ ",
    ] {
        let text = unit.repeat(1_000_000 / unit.len());
        assert!(clean(&text).len() <= text.len(), "{unit}");
    }
    assert!(start.elapsed() < MEGABYTES_LIMIT, "{:?}", start.elapsed());
}
