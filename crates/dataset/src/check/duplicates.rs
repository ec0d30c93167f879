//! Texts that occur more than once, with the same label or with different ones.

use super::finding::{Finding, Found, Severity};
use super::rows::{N_NAMED, Rows};
use crate::split::MIN_ROWS;

/// Up to this fraction, repeated texts are only worth a note: each is used once.
const FEW: f64 = 0.05;

/// Looks for texts with the same digest.
pub(super) fn find(rows: &Rows<'_>) -> Vec<Finding> {
    let digest = |&row: &u32| (rows.tokens.digests[row as usize], row);
    let mut by_text: Vec<(u64, u32)> = rows.with_text.iter().map(digest).collect();
    // The row is part of the key, so rows are ascending within a text.
    by_text.sort_unstable();
    let (mut repeated, mut contradicting) = (Vec::new(), Vec::new());
    let (mut n_texts, mut n_exact) = (0, 0);
    for same in by_text.chunk_by(|(a, _), (b, _)| a == b) {
        n_texts += 1;
        let [(_, first), rest @ ..] = same else { continue };
        let classes = |row: u32| rows.table.targets().of_row(row as usize);
        let other = rest.iter().find(|(_, row)| classes(*row) != classes(*first));
        contradicting.extend(other.map(|(_, other)| [*first, *other]));
        for (_, row) in rest.iter().filter(|(_, row)| classes(*row) == classes(*first)) {
            n_exact += usize::from(rows.texts[*row as usize] == rows.texts[*first as usize]);
            repeated.push([*first, *row]);
        }
    }
    let mut findings = Vec::new();
    if n_texts < MIN_ROWS {
        findings.push(Finding::unusable(Found::FewTexts { n_texts, needed: MIN_ROWS }));
    }
    let later = |pairs: &[[u32; 2]]| pairs.iter().map(|[_, row]| *row).collect::<Vec<u32>>();
    repeated.sort_unstable_by_key(|[_, row]| *row);
    if !repeated.is_empty() {
        let n_repeated = repeated.len();
        let is_few = rows.share(n_repeated) <= FEW;
        let severity = if is_few { Severity::Note } else { Severity::Warning };
        let found = Found::Duplicates { n_repeated, n_exact, pairs: named(rows, &repeated) };
        findings.push(rows.finding(severity, found, &later(&repeated)));
    }
    contradicting.sort_unstable_by_key(|[first, _]| *first);
    if !contradicting.is_empty() {
        let n_texts = contradicting.len();
        let found = Found::Contradictions { n_texts, pairs: named(rows, &contradicting) };
        findings.push(rows.finding(Severity::Warning, found, &later(&contradicting)));
    }
    findings
}

/// The first pairs, as rows of the file.
pub(super) fn named(rows: &Rows<'_>, pairs: &[[u32; 2]]) -> Vec<[usize; 2]> {
    pairs.iter().take(N_NAMED).map(|pair| pair.map(|row| rows.table.file_row(row))).collect()
}
