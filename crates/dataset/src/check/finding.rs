//! What can be found.

use serde::Serialize;

use super::rows::N_NAMED;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// A model would be worse than it could be, or its figures would mean less than they seem to.
    Warning,
    /// Nothing can be trained on the table as it is.
    Unusable,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, with its figures.
    pub found: Found,
    /// The number of rows that it is about; 0 if it is about the whole table.
    pub n_rows: usize,
    /// The first of these rows: data rows of the file, from 1.
    pub rows: Vec<usize>,
}

impl Finding {
    pub(super) fn of(severity: Severity, found: Found) -> Self {
        Self { severity, found, n_rows: 0, rows: Vec::new() }
    }

    pub(super) fn unusable(found: Found) -> Self {
        Self::of(Severity::Unusable, found)
    }

    /// The same, about these rows of the file, ascending.
    pub(super) fn in_rows(self, rows: impl IntoIterator<Item = usize>) -> Self {
        let mut rows = rows.into_iter();
        let first: Vec<usize> = rows.by_ref().take(N_NAMED).collect();
        Self { n_rows: first.len() + rows.count(), rows: first, ..self }
    }
}

/// Different spellings that are one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spelled {
    /// The name of the class.
    pub class: String,
    /// How it is written, with the number of rows, most frequent first.
    pub spellings: Vec<(String, usize)>,
}

/// What was found, with its figures. Pairs are data rows of the file, from 1. Displays as a sentence without a full
/// stop.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Found {
    /// The file cannot be read as a table of labelled texts.
    Refused {
        /// The kind of fault.
        #[serde(skip)]
        kind: &'static str,
        /// What is wrong.
        #[serde(skip)]
        message: String,
        /// What to do.
        #[serde(skip)]
        advice: Option<String>,
    },
    /// No row has a text.
    NoTexts,
    /// There are too few different texts for a training.
    FewTexts {
        /// Different texts.
        n_texts: usize,
        /// How many are needed.
        needed: usize,
    },
    /// All texts are of one class.
    OneClass {
        /// Its name.
        class: String,
    },
    /// Texts are missing or show nothing.
    EmptyTexts {
        /// Rows without a value.
        n_missing: usize,
        /// Rows with only spaces, control characters or markup.
        n_blank: usize,
        /// Whether training stops at them.
        stops: bool,
    },
    /// Texts occur more than once, with the same label.
    Duplicates {
        /// Rows that repeat an earlier one.
        n_repeated: usize,
        /// Those of them that are the same byte for byte.
        n_exact: usize,
        /// The first of them, each after the row that it repeats.
        pairs: Vec<[usize; 2]>,
    },
    /// Texts occur with different labels.
    Contradictions {
        /// How many texts.
        n_texts: usize,
        /// The first of them: the first row, and the first with another label.
        pairs: Vec<[usize; 2]>,
    },
    /// Texts differ only in a few words.
    NearDuplicates {
        /// Texts that are nearly the same as an earlier one.
        n_texts: usize,
        /// Pairs among them whose labels differ.
        n_contradicting: usize,
        /// The first of them, each after a row that it is similar to.
        pairs: Vec<[usize; 2]>,
    },
    /// Classes have very few texts.
    RareClasses {
        /// Their names and numbers of texts.
        classes: Vec<(String, usize)>,
        /// The number of all classes.
        n_classes: usize,
    },
    /// A class has many times as many texts as another.
    Imbalance {
        /// The largest class and its texts.
        largest: (String, usize),
        /// The smallest one that is not rare.
        smallest: (String, usize),
    },
    /// A class is written in several ways.
    Spellings {
        /// The classes.
        classes: Vec<Spelled>,
    },
    /// Labels look like numbers of a continuous scale.
    Scale {
        /// Different values.
        n_values: usize,
        /// The least.
        least: f64,
        /// The greatest.
        greatest: f64,
    },
    /// Texts are longer than what is read of them.
    Cut {
        /// Texts that are cut.
        n_texts: usize,
        /// Fraction of the texts.
        share_of_texts: f64,
        /// Fraction of all tokens that is cut off.
        share_of_tokens: f64,
        /// Tokens that are read at most.
        seq_len: usize,
        /// Whether it may be more, because words are split into pieces.
        at_least: bool,
    },
    /// Most texts have hardly any words.
    ShortTexts {
        /// Words of the text in the middle.
        median: usize,
    },
    /// Characters were decoded with the wrong encoding.
    Mojibake {
        /// Texts with such characters.
        n_texts: usize,
        /// What the first of them looks like.
        example: String,
    },
    /// Texts hold HTML.
    Markup {
        /// Texts with any.
        n_texts: usize,
        /// Texts with entities.
        n_entities: usize,
        /// Texts with tags.
        n_tags: usize,
    },
    /// Texts hold control characters.
    ControlCharacters {
        /// Texts with any.
        n_texts: usize,
        /// The characters.
        characters: Vec<String>,
    },
    /// Texts are in scripts without spaces between words.
    NoSpaces {
        /// Texts without spaces.
        n_texts: usize,
        /// The scripts, most frequent first.
        scripts: Vec<String>,
    },
    /// Another column tells the label.
    ColumnTells {
        /// The column.
        column: String,
        /// Its different values.
        n_values: usize,
        /// The fraction of the rows whose label follows from it.
        share: f64,
    },
    /// The name of a class is in nearly all of its texts, and in few others.
    LabelInTexts {
        /// The class.
        class: String,
        /// What is in the texts.
        word: String,
        /// The fraction of its texts that hold it.
        share: f64,
        /// The fraction of the other texts.
        share_of_others: f64,
    },
    /// Many words of texts occur in no other texts.
    UnknownWords {
        /// Their fraction, in the texts held out.
        share: f64,
        /// The texts held out.
        n_texts: usize,
    },
    /// Another file has texts of this one.
    Shared {
        /// The other file.
        other: String,
        /// Texts of the other file.
        n_texts: usize,
        /// Those that are the same as one here.
        n_same: usize,
        /// Those that are nearly the same.
        n_near: usize,
        /// The first of them: a row here, and one of the other file.
        pairs: Vec<[usize; 2]>,
    },
}
