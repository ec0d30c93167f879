//! Texts that mean the same give the same ids under every scheme, regardless of invisible characters, of
//! how characters are written, and of what is next to an emoji.

// Test helpers may panic.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use text_preprocessing::{PreprocessingConfig, TextEncoder, TokenScheme};
use unicode_normalization_alignments::UnicodeNormalization as _;

/// One encoder per scheme, learned from `text` itself, so that no token is unknown.
fn encoders(text: &str) -> Vec<TextEncoder> {
    let learn = |scheme| {
        let config = PreprocessingConfig { scheme, seq_len: 1_000, ..Default::default() };
        TextEncoder::learn(config, &[text, "always a word"]).unwrap()
    };
    TokenScheme::ALL.map(learn).to_vec()
}

fn check(plain: &str, other: &str) -> Result<(), TestCaseError> {
    for encoder in encoders(plain) {
        let scheme = encoder.config().scheme;
        let ids = encoder.encode(plain).unwrap();
        prop_assert_eq!(encoder.encode(other).unwrap(), ids, "{} {:?} {:?}", scheme, plain, other);
    }
    Ok(())
}

/// Characters of realistic text, from several scripts.
fn any_char() -> impl Strategy<Value = char> {
    let letters = "aeinotyABCéÉüñçßİıŐřžữĐ ÅαήΩϊйЁїґ한값がパ好影שאقئأक़िতোேྀ";
    let marks = "    .,!?'\"-—()…“”’/:&;#<>=";
    let any_of = |chars: &str| prop::sample::select(chars.chars().collect::<Vec<_>>());
    prop_oneof![8 => any_of(letters), 3 => any_of(marks), 1 => prop::char::range('\u{A1}', '\u{2FF}')]
}

fn any_text() -> impl Strategy<Value = Vec<char>> {
    prop::collection::vec(any_char(), 1..60)
}

const INVISIBLE: [char; 12] = [
    '\u{200B}', '\u{200C}', '\u{200D}', '\u{2060}', '\u{FEFF}', '\u{AD}', '\u{200E}', '\u{200F}',
    '\u{202A}', '\u{2069}', '\u{FE0F}', '\u{180E}',
];

