//! A look at a file of labelled texts before anything is trained on it.

use dataset::check::{CheckedTable, Finding, OtherTexts, Reader, Report, Severity, TextTokens};
use dataset::{ColumnChoice, DataFile, LabelOptions, ReadOptions};
use text_preprocessing::{
    Error as TextError, MAX_SEQ_LEN, PreprocessingConfig, TextEncoder, TokenScheme, Truncation,
    text_digests,
};

use crate::error::Result;

/// A file to be checked, and how a training would read it.
#[derive(Debug, Clone, Copy)]
pub struct CheckRequest<'a> {
    /// The file.
    pub file: &'a DataFile,
    /// Its columns.
    pub columns: &'a ColumnChoice,
    /// What its labels mean.
    pub labels: &'a LabelOptions,
    /// How it is to be read.
    pub options: &'a ReadOptions,
    /// How texts become ids.
    pub preprocessing: &'a PreprocessingConfig,
    /// Another file with texts that should not be in this one, such as a test's. Labels are not needed.
    pub other: Option<&'a DataFile>,
}

/// Looks for faults in a file of labelled texts. A file that cannot be read as such is no error, but a finding.
///
/// # Errors
/// If a text cannot be encoded.
pub fn check_data(request: &CheckRequest<'_>) -> Result<Report> {
    let CheckRequest { file, columns, labels, options, preprocessing, other } = *request;
    let table = match CheckedTable::read(file, columns, labels, options) {
        Ok(table) => table,
        Err(error) => return Ok(Report::of_error(&error)),
    };
    // Its text column has the name of the first file's, if it has that.
    let known_text = Some(table.labelled().columns().text.name.clone());
    let of_other = ColumnChoice { known_text, ..ColumnChoice::default() };
    let read_other = |file| OtherTexts::read(file, &of_other, options);
    let other = match other.map(read_other).transpose() {
        Ok(other) => other,
        Err(error) => return Ok(Report::of_error(&error)),
    };
    let mut texts: Vec<&str> = table.texts().collect();
    let n_texts = texts.len();
    texts.extend(other.iter().flat_map(OtherTexts::texts));
    let mut tokens = tokens(&texts, preprocessing)?;
    let of_other = tokens.split_off(n_texts);
    let reader = reader(preprocessing);
    let other = other.as_ref().map(|texts| (texts, &of_other));
    Ok(dataset::check::check(&table, &tokens, &reader, other)?)
}

/// Most texts that a training checks: beyond, a check takes long and much memory.
pub const MOST_CHECKED: usize = 300_000;

/// What a training says otherwise, in its summary or in its warnings.
const SAID_ELSEWHERE: [&str; 8] = [
    "few-texts",
    "one-class",
    "empty-texts",
    "duplicates",
    "contradictions",
    "rare-classes",
    "cut",
    "unknown-words",
];

/// What should be known before a training on these texts, a sentence each without a full stop; `None` if there are more
/// than [`MOST_CHECKED`], so that nobody looked.
pub(crate) fn findings_for_training(
    table: &CheckedTable,
    preprocessing: &PreprocessingConfig,
) -> Result<Option<Vec<String>>> {
    let texts: Vec<&str> = table.texts().collect();
    if texts.len() > MOST_CHECKED {
        return Ok(None);
    }
    let report = dataset::check::check(
        table,
        &tokens(&texts, preprocessing)?,
        &reader(preprocessing),
        None,
    )?;
    let matters = |finding: &&Finding| {
        finding.severity == Severity::Warning && !SAID_ELSEWHERE.contains(&finding.found.kind())
    };
    Ok(Some(report.findings.iter().filter(matters).map(ToString::to_string).collect()))
}

fn reader(preprocessing: &PreprocessingConfig) -> Reader {
    let has_pieces = preprocessing.scheme == TokenScheme::Bpe;
    Reader { seq_len: preprocessing.seq_len, has_pieces }
}

/// All tokens of texts, of which every one has an id. Pieces of words would have to be learned: words are enough here.
fn tokens(texts: &[&str], preprocessing: &PreprocessingConfig) -> Result<TextTokens> {
    let scheme = match preprocessing.scheme {
        TokenScheme::Bpe => TokenScheme::WordsAndPunctuation,
        scheme => scheme,
    };
    let config = PreprocessingConfig {
        seq_len: MAX_SEQ_LEN,
        scheme,
        min_frequency: 1,
        max_vocab: None,
        truncation: Truncation::Head,
        ..preprocessing.clone()
    };
    let encode = || match TextEncoder::learn(config, texts) {
        Ok(encoder) => {
            let ids = encoder.encode_batch(texts)?;
            let token = |id| encoder.token_of(id).unwrap_or_default();
            let vocabulary = (0u32..).take(encoder.vocab_size()).map(token).collect();
            Ok((ids, vocabulary))
        }
        Err(TextError::NoTexts | TextError::NoWords { .. }) => {
            Ok((vec![Vec::new(); texts.len()], Vec::new()))
        }
        Err(error) => Err(error),
    };
    let (encoded, digests) = rayon::join(encode, || text_digests(texts));
    let (ids, vocabulary) = encoded?;
    Ok(TextTokens::new(digests, ids, vocabulary))
}
