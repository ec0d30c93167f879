//! What to do about a finding.

use super::finding::{Finding, Found};
use crate::wording::shortened;

impl Finding {
    /// What to do about it, in full sentences. Flags are those of the command line.
    pub fn advice(&self) -> String {
        self.found.advice()
    }
}

impl Found {
    fn advice(&self) -> String {
        match self {
            Self::Refused { advice: Some(advice), .. } => advice.clone(),
            Self::Refused { advice: None, .. } => {
                "Correct the file, or name another one.".to_owned()
            }
            Self::NoTexts => "Check how the file was made, or name the text column with --text-column.".into(),
            Self::FewTexts { needed, .. } => {
                format!("Collect more texts: {needed} are the fewest that can be split, and hundreds a class the fewest to learn from.")
            }
            Self::OneClass { .. } => {
                "Add texts of another class, or choose another column with --label-column.".into()
            }
            Self::EmptyTexts { stops: true, .. } => {
                "Fill them in or remove these rows; otherwise training stops at the first row without a text, unless \
                 --missing skip leaves such rows out."
                    .into()
            }
            Self::EmptyTexts { .. } => {
                "Fill them in or remove these rows: they all get the same prediction.".into()
            }
            Self::Duplicates { .. } => {
                "Nothing needs to be done for a training, which uses each text once. If these are many, look for the \
                 step that wrote rows twice."
                    .into()
            }
            Self::Contradictions { .. } => {
                "Correct the labels. Otherwise training uses the label of a text's first row; --conflicts drop leaves \
                 such texts out."
                    .into()
            }
            Self::NearDuplicates { .. } => {
                "Keep one of each, or give them a common value in a column for --group-column: apart from each other, \
                 they make the test too easy."
                    .into()
            }
            Self::RareClasses { .. } => {
                "Collect more of them, or merge or skip these classes with --labels.".into()
            }
            Self::Imbalance { .. } => {
                "Look at each class's recall, not at the accuracy; try --class-weights balanced, or --threshold f1."
                    .into()
            }
            Self::Spellings { .. } => {
                "Nothing needs to be done if they mean the same: they are one class here, but not for other programs. \
                 Otherwise rename them."
                    .into()
            }
            Self::Scale { .. } => {
                "Group the numbers into classes, such as --labels \"1,2=negative; 3=skip; 4,5=positive\": a \
                 classifier does not know that neighbouring numbers are alike."
                    .into()
            }
            Self::Cut { .. } => {
                "If what is cut off matters, use --set preprocessing.seq_len=N, at the price of time.".into()
            }
            Self::ShortTexts { .. } => {
                "Check the text column. If the texts have no spaces between words, use --set \
                 preprocessing.scheme=bpe."
                    .into()
            }
            Self::Mojibake { .. } => {
                "Make the file again from its source, read with the right encoding. If the file itself is not in \
                 UTF-8, name its encoding with --encoding."
                    .into()
            }
            Self::Markup { .. } => {
                "Nothing needs to be done: entities are decoded and tags become spaces.".into()
            }
            Self::ControlCharacters { .. } => {
                "Look at these texts: such characters are what is left of another encoding or of binary data. Before a \
                 text is read, those from U+0080 on become the characters of Windows-1252, and others are removed."
                    .into()
            }
            Self::NoSpaces { .. } => {
                "Use --set preprocessing.scheme=bpe, which splits texts without spaces; otherwise a sentence is one word.".into()
            }
            Self::ColumnTells { column, .. } => format!(
                "Nothing needs to be done here, where only the texts are read. Leave \"{}\" out where other columns \
                 are read, too.",
                shortened(column)
            ),
            Self::LabelInTexts { .. } => {
                "Remove it from the texts: a model would read the label and learn nothing else.".into()
            }
            Self::UnknownWords { .. } => {
                "Collect more texts, or use --set preprocessing.scheme=bpe, which reads unknown words in pieces.".into()
            }
            Self::Shared { other, .. } => {
                format!("Remove these texts from {other} or from the training: figures on them are no test.")
            }
        }
    }
}