/// A character as an entity, in one of many spellings.
fn entity(c: char, way: usize) -> String {
    let named = match c {
        '&' => Some("amp"),
        '<' => Some("lt"),
        '>' => Some("gt"),
        '"' => Some("quot"),
        '\'' => Some("apos"),
        'é' => Some("eacute"),
        'É' => Some("Eacute"),
        'ü' => Some("uuml"),
        'ñ' => Some("ntilde"),
        'ß' => Some("szlig"),
        'α' => Some("alpha"),
        'Ω' => Some("Omega"),
        '—' => Some("mdash"),
        '…' => Some("hellip"),
        '“' => Some("ldquo"),
        '’' => Some("rsquo"),
        _ => None,
    };
    match (way % 5, named) {
        (0, _) => c.to_string(),
        (1 | 2, Some(name)) => format!("&{name};"),
        (3, _) => format!("&#x{:X};", c as u32),
        _ => format!("&#{};", c as u32),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn decomposed_letters_change_nothing(text in any_text()) {
        let plain: String = text.into_iter().collect();
        check(&plain, &plain.nfd().map(|(c, _)| c).collect::<String>())?;
        check(&plain, &plain.nfc().map(|(c, _)| c).collect::<String>())?;
    }

    #[test]
    fn invisible_characters_change_nothing(
        text in any_text(),
        invisible in prop::collection::vec((0_usize..60, prop::sample::select(INVISIBLE.to_vec())), 0..12),
    ) {
        let plain: String = text.iter().collect();
        // Entities are recognized before invisible characters inside them are removed.
        prop_assume!(!plain.contains('&'));
        let mut other = text;
        for (place, c) in invisible {
            other.insert(place.min(other.len()), c);
        }
        check(&plain, &other.into_iter().collect::<String>())?;
    }

    #[test]
    fn entities_change_nothing(
        text in any_text(), ways in prop::collection::vec(0_usize..5, 60),
    ) {
        let plain: String = text.iter().collect();
        // Anything in the plain text that looks like an entity or a tag is one, and its spelling
        // matters.
        prop_assume!(!plain.contains("&#") && !plain.contains('<'));
        prop_assume!(!plain.split('&').skip(1).any(|rest| rest.contains(';')));
        let other: String = text.iter().zip(ways).map(|(&c, way)| entity(c, way)).collect();
        check(&plain, &other)?;
    }

    #[test]
    fn an_emoji_is_a_token_whatever_it_touches(
        pieces in prop::collection::vec(
            (
                prop_oneof![
                    "[a-zé]{1,6}", "(good|bad|n't)[.!?,'-]{0,2}", "[0-9]{1,3}",
                    prop::sample::select(vec![
                        "👍", "👍🏽", "❤", "❤\u{FE0F}", "👨\u{200D}👩\u{200D}👧", "🇬🇧", "1\u{FE0F}\u{20E3}",
                        "#\u{20E3}", "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}", "★", "🏽",
                        "🤷🏻\u{200D}♀\u{FE0F}", "🏳\u{FE0F}\u{200D}🌈",
                    ]).prop_map(str::to_owned),
                ],
                any::<bool>(),
            ),
            1..12,
        ),
    ) {
        let is_emoji = |piece: &str| !piece.chars().all(|c| c.is_ascii() || c == 'é');
        let spaced: Vec<&str> = pieces.iter().map(|(piece, _)| piece.as_str()).collect();
        let spaced = spaced.join(" ");
        let mut attached = String::new();
        let mut before = "";
        for (piece, attach) in &pieces {
            // A skin tone would attach to the emoji before it.
            let may_touch = (is_emoji(before) || is_emoji(piece)) && piece != "🏽";
            if !(attached.is_empty() || *attach && may_touch) {
                attached.push(' ');
            }
            attached.push_str(piece);
            before = piece;
        }
        check(&spaced, &attached)?;
    }

    #[test]
    fn tags_are_spaces(
        words in prop::collection::vec("[a-zA-Zé]{1,6}[.!?]{0,2}", 1..10),
        tags in prop::collection::vec(prop::sample::select(vec![
            "<br />", "<BR>", "</p>", "<p class=\"x y\">", "<a href='#'>", "<!-- a > b -->", "&lt;i&gt;", "&#60;hr&#62;",
        ]), 10),
    ) {
        let tagged: Vec<String> =
            words.iter().zip(tags).map(|(word, tag)| format!("{word}{tag}")).collect();
        check(&words.join(" "), &tagged.concat())?;
    }
}

#[test]
fn emojis_are_tokens_of_their_own_in_every_scheme() {
    for encoder in encoders("great 👍 ok 👍🏽 👨\u{200D}👩 🇬🇧 no 1\u{20E3}") {
        let of = |text: &str| encoder.encode(text).unwrap();
        let scheme = encoder.config().scheme;
        assert_eq!(
            of("great👍👍ok"),
            [of("great"), of("👍"), of("👍"), of("ok")].concat(),
            "{scheme}"
        );
        assert_eq!(of("ok👍🏽👍"), [of("ok"), of("👍🏽"), of("👍")].concat(), "{scheme}");
        assert_eq!(of("🇬🇧🇬🇧"), [of("🇬🇧"), of("🇬🇧")].concat(), "{scheme}");
        assert_eq!(of("no1\u{FE0F}\u{20E3}"), [of("no"), of("1\u{20E3}")].concat(), "{scheme}");
        if scheme != TokenScheme::Bpe {
            for emoji in ["👍", "👍🏽", "👨\u{200D}👩", "🇬🇧", "1\u{20E3}"] {
                let ids = of(emoji);
                assert!(ids.len() == 1 && ids[0] != encoder.unknown_id(), "{scheme} {emoji}");
            }
        }
    }
}

#[test]
fn special_tokens_spelled_out_are_ordinary_text() {
    let text = "good <pad> [PAD] </s> [UNK] <unk> </pad>";
    for encoder in encoders(text) {
        for spelled in ["[PAD]", "<pad>", "[UNK]", "<unk>", "</pad>"] {
            let ids = encoder.encode(spelled).unwrap();
            assert!(
                !ids.is_empty() && !ids.contains(&0) && !ids.contains(&encoder.unknown_id()),
                "{spelled}"
            );
        }
        // `s` is an element of HTML.
        assert!(encoder.encode("</s>").unwrap().is_empty());
    }
}
