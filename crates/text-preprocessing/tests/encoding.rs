//! How texts are encoded under each scheme, including odd texts and invalid configurations.

// Test helpers may panic.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use text_preprocessing::{
    Cleaning, Encoded, Error, PAD_TOKEN, PreprocessingConfig, TextEncoder, TokenScheme, Truncation,
    UNKNOWN_TOKEN,
};

/// Generous, for a busy machine: linear time is 4 s when idle, quadratic time is 10^12 steps.
const MEGABYTES_LIMIT: Duration = Duration::from_secs(120);

fn config(scheme: TokenScheme) -> PreprocessingConfig {
    PreprocessingConfig { scheme, ..Default::default() }
}

/// The tokens of `text` from an encoder learned from `text` itself, so that none is unknown.
fn tokens(scheme: TokenScheme, cleaning: Cleaning, text: &str) -> Vec<String> {
    let config = PreprocessingConfig { cleaning, ..config(scheme) };
    let encoder = TextEncoder::learn(config, &[text]).unwrap();
    let ids = encoder.encode(text).unwrap();
    ids.into_iter().map(|id| encoder.token_of(id).unwrap()).collect()
}

#[test]
fn words_follow_the_notebook() {
    for (text, expected) in [
        ("Don't STOP, now!", "dont stop now"),
        ("one<br /><br />two<BR/>three<br>four<Br\t/>five", "one two three four five"),
        ("<brave>", "brave"),
        ("a-b c_d 9/10 ~x` [PAD] [UNK]", "ab cd 910 x pad unk"),
        ("tab\tline\r\nno\u{A0}break\u{3000}wide", "tab line no break wide"),
    ] {
        for cleaning in Cleaning::ALL {
            assert_eq!(tokens(TokenScheme::Words, cleaning, text).join(" "), expected);
        }
    }
}

#[test]
fn punctuation_and_negations_are_tokens() {
    for (text, expected) in [
        ("Don't stop, I can't!", "do n't stop , i ca n't !"),
        ("it\u{2019}s good \u{2014} isn\u{2019}t", "it ' s good — is n't"),
        ("so... bad!!!!! what?!", "so ... bad !!! !! what ? !"),
        ("(well-made)<br />9/10", "( well - made ) 9 / 10"),
        ("好。看", "好 。 看"),
        ("[PAD]", "[ pad ]"),
    ] {
        for cleaning in Cleaning::ALL {
            let tokens = tokens(TokenScheme::WordsAndPunctuation, cleaning, text);
            assert_eq!(tokens.join(" "), expected);
        }
    }
}

#[test]
fn byte_pairs_rebuild_frequent_words_and_know_every_text() {
    let texts = vec!["the best film, the best cast"; 20];
    let encoder = TextEncoder::learn(config(TokenScheme::Bpe), &texts).unwrap();
    let the = encoder.id_of("Ġthe").unwrap();
    assert_eq!(encoder.encode("The the").unwrap(), [the, the]);
    for text in ["unseen", "Ελληνικά", "映画", "🎬👍🏽", "\u{0}\u{10FFFF}"] {
        let ids = encoder.encode(text).unwrap();
        assert!(!ids.is_empty());
        assert!(!ids.contains(&encoder.unknown_id()), "{text}: {ids:?}");
    }
}

#[test]
fn ids_start_at_one_and_end_with_unknown() {
    let encoder = TextEncoder::learn(PreprocessingConfig::default(), &["b a c", "c a c"]).unwrap();
    assert_eq!(encoder.vocab_size(), 5);
    let tokens: Vec<String> = (0..5).map(|id| encoder.token_of(id).unwrap()).collect();
    assert_eq!(tokens, [PAD_TOKEN, "c", "a", "b", UNKNOWN_TOKEN]);
    assert_eq!(encoder.token_of(5), None);
    assert_eq!((encoder.pad_id(), encoder.unknown_id()), (0, 4));
    assert_eq!(encoder.encode("a d C").unwrap(), [2, 4, 1]);
    assert_eq!((encoder.id_of("b"), encoder.id_of("d")), (Some(3), None));
}

