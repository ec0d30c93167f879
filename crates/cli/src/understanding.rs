//! How much of the texts the model could read.

use classifier::{Classifier, Prediction};

/// Counts over encoded texts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Understanding {
    n_texts: usize,
    n_tokens: usize,
    /// Texts that were truncated, and tokens that were cut off.
    n_cut: usize,
    n_tokens_cut: usize,
    /// Texts without a known token, including empty ones.
    n_strange: usize,
}

impl Understanding {
    pub(crate) fn add(&mut self, texts: &[Prediction]) {
        for text in texts {
            self.n_texts += 1;
            self.n_tokens += text.n_tokens;
            self.n_cut += usize::from(text.is_cut());
            self.n_tokens_cut += text.n_tokens.saturating_sub(text.n_read);
            self.n_strange += usize::from(text.is_strange());
        }
    }

    /// Prints to standard error how much was not read.
    pub(crate) fn tell(&self, trained: &Classifier) {
        let Self { n_texts, n_tokens, n_cut, n_tokens_cut, n_strange } = *self;
        if n_cut > 0 {
            let share = trainer::percent(n_tokens_cut as f64 / n_tokens as f64);
            let seq_len = trained.encoder().config().seq_len;
            eprintln!(
                "note: {n_cut} of {n_texts} texts {} longer than {seq_len} tokens: {share} of all \
                 tokens were cut off",
                if n_cut == 1 { "is" } else { "are" },
            );
        }
        if n_strange > 0 {
            eprintln!(
                "note: {n_strange} of {n_texts} texts {} no word that the model knows; {} little",
                if n_strange == 1 { "contains" } else { "contain" },
                if n_strange == 1 { "its prediction means" } else { "their predictions mean" },
            );
        }
    }
}
