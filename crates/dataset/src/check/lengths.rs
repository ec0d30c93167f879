//! How long the texts are, and how much of them a model would read.

use serde::Serialize;

use super::finding::{Finding, Found, Severity};
use super::rows::Rows;
use super::tokens::Reader;

/// Fewer words than this in the text in the middle are hardly any.
const FEW_WORDS: usize = 3;
/// From this fraction of tokens on, it matters that they are cut off.
const MUCH_CUT: f64 = 1.0 / 3.0;

/// The numbers of words of texts: percentiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lengths {
    /// One text in twenty has no more words.
    pub p5: usize,
    /// The text in the middle.
    pub p50: usize,
    /// One text in twenty has at least as many.
    pub p95: usize,
    /// The longest text.
    pub max: usize,
}

/// Measures the texts that say something.
pub(super) fn find(rows: &Rows<'_>, reader: &Reader) -> (Lengths, Vec<Finding>) {
    let mut n_words: Vec<usize> =
        rows.with_text.iter().map(|&row| rows.tokens.words(row as usize).count()).collect();
    n_words.sort_unstable();
    let at = |percent: usize| {
        let rank = (n_words.len() * percent).div_ceil(100).max(1);
        n_words.get(rank - 1).copied().unwrap_or_default()
    };
    let lengths = Lengths { p5: at(5), p50: at(50), p95: at(95), max: at(100) };
    let mut findings = Vec::new();
    if lengths.p50 < FEW_WORDS {
        let found = Found::ShortTexts { median: lengths.p50 };
        findings.push(Finding::of(Severity::Warning, found));
    }
    let n_tokens = |row: &u32| rows.tokens.ids[*row as usize].len();
    let is_cut = |row: &u32| n_tokens(row) > reader.seq_len;
    let cut: Vec<u32> = rows.with_text.iter().filter(|row| is_cut(row)).copied().collect();
    let n_cut_off: usize = cut.iter().map(|row| n_tokens(row) - reader.seq_len).sum();
    let n_all: usize = rows.with_text.iter().map(n_tokens).sum();
    let share_of_tokens = n_cut_off as f64 / n_all.max(1) as f64;
    if !cut.is_empty() {
        let found = Found::Cut {
            n_texts: cut.len(),
            share_of_texts: rows.share(cut.len()),
            share_of_tokens,
            seq_len: reader.seq_len,
            at_least: reader.has_pieces,
        };
        let is_much = share_of_tokens >= MUCH_CUT;
        let severity = if is_much { Severity::Warning } else { Severity::Note };
        findings.push(rows.finding(severity, found, &cut));
    }
    (lengths, findings)
}