#[test]
fn every_scheme_has_padding_first_and_unknown_last() {
    for scheme in TokenScheme::ALL {
        let encoder = TextEncoder::learn(config(scheme), &["good film", "bad film"]).unwrap();
        assert_eq!(encoder.id_of(PAD_TOKEN), Some(0), "{scheme}");
        assert_eq!(encoder.unknown_id() as usize, encoder.vocab_size() - 1, "{scheme}");
        assert_eq!(encoder.token_of(encoder.unknown_id()).unwrap(), UNKNOWN_TOKEN, "{scheme}");
    }
}

#[test]
fn limits_on_the_vocabulary_hold() {
    let texts = vec!["one two two three three three four four four four"; 3];
    for (scheme, max_vocab) in [
        (TokenScheme::Words, 4),
        (TokenScheme::WordsAndPunctuation, 4),
        (TokenScheme::Bpe, 258),
        (TokenScheme::Bpe, 262),
    ] {
        let config = PreprocessingConfig { max_vocab: Some(max_vocab), ..config(scheme) };
        let encoder = TextEncoder::learn(config, &texts).unwrap();
        assert_eq!(encoder.vocab_size(), max_vocab, "{scheme}");
    }
    let config = PreprocessingConfig { min_frequency: 9, ..Default::default() };
    let encoder = TextEncoder::learn(config, &texts).unwrap();
    assert_eq!(encoder.id_of("three"), Some(2));
    assert_eq!(encoder.id_of("two"), None);
}

#[test]
fn long_texts_are_cut_and_short_ones_padded() {
    let texts = ["a b c d e f g"];
    for (truncation, expected) in [
        (Truncation::Head, [1, 2, 3, 4, 5]),
        (Truncation::Tail, [3, 4, 5, 6, 7]),
        (Truncation::HeadTail, [1, 2, 3, 6, 7]),
    ] {
        let config = PreprocessingConfig { seq_len: 5, truncation, ..Default::default() };
        let encoder = TextEncoder::learn(config, &texts).unwrap();
        assert_eq!(encoder.encode(texts[0]).unwrap(), expected);
        assert_eq!(encoder.encode_padded(texts[0]).unwrap(), expected);
        assert_eq!(encoder.pad(&[1, 2, 3, 4, 5, 6, 7]), expected);
        assert_eq!(encoder.encode("f g").unwrap(), [6, 7]);
        assert_eq!(encoder.encode_padded("f g").unwrap(), [0, 0, 0, 6, 7]);
    }
}

#[test]
fn texts_without_words_encode_to_nothing() {
    for scheme in TokenScheme::ALL {
        let config = PreprocessingConfig { seq_len: 3, ..config(scheme) };
        let encoder = TextEncoder::learn(config, &["some words"]).unwrap();
        for text in ["", " \t\n", "<br /> <br>"] {
            assert!(encoder.encode(text).unwrap().is_empty(), "{scheme}, {text:?}");
            assert_eq!(encoder.encode_padded(text).unwrap(), [0, 0, 0]);
        }
    }
    let encoder = TextEncoder::learn(PreprocessingConfig::default(), &["some words"]).unwrap();
    assert!(encoder.encode("?! ... --- '").unwrap().is_empty());
}

#[test]
fn the_letters_of_a_special_token_are_not_that_token() {
    for scheme in TokenScheme::ALL {
        let encoder = TextEncoder::learn(config(scheme), &["some [PAD] words [UNK]"]).unwrap();
        let ids = encoder.encode("[PAD] some [PAD]").unwrap();
        assert!(ids.len() > 1 && !ids.contains(&0), "{scheme}: {ids:?}");
        assert!(!encoder.encode("[UNK]").unwrap().contains(&encoder.unknown_id()), "{scheme}");
    }
}

