//! What was found, in words.

use std::fmt;

use super::finding::{Finding, Found};
use crate::wording::{QuotedList, RowPairs, shortened};

/// Classes named in a message.
const N_CLASSES: usize = 5;

/// Displays as what was found, with the first rows, without a full stop.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.found)?;
        // Pairs of rows, and places of errors, are part of the message.
        if self.found.names_rows() || self.rows.is_empty() {
            return Ok(());
        }
        let rows: Vec<String> = self.rows.iter().map(ToString::to_string).collect();
        let (word, more) =
            (if self.n_rows == 1 { "row" } else { "rows" }, self.n_rows - rows.len());
        write!(f, " ({word} {}{})", rows.join(", "), if more > 0 { ", …" } else { "" })
    }
}

impl Found {
    /// The name of this kind of finding.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused { kind, .. } => kind,
            Self::NoTexts => "no-texts",
            Self::FewTexts { .. } => "few-texts",
            Self::OneClass { .. } => "one-class",
            Self::EmptyTexts { .. } => "empty-texts",
            Self::Duplicates { .. } => "duplicates",
            Self::Contradictions { .. } => "contradictions",
            Self::NearDuplicates { .. } => "near-duplicates",
            Self::RareClasses { .. } => "rare-classes",
            Self::Imbalance { .. } => "imbalance",
            Self::Spellings { .. } => "spellings",
            Self::Scale { .. } => "scale",
            Self::Cut { .. } => "cut",
            Self::ShortTexts { .. } => "short-texts",
            Self::Mojibake { .. } => "mojibake",
            Self::Markup { .. } => "markup",
            Self::ControlCharacters { .. } => "control-characters",
            Self::NoSpaces { .. } => "no-spaces",
            Self::ColumnTells { .. } => "column-tells-label",
            Self::LabelInTexts { .. } => "label-in-texts",
            Self::UnknownWords { .. } => "unknown-words",
            Self::Shared { .. } => "shared-texts",
        }
    }

    /// Whether the message itself names rows.
    fn names_rows(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Duplicates { .. }
                | Self::Contradictions { .. }
                | Self::NearDuplicates { .. }
                | Self::Shared { .. }
        )
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { message, .. } => f.write_str(message),
            Self::NoTexts => f.write_str("no row has a text that says anything"),
            Self::FewTexts { n_texts, needed } => {
                write!(f, "only {} differ; at least {needed} are needed", Texts(*n_texts))
            }
            Self::OneClass { class } => {
                write!(
                    f,
                    "all texts are labelled \"{}\": there is nothing to tell apart",
                    shortened(class)
                )
            }
            Self::EmptyTexts { n_missing, n_blank, .. } => match (n_missing, n_blank) {
                (n, 0) => write!(f, "{} without a text", Rows(*n)),
                (0, n) => write!(f, "{} with a text that shows nothing", Rows(*n)),
                (missing, blank) => write!(
                    f,
                    "{} without a text, and {blank} with a text that shows nothing",
                    Rows(*missing)
                ),
            },
            Self::Duplicates { n_repeated, n_exact, pairs } => {
                let repeat = if *n_repeated == 1 { "repeats" } else { "repeat" };
                write!(f, "{} {repeat} an earlier text with the same label", Rows(*n_repeated))?;
                match n_exact {
                    0 => f.write_str(", but for case, spaces and marks")?,
                    n if n == n_repeated => f.write_str(", to the letter")?,
                    n => write!(f, ", {n} of them to the letter")?,
                }
                write!(f, " ({})", Pairs(pairs, *n_repeated))
            }
            Self::Contradictions { n_texts, pairs } => write!(
                f,
                "{} {} different labels ({})",
                Texts(*n_texts),
                if *n_texts == 1 { "has" } else { "have" },
                Pairs(pairs, *n_texts)
            ),
            Self::NearDuplicates { n_texts, n_contradicting, pairs } => {
                let are = if *n_texts == 1 { "is" } else { "are" };
                write!(
                    f,
                    "{} {are} nearly the same as another ({}",
                    Texts(*n_texts),
                    Pairs(pairs, *n_texts)
                )?;
                match n_contradicting {
                    0 => f.write_str(")"),
                    1 => f.write_str("); one pair has different labels"),
                    n => write!(f, "); {n} pairs have different labels"),
                }
            }
            Self::RareClasses { classes, n_classes } => {
                let have = if classes.len() == 1 { "has" } else { "have" };
                write!(f, "{} of {n_classes} classes {have} fewer than 10 texts: ", classes.len())?;
                counts(f, classes)
            }
            Self::Imbalance { largest: (large, n_large), smallest: (small, n_small) } => write!(
                f,
                "\"{}\" has {n_large} texts and \"{}\" {n_small}: always answering the first would be right for \
                 {:.0} of 100 texts of the two",
                shortened(large),
                shortened(small),
                100.0 * *n_large as f64 / (n_large + n_small).max(1) as f64
            ),
            Self::Spellings { classes } => {
                for (idx, class) in classes.iter().take(N_CLASSES).enumerate() {
                    let before = if idx == 0 { "" } else { "; " };
                    write!(f, "{before}the label \"{}\" is written ", shortened(&class.class))?;
                    counts(f, &class.spellings)?;
                }
                match classes.len().saturating_sub(N_CLASSES) {
                    0 => Ok(()),
                    n => write!(f, "; and {n} more labels"),
                }
            }
            Self::Scale { n_values, least, greatest } => write!(
                f,
                "the labels look like numbers of a scale: {n_values} values from {least} to {greatest}, most of them \
                 with few texts"
            ),
            Self::Cut { n_texts, share_of_texts, share_of_tokens, seq_len, at_least } => write!(
                f,
                "{}{} ({}) {} longer than the {seq_len} tokens that are read: {} of all tokens are cut off",
                if *at_least { "at least " } else { "" },
                Texts(*n_texts),
                Percent(*share_of_texts),
                if *n_texts == 1 { "is" } else { "are" },
                Percent(*share_of_tokens)
            ),
            Self::ShortTexts { median } => {
                let words = if *median == 1 { "word" } else { "words" };
                write!(f, "half of the texts have no more than {median} {words}")
            }
            Self::Mojibake { n_texts, example } => write!(
                f,
                "{} {} characters that were read in the wrong encoding, such as \"{}\"",
                Texts(*n_texts),
                if *n_texts == 1 { "has" } else { "have" },
                shortened(example)
            ),
            Self::Markup { n_texts, n_tags, n_entities } => write!(
                f,
                "{} {} HTML: {n_tags} tags such as <br />, {n_entities} entities such as &amp;",
                Texts(*n_texts),
                if *n_texts == 1 { "holds" } else { "hold" },
            ),
            Self::ControlCharacters { n_texts, characters } => write!(
                f,
                "{} {} control characters ({})",
                Texts(*n_texts),
                if *n_texts == 1 { "holds" } else { "hold" },
                characters.join(", ")
            ),
            Self::NoSpaces { n_texts, scripts } => write!(
                f,
                "{} {} in a script without spaces between words ({})",
                Texts(*n_texts),
                if *n_texts == 1 { "is" } else { "are" },
                scripts.join(", ")
            ),
            Self::ColumnTells { column, n_values, share } => write!(
                f,
                "the label follows from column \"{}\" ({n_values} values) for {} of the rows",
                shortened(column),
                Percent(*share)
            ),
            Self::LabelInTexts { class, word, share, share_of_others } => write!(
                f,
                "{} of the texts labelled \"{}\" hold the word \"{}\", and {} of the others",
                Percent(*share),
                shortened(class),
                shortened(word),
                Percent(*share_of_others)
            ),
            Self::UnknownWords { share, n_texts } => write!(
                f,
                "{} of the words of {} that were held out are in no other text",
                Percent(*share),
                Texts(*n_texts)
            ),
            Self::Shared { other, n_texts, n_same, n_near, pairs } => {
                write!(
                    f,
                    "of {} in {other}, {n_same} are here, too, and {n_near} nearly so",
                    Texts(*n_texts)
                )?;
                for (idx, [here, there]) in pairs.iter().enumerate() {
                    let before = if idx == 0 { " (" } else { ", " };
                    write!(f, "{before}row {here} and row {there} there")?;
                }
                f.write_str(if n_same + n_near > pairs.len() { ", …)" } else { ")" })
            }
        }
    }
}

