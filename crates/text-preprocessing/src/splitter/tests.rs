//! Compares splitting with the library's pipeline, for every scheme and every cleaning version.

use std::sync::LazyLock;

use proptest::prelude::*;
use tokenizers::pre_tokenizer::OffsetType;
use tokenizers::{
    NormalizedString, Normalizer as _, OffsetReferential, PreTokenizedString, PreTokenizer as _,
    Tokenizer,
};

use super::*;
use crate::{bpe, pipeline, vocabulary};

fn configs() -> Vec<PreprocessingConfig> {
    let config = |scheme, cleaning| PreprocessingConfig { scheme, cleaning, ..Default::default() };
    let of_scheme = |scheme| Cleaning::ALL.map(|cleaning| config(scheme, cleaning));
    TokenScheme::ALL.into_iter().flat_map(of_scheme).collect()
}

fn by_splitter(config: &PreprocessingConfig, text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    Splitter::new(config).split(text, |token| {
        tokens.push(match config.scheme {
            TokenScheme::Bpe => bpe::with_space(token),
            _ => token.to_owned(),
        });
        Flow::Continue
    });
    tokens
}

/// Every configuration with the library's pipeline for it, which is slow to build.
fn libraries() -> &'static [(PreprocessingConfig, Tokenizer)] {
    static LIBRARIES: LazyLock<Vec<(PreprocessingConfig, Tokenizer)>> = LazyLock::new(|| {
        let library = |config: PreprocessingConfig| {
            let model = vocabulary::word_level(&crate::words::Words::default()).unwrap();
            let tokenizer = pipeline::tokenizer(&config, model).unwrap();
            (config, tokenizer)
        };
        configs().into_iter().map(library).collect()
    });
    &LIBRARIES
}

fn by_library(library: &Tokenizer, cleaning: Cleaning, text: &str) -> Vec<String> {
    // The one step that a file cannot express. It also removes invisible characters, as the file does.
    let text = match cleaning {
        Cleaning::V2 if text.contains('&') => crate::cleaning::entities::decode_numeric(text),
        _ => text.into(),
    };
    let mut normalized = NormalizedString::from(&*text);
    library.get_normalizer().unwrap().normalize(&mut normalized).unwrap();
    let mut split = PreTokenizedString::from(normalized);
    library.get_pre_tokenizer().unwrap().pre_tokenize(&mut split).unwrap();
    let tokens = split.get_splits(OffsetReferential::Normalized, OffsetType::None);
    tokens.into_iter().map(|(token, _, _)| token.to_owned()).collect()
}

/// Pieces whose combinations matter, mixed with arbitrary characters.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![
            "<br />", "<BR/>", "<br\t\n>", "<br", "<b", ">", "/", "n't", "N'T", "n’t", "n", "'",
            "’", "t", " ", "\u{A0}", "\u{3000}", "\u{85}", "\u{1C}", "\u{200B}", ".", "..", "!",
            "?!", "-", "--", "*", "—", "“", "，", "。", "İ", "Σ", "ß", "ẞ", "ǅ", "é", "e\u{301}",
            "don", "Film", "a_b", "[PAD]", "9/10", "\0", "\u{7F}", "🎬",
        ])
        .prop_map(str::to_owned),
        8 => prop::sample::select(vec![
            "<a href=\"x\">", "</P>", "<font ", "=", "<pad>", "<!-- ", "-->", "<!doctype", "<hr noshade>",
            "&amp;", "&lt;", "&GT;", "&eacute;", "&#39;", "&#x1F44D;", "&", ";", "&zwj;", "lt;", "#",
            "👍", "🏽", "\u{200D}", "\u{FE0F}", "❤", "★", "🇬", "🇧", "1", "\u{20E3}", "🏴", "\u{E0067}",
            "\u{E007F}", "👩", "🚀", "\u{301}", "\u{323}", "각", "\u{1161}", "\u{11A8}", "\u{AD}",
            "\u{FEFF}", "\u{2}", "\u{92}", "\u{97}", "\u{8E}", "ｎ＇ｔ", "Ａ", "＃", "５", "＜br＞", "…", "«", "‐", "–", "・", "´",
        ])
        .prop_map(str::to_owned),
        1 => "\\PC{0,3}",
        1 => any::<char>().prop_map(String::from),
    ];
    let long = (20_usize..90).prop_map(|len| "éx".repeat(len));
    let piece = prop_oneof![60 => piece, 1 => long];
    prop::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

    #[test]
    fn tokens_are_those_of_the_librarys_pipeline(text in any_text()) {
        for (config, library) in libraries() {
            prop_assert_eq!(
                by_splitter(config, &text), by_library(library, config.cleaning, &text),
                "{} {} {:?}", config.scheme, config.cleaning, text
            );
        }
    }
}

#[test]
fn every_character_is_of_the_kind_that_the_library_takes_it_for() {
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    for (config, library) in libraries() {
        for chars in all.chunks(10_000) {
            // Between letters, and at the end of a word.
            let text: String = chars.iter().flat_map(|&c| ['x', c, 'y', c, ' ']).collect();
            let found = by_splitter(config, &text);
            let expected = by_library(library, config.cleaning, &text);
            assert!(found == expected, "{} {} {:?}", config.scheme, config.cleaning, chars[0]);
        }
    }
}

#[test]
fn the_librarys_patterns_do_not_give_up_on_long_texts() {
    // Its engine gives up after a million backtracking steps.
    let long = "good n't 👍".repeat(60_000);
    let text = format!("{long} wo\u{200D}nder<!-- x --> <b>{long}</b> e\u{301}&amp;&hellip;");
    let is_newest = |config: &PreprocessingConfig| {
        config.cleaning == Cleaning::V2 && config.scheme == TokenScheme::WordsAndPunctuation
    };
    for (config, library) in libraries().iter().filter(|(config, _)| is_newest(config)) {
        assert!(by_splitter(config, &text) == by_library(library, config.cleaning, &text));
    }
}