#[test]
fn other_scripts_have_defined_words() {
    for (text, expected) in [
        ("İstanbul IĞDIR", "i\u{307}stanbul iğdir"),
        ("ΟΔΟΣ", "οδοσ"),
        ("Café NAÏVE", "café naïve"),
        ("这部电影很好", "这部电影很好"),
        ("فيلم رائع", "فيلم رائع"),
        ("Great 👍🏽 👨\u{200D}👩\u{200D}👧!", "great 👍🏽 👨\u{200D}👩\u{200D}👧"),
    ] {
        for cleaning in Cleaning::ALL {
            assert_eq!(tokens(TokenScheme::Words, cleaning, text).join(" "), expected);
        }
    }
}

#[test]
fn the_first_version_of_cleaning_stays_as_it_was() {
    for (scheme, text, expected) in [
        (TokenScheme::Words, "“good”—bad… café cafe\u{301}", "“good”—bad… café cafe\u{301}"),
        (
            TokenScheme::Words,
            "won\u{200B}der &amp; <p>好，看！👍👍",
            "won\u{200B}der amp p好，看！👍👍",
        ),
        (TokenScheme::WordsAndPunctuation, "“good”… <b>👍👍x", "“ good ” … < b > 👍👍x"),
        (TokenScheme::WordsAndPunctuation, "好，看！", "好 ， 看 ！"),
        (TokenScheme::WordsAndPunctuation, "ｗｉｄｅ！ &eacute;", "ｗｉｄｅ ！ & eacute ;"),
    ] {
        assert_eq!(tokens(scheme, Cleaning::V1, text).join(" "), expected);
    }
}

#[test]
fn batches_keep_their_order() {
    let texts: Vec<String> = (0..500).map(|n| format!("w{n} w{}", n / 2)).collect();
    let encoder = TextEncoder::learn(PreprocessingConfig::default(), &texts).unwrap();
    let batch = encoder.encode_batch(&texts).unwrap();
    for (text, ids) in texts.iter().zip(batch) {
        assert_eq!(encoder.encode(text).unwrap(), ids);
        assert_eq!(encoder.token_of(ids[0]).unwrap(), text.split(' ').next().unwrap());
    }
}

#[test]
fn tokens_before_cutting_and_unknown_ones_are_counted() {
    for truncation in [Truncation::Head, Truncation::Tail, Truncation::HeadTail] {
        for scheme in TokenScheme::ALL {
            let config = PreprocessingConfig { seq_len: 3, truncation, ..config(scheme) };
            let encoder = TextEncoder::learn(config, &["a b c d e"]).unwrap();
            let texts = ["", "a b", "a b c", "a b c d e"].map(str::to_owned);
            let encoded = encoder.encode_batch_counted(&texts).unwrap();
            let n_tokens: Vec<usize> = encoded.iter().map(|encoded| encoded.n_tokens).collect();
            assert_eq!(n_tokens, [0, 2, 3, 5], "{scheme} {truncation}");
            assert_eq!(
                encoded.iter().map(Encoded::is_cut).collect::<Vec<_>>(),
                [false, false, false, true]
            );
            assert!(encoded.iter().all(|encoded| encoded.n_unknown == 0));
            let ids: Vec<Vec<u32>> = encoded.into_iter().map(|encoded| encoded.ids).collect();
            assert_eq!(ids, encoder.encode_batch(&texts).unwrap());
        }
    }
    let config = PreprocessingConfig { seq_len: 4, ..Default::default() };
    let encoder = TextEncoder::learn(config, &["good film"]).unwrap();
    // One unknown token among the four kept, and another after them.
    let encoded = encoder.encode_batch_counted(&["a good film, good 映画"]).unwrap();
    assert_eq!((encoded[0].n_tokens, encoded[0].n_unknown), (5, 1));
    let encoded = encoder.encode_batch_counted(&["最低の映画", "zzz qqq film"]).unwrap();
    let counts: Vec<_> = encoded.iter().map(|e| (e.n_unknown, e.ids.len())).collect();
    assert_eq!(counts, [(1, 1), (2, 3)]);
}

