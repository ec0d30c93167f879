//! Learns a vocabulary from a file of texts and saves the `tokenizer.json`.
//!
//! `cargo run -p text-preprocessing --example learn_tokenizer -- TEXTS OUT [CONFIG]`
//!
//! TEXTS has one JSON string per line (texts hold line breaks), CONFIG is a `PreprocessingConfig`
//! as JSON, for example `{"scheme": "bpe", "max_vocab": 600}`. Times go to stderr.

use std::error::Error;
use std::time::Instant;

use text_preprocessing::{PreprocessingConfig, TextEncoder};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (texts, out, config) = match arguments.as_slice() {
        [texts, out] => (texts, out, PreprocessingConfig::default()),
        [texts, out, config] => (texts, out, serde_json::from_str(config)?),
        _ => return Err("usage: learn_tokenizer TEXTS OUT [CONFIG]".into()),
    };
    let texts = std::fs::read_to_string(texts)?;
    let texts = texts.lines().map(serde_json::from_str).collect::<Result<Vec<String>, _>>()?;

    let start = Instant::now();
    let encoder = TextEncoder::learn(config, &texts)?;
    let learned_s = start.elapsed().as_secs_f64();
    encoder.save(out)?;

    let start = Instant::now();
    let n_tokens: usize = encoder.encode_batch(&texts)?.iter().map(Vec::len).sum();
    let encoded_s = start.elapsed().as_secs_f64();
    eprintln!(
        "{} texts: learned {} ids in {learned_s:.2} s, encoded {n_tokens} tokens in {encoded_s:.2} s",
        texts.len(),
        encoder.vocab_size(),
    );
    Ok(())
}