/// `"a" (12), "b" (3) and 4 more`.
fn counts(f: &mut fmt::Formatter<'_>, all: &[(String, usize)]) -> fmt::Result {
    for (idx, (name, n)) in all.iter().take(N_CLASSES).enumerate() {
        let comma = if idx == 0 { "" } else { ", " };
        write!(f, "{comma}{} ({n})", QuotedList(std::slice::from_ref(name)))?;
    }
    match all.len().saturating_sub(N_CLASSES) {
        0 => Ok(()),
        n => write!(f, " and {n} more"),
    }
}

/// Pairs of rows, of so many.
struct Pairs<'a>(&'a [[usize; 2]], usize);

impl fmt::Display for Pairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(pairs, n) = self;
        write!(f, "{}{}", RowPairs(pairs), if pairs.len() < *n { ", …" } else { "" })
    }
}

struct Texts(usize);

impl fmt::Display for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { "text" } else { "texts" })
    }
}

struct Rows(usize);

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { "row" } else { "rows" })
    }
}

/// `12.3 %`; never 0.0 % for some or 100.0 % for not all.
struct Percent(f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0.0 => f.write_str("none"),
            1.0 => f.write_str("all"),
            share if share < 0.001 => f.write_str("less than 0.1 %"),
            share if share > 0.999 => f.write_str("more than 99.9 %"),
            share => write!(f, "{:.1} %", share * 100.0),
        }
    }
}