#[test]
fn learning_needs_words() {
    for scheme in TokenScheme::ALL {
        let none: [&str; 0] = [];
        let error = TextEncoder::learn(config(scheme), &none).unwrap_err();
        assert!(matches!(error, Error::NoTexts), "{error}");
        let error = TextEncoder::learn(config(scheme), &["", " <br /> "]).unwrap_err();
        assert!(matches!(error, Error::NoWords { n_texts: 2, min_frequency: 1 }), "{error}");
    }
    let config = PreprocessingConfig { min_frequency: 3, ..Default::default() };
    let error = TextEncoder::learn(config, &["twice twice"]).unwrap_err();
    assert_eq!(error.to_string(), "no word occurs 3 or more times in 1 texts");
}

#[test]
fn learning_refuses_impossible_configurations() {
    let config = PreprocessingConfig { seq_len: 0, ..Default::default() };
    let error = TextEncoder::learn(config, &["a"]).unwrap_err();
    assert!(matches!(error, Error::SeqLen { found: 0, .. }), "{error}");
    let config = PreprocessingConfig { max_vocab: Some(2), ..Default::default() };
    let error = TextEncoder::learn(config, &["a"]).unwrap_err();
    assert!(matches!(error, Error::MaxVocab { found: 2, min: 3, .. }), "{error}");
}

#[test]
fn learning_twice_gives_the_same_vocabulary() {
    // Many ties: every pair of letters is as frequent as its mirror image.
    let texts: Vec<String> = ('a'..='p')
        .flat_map(|a| ('a'..='p').map(move |b| format!("{a}{b}{b}{a} {b}{a}{a}{b} {a}{b}{a}{b}")))
        .collect();
    for scheme in TokenScheme::ALL {
        let config = PreprocessingConfig { max_vocab: Some(700), ..config(scheme) };
        let vocabulary = |encoder: &TextEncoder| -> Vec<String> {
            (0..encoder.vocab_size() as u32).map(|id| encoder.token_of(id).unwrap()).collect()
        };
        let first = TextEncoder::learn(config.clone(), &texts).unwrap();
        for _ in 0..10 {
            let again = TextEncoder::learn(config.clone(), &texts).unwrap();
            assert_eq!(vocabulary(&again), vocabulary(&first), "{scheme}");
            assert_eq!(
                again.encode_batch(&texts).unwrap(),
                first.encode_batch(&texts).unwrap(),
                "{scheme}"
            );
        }
    }
}

#[test]
fn a_megabyte_takes_linear_time() {
    let units =
        ["don't ", "x", "<br ", "映", "<!--", "&", "👍\u{200D}", "e\u{301}", "\u{20E3}", "-"];
    let texts = units.map(|unit| unit.repeat(1_000_000 / unit.len()));
    let start = Instant::now();
    for (scheme, truncation) in [
        (TokenScheme::Words, Truncation::Head),
        (TokenScheme::WordsAndPunctuation, Truncation::Tail),
        (TokenScheme::Bpe, Truncation::HeadTail),
    ] {
        let config = PreprocessingConfig { truncation, ..config(scheme) };
        let encoder = TextEncoder::learn(config, &texts).unwrap();
        for text in &texts {
            let ids = encoder.encode(text).unwrap();
            let no_words = scheme == TokenScheme::Words
                && text.is_ascii()
                && !text.contains(char::is_alphabetic);
            assert!(ids.is_empty() == no_words && ids.len() <= 200, "{scheme}: {} ids", ids.len());
        }
    }
    assert!(start.elapsed() < MEGABYTES_LIMIT, "{:?}", start.elapsed());
}
