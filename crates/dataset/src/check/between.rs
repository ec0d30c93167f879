//! Texts of another file that are in this one, too: a test on them is no test.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::finding::{Finding, Found, Severity};
use super::near::{Shingles, Sides, shingles, similar};
use super::rows::{N_NAMED, Rows};
use super::tokens::TextTokens;
use crate::columns::{ColumnChoice, choose_text};
use crate::error::Result;
use crate::tables::{self, DataFile, Missing, ReadNotes, ReadOptions, TextColumn, Texts};

/// The texts of another file; labels are not needed.
#[derive(Clone, Debug)]
pub struct OtherTexts {
    path: PathBuf,
    texts: Texts,
    /// The rows of the file that have a text; `None` if all do.
    rows: Option<Vec<u32>>,
}

impl OtherTexts {
    /// Reads the text column of a file; rows without a text are left out.
    ///
    /// # Errors
    /// As [`LabelledTexts::read`](crate::LabelledTexts::read), but for labels.
    pub fn read(file: &DataFile, choice: &ColumnChoice, options: &ReadOptions) -> Result<Self> {
        let mut notes = ReadNotes::default();
        let path = file.name();
        let table = tables::read(file, options, &mut notes)?;
        let column = choose_text(&path, &table, &file.choice(choice, options)?)?;
        let of = TextColumn::of(&path, &table, &column.name, Missing::Skip, &mut notes)?;
        Ok(Self { path, texts: of.texts, rows: of.rows })
    }

    /// The texts, in file order.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.texts.iter()
    }

    /// The number of texts.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn file_row(&self, text: usize) -> usize {
        self.rows.as_ref().map_or(text, |rows| rows[text] as usize) + 1
    }
}

/// Looks for texts that are in both files, or nearly.
pub(super) fn find(
    (rows, shingles_here): (&Rows<'_>, &[Shingles]),
    other: &OtherTexts,
    tokens: &TextTokens,
) -> Option<Finding> {
    let mut here: HashMap<u64, u32> = HashMap::new();
    for &row in rows.with_text.iter().rev() {
        here.insert(rows.tokens.digests[row as usize], row);
    }
    let with_text = (0..other.len()).filter(|&text| !tokens.ids[text].is_empty());
    let (same, different): (Vec<usize>, Vec<usize>) =
        with_text.partition(|&text| here.contains_key(&tokens.digests[text]));
    let pair = |&text: &usize| Some([*here.get(&tokens.digests[text])? as usize, text]);
    let mut pairs: Vec<[usize; 2]> = same.iter().filter_map(pair).collect();
    let there = shingles(tokens);
    let sets = rows.with_text.iter().map(|&row| &*shingles_here[row as usize]);
    let sets: Vec<&[u32]> = sets.chain(different.iter().map(|&text| &*there[text])).collect();
    let n_here = rows.with_text.len();
    let mut seen = HashSet::new();
    let near = similar(&sets, Sides::Two(n_here)).into_iter().filter(|[_, b]| seen.insert(*b));
    let near: Vec<[usize; 2]> = near
        .map(|[a, b]| [rows.with_text[a as usize] as usize, different[b as usize - n_here]])
        .collect();
    let (n_same, n_near) = (same.len(), near.len());
    pairs.extend(near);
    pairs.sort_by_key(|[_, text]| *text);
    let mut of_table: Vec<u32> = pairs.iter().map(|[row, _]| *row as u32).collect();
    of_table.sort_unstable();
    of_table.dedup();
    let named = pairs.iter().take(N_NAMED);
    let named = named.map(|&[row, text]| [rows.table.file_row(row as u32), other.file_row(text)]);
    let found = Found::Shared {
        other: other.path.display().to_string(),
        n_texts: other.len(),
        n_same,
        n_near,
        pairs: named.collect(),
    };
    (!pairs.is_empty()).then(|| rows.finding(Severity::Warning, found, &of_table))
}
