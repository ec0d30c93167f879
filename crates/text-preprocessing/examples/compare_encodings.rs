//! Counts the texts that we encode exactly as Python's `tokenizers` did.
//!
//! `cargo run -p text-preprocessing --example compare_encodings -- TEXTS TOKENIZER CONFIG IDS`
//!
//! TEXTS has one JSON string per line, IDS one JSON list of ids per line, as written by
//! `tests/golden/make_golden.py encode`. CONFIG is the `PreprocessingConfig` of TOKENIZER as JSON.
//! Fails if any text differs.

use std::error::Error;
use std::fs::read_to_string;

use text_preprocessing::TextEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [texts, tokenizer, config, ids] = arguments.as_slice() else {
        return Err("usage: compare_encodings TEXTS TOKENIZER CONFIG IDS".into());
    };
    let encoder = TextEncoder::load(tokenizer, serde_json::from_str(config)?)?;
    let (texts, ids) = (read_to_string(texts)?, read_to_string(ids)?);
    let texts = texts.lines().map(serde_json::from_str).collect::<Result<Vec<String>, _>>()?;
    let expected = ids.lines().map(serde_json::from_str).collect::<Result<Vec<Vec<u32>>, _>>()?;
    if expected.len() > texts.len() {
        return Err(format!("{} id lists for {} texts", expected.len(), texts.len()).into());
    }

    let found = encoder.encode_batch(&texts[..expected.len()])?;
    let n_equal = found.iter().zip(&expected).filter(|(a, b)| encoder.pad(a) == **b).count();
    println!("{n_equal} of {} texts agree", expected.len());
    if n_equal == expected.len() { Ok(()) } else { Err("some encodings differ".into()) }
}
