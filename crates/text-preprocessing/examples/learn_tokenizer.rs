//! Learns a vocabulary from a file of texts and saves the `tokenizer.json`.
//!
//! `cargo run -p text-preprocessing --example learn_tokenizer -- TEXTS OUT [CONFIG]`
//!
//! TEXTS has one JSON string per line (texts hold line breaks), CONFIG is a `PreprocessingConfig`
//! as JSON, for example `{"scheme": "bpe", "max_vocab": 600}`. Times go to stderr.

use std::error::Error;
use std::time::Instant;

use text_preprocessing::{PreprocessingConfig, TextEncoder, text_digests};

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
    let n_ids: usize = encoder.encode_batch(&texts)?.iter().map(Vec::len).sum();
    let encoded_s = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let n_tokens: usize = encoder.encode_batch_counted(&texts)?.iter().map(|e| e.n_tokens).sum();
    let counted_s = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let mut digests = text_digests(&texts);
    let digested_s = start.elapsed().as_secs_f64();
    digests.sort_unstable();
    digests.dedup();
    eprintln!(
        "{} texts, {} after cleaning: learned {} ids in {learned_s:.3} s, encoded {n_ids} tokens in \
         {encoded_s:.3} s, counting all {n_tokens} in {counted_s:.3} s, digests in {digested_s:.3} s",
        texts.len(),
        digests.len(),
        encoder.vocab_size(),
    );
    Ok(())
}
