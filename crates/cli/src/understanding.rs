//! How much of the texts the model could read, and how they differ from those that it learned from.

use std::collections::BTreeMap;

use classifier::{Classifier, Prediction};
use text_preprocessing::script_counts;
use trainer::{DataSummary, SplitSummary, percent};

/// Fewer texts are too few to be compared with the training texts.
const ENOUGH_TEXTS: usize = 20;

/// Counts over answered texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Understanding {
    n_texts: usize,
    n_tokens: usize,
    /// Tokens that the network read, and those of them that are unknown words.
    n_read: usize,
    n_unknown: usize,
    /// Texts that were truncated.
    n_cut: usize,
    /// Texts without a known token, including empty ones.
    n_strange: usize,
    /// Letters by script.
    scripts: BTreeMap<String, usize>,
}

impl Understanding {
    pub(crate) fn add(&mut self, predictions: &[Prediction]) {
        for text in predictions {
            self.n_texts += 1;
            self.n_tokens += text.n_tokens;
            self.n_read += text.n_read;
            self.n_unknown += text.n_unknown;
            self.n_cut += usize::from(text.is_cut());
            self.n_strange += usize::from(text.is_strange());
        }
    }

    /// Counts the scripts of texts, for the comparison with the training texts.
    pub(crate) fn add_scripts<S: AsRef<str> + Sync>(&mut self, texts: &[S]) {
        for (script, n_letters) in script_counts(texts) {
            *self.scripts.entry(script).or_default() += n_letters;
        }
    }

    /// Number of texts answered.
    pub(crate) fn n_texts(&self) -> usize {
        self.n_texts
    }

    /// Number of tokens that the network read.
    pub(crate) fn n_read(&self) -> usize {
        self.n_read
    }

    /// Prints to standard error how much was not read, and how the texts differ from the training texts, if they are
    /// known.
    pub(crate) fn tell(&self, classifier: &Classifier, trained_on: Option<&DataSummary>) {
        let &Self { n_texts, n_tokens, n_read, n_cut, n_strange, .. } = self;
        if n_cut > 0 {
            let share = percent((n_tokens - n_read) as f64 / n_tokens as f64);
            let seq_len = classifier.encoder().config().seq_len;
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
        let train = trained_on.and_then(|summary| summary.splits.as_ref()).map(|it| &it.train);
        let differences = train.map(|train| self.differences(train)).unwrap_or_default();
        if !differences.is_empty() {
            eprintln!(
                "note: these texts differ from those that the model learned from: {}; check some of its \
                 answers before you rely on them",
                differences.join(", ")
            );
        }
    }

    /// What is very different in the training texts.
    fn differences(&self, train: &SplitSummary) -> Vec<String> {
        let mut differences = Vec::new();
        if self.n_texts < ENOUGH_TEXTS || train.n_texts == 0 {
            return differences;
        }
        let mean = |n_tokens: usize, n_texts: usize| n_tokens as f64 / n_texts as f64;
        let (here, there) =
            (mean(self.n_tokens, self.n_texts), mean(train.n_tokens, train.n_texts));
        if here > 2.0 * there || here < 0.5 * there {
            differences.push(format!("{here:.0} tokens a text (there {there:.0})"));
        }
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        let (here, there) = (share(self.n_unknown, self.n_read), train.unknown_share());
        if here > there + 0.05 && here > 2.0 * there {
            differences.push(format!("{} unknown words (there {})", percent(here), percent(there)));
        }
        let (here, there) = (share(self.n_cut, self.n_texts), share(train.n_cut, train.n_texts));
        if here > there + 0.2 {
            differences.push(format!("{} of them cut (there {})", percent(here), percent(there)));
        }
        // Reports of earlier versions do not know.
        let n_there: usize = train.scripts.values().sum();
        let n_here: usize = self.scripts.values().sum();
        for (script, &n_letters) in self.scripts.iter().filter(|_| n_there > 0) {
            let there = share(train.scripts.get(script).copied().unwrap_or_default(), n_there);
            let here = share(n_letters, n_here);
            if here > 0.05 && there < 0.1 * here {
                differences.push(format!(
                    "{} letters of the script {script} (there {})",
                    percent(here),
                    percent(there)
                ));
            }
        }
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train() -> SplitSummary {
        SplitSummary {
            n_texts: 1000,
            n_tokens: 200_000,
            n_cut: 10,
            n_tokens_cut: 0,
            n_unknown: 4_000,
            scripts: BTreeMap::from([("Latin".to_string(), 900_000), ("Han".to_string(), 3)]),
            ..SplitSummary::default()
        }
    }

    /// Counts over 100 texts of one kind.
    fn of(text: &str, n_tokens: usize, n_unknown: usize) -> Understanding {
        let prediction = Prediction {
            probabilities: vec![0.5, 0.5],
            classes: vec![1],
            certainty: 0.5,
            n_tokens,
            n_read: n_tokens.min(400),
            n_unknown,
        };
        let mut counts = Understanding::default();
        counts.add(&vec![prediction; 100]);
        counts.add_scripts(&[text; 100]);
        counts
    }

    #[test]
    fn texts_like_the_training_texts_are_not_remarked_on() {
        assert!(of("a plain review", 180, 5).differences(&train()).is_empty());
        // Nor are differences in too few texts.
        let mut few = of("слово", 2, 2);
        few.n_texts = 19;
        assert!(few.differences(&train()).is_empty());
    }

    #[test]
    fn each_large_difference_is_named_with_both_figures() {
        let short = of("so short", 20, 1).differences(&train());
        assert_eq!(short, ["20 tokens a text (there 200)"]);
        let unknown = of("ein Satz", 150, 60).differences(&train());
        assert_eq!(unknown, ["40.0 % unknown words (there 2.0 %)"]);
        let long = of("x", 900, 0).differences(&train());
        assert_eq!(long, ["900 tokens a text (there 200)", "100 % of them cut (there 1.0 %)"]);
        let script = of("слово film", 150, 3).differences(&train());
        assert_eq!(script, ["55.6 % letters of the script Cyrillic (there 0 %)"]);
        let mut older = train();
        older.scripts.clear();
        assert!(of("слово", 150, 3).differences(&older).is_empty());
    }
}
