//! Properties of every text: bounds on ids and lengths, and the same ids after save and load.

// Test helpers may panic.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use text_preprocessing::{
    Cleaning, PreprocessingConfig, TextEncoder, TokenScheme, Truncation, left_pad,
};

fn any_config() -> impl Strategy<Value = PreprocessingConfig> {
    (
        1_usize..12,
        prop::sample::select(TokenScheme::ALL.to_vec()),
        prop::option::of(258_usize..300),
        prop::sample::select(vec![Truncation::Head, Truncation::Tail, Truncation::HeadTail]),
        prop::sample::select(Cleaning::ALL.to_vec()),
    )
        .prop_map(|(seq_len, scheme, max_vocab, truncation, cleaning)| PreprocessingConfig {
            seq_len,
            scheme,
            min_frequency: 1,
            max_vocab,
            truncation,
            cleaning,
        })
}

/// Repeating words that share letters, with marks and breaks, or arbitrary characters.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "([a-dA-D]{1,4}(n't|[.!,]{1,4}|<br />)? ){0,15}",
        1 => "\\PC{0,40}",
        1 => any::<String>(),
    ]
}

/// An encoder with a random configuration and vocabulary.
fn any_encoder() -> impl Strategy<Value = TextEncoder> {
    (any_config(), prop::collection::vec(any_text(), 1..6)).prop_map(|(config, mut texts)| {
        texts.push("one word".to_owned()); // never empty
        TextEncoder::learn(config, &texts).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn ids_are_known_never_padding_and_at_most_seq_len(
        encoder in any_encoder(), text in any_text(),
    ) {
        let ids = encoder.encode(&text).unwrap();
        prop_assert!(ids.len() <= encoder.config().seq_len);
        for &id in &ids {
            prop_assert!(id != encoder.pad_id() && (id as usize) < encoder.vocab_size());
            prop_assert!(encoder.token_of(id).is_some());
        }
        let padded = encoder.encode_padded(&text).unwrap();
        prop_assert_eq!(&padded, &left_pad(&ids, encoder.config().seq_len));
        prop_assert_eq!(padded, encoder.pad(&ids));
    }

    #[test]
    fn tokens_and_ids_are_each_others_inverse(encoder in any_encoder()) {
        for id in 0..encoder.vocab_size() as u32 {
            prop_assert_eq!(encoder.id_of(&encoder.token_of(id).unwrap()), Some(id));
        }
        prop_assert_eq!(encoder.token_of(encoder.vocab_size() as u32), None);
    }

    #[test]
    fn cutting_takes_from_the_whole_encoding(
        encoder in any_encoder(), texts in prop::collection::vec(any_text(), 1..4),
    ) {
        // The same vocabulary without a limit that these texts reach.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        encoder.save(&path).unwrap();
        let config = PreprocessingConfig { seq_len: 10_000, ..encoder.config().clone() };
        let json = std::fs::read_to_string(&path).unwrap();
        let seq_len = encoder.config().seq_len;
        let json = json
            .replace(&format!("\"Fixed\":{seq_len}}}"), "\"Fixed\":10000}")
            .replace(&format!("\"max_length\":{seq_len},"), "\"max_length\":10000,");
        std::fs::write(&path, json).unwrap();
        let whole = TextEncoder::load(&path, config).unwrap();
        for text in texts {
            let expected = encoder.config().truncation.cut(&whole.encode(&text).unwrap(), seq_len);
            prop_assert_eq!(encoder.encode(&text).unwrap(), expected);
        }
    }

    #[test]
    fn a_saved_encoder_encodes_the_same(
        encoder in any_encoder(), texts in prop::collection::vec(any_text(), 1..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        encoder.save(&path).unwrap();
        let loaded = TextEncoder::load(&path, encoder.config().clone()).unwrap();
        prop_assert_eq!(
            loaded.encode_batch(&texts).unwrap(),
            encoder.encode_batch(&texts).unwrap()
        );
    }

    #[test]
    fn words_agree_with_the_notebooks_rules_written_plainly(text in any_text()) {
        let encoder = TextEncoder::learn(
            PreprocessingConfig {
                seq_len: 10_000,
                cleaning: Cleaning::V1,
                ..Default::default()
            },
            &[text.as_str(), "always"],
        ).unwrap();
        let lower: String = text.chars().flat_map(char::to_lowercase).collect();
        let no_breaks = lower.replace("<br />", " ").replace("<br/>", " ").replace("<br>", " ");
        let bare: String = no_breaks.chars().filter(|c| !c.is_ascii_punctuation()).collect();
        let found: Vec<String> = encoder
            .encode(&text)
            .unwrap()
            .into_iter()
            .map(|id| encoder.token_of(id).unwrap())
            .collect();
        prop_assert_eq!(found, bare.split_whitespace().collect::<Vec<_>>());
    }
}
