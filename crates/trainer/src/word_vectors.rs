//! Pre-trained word vectors as the start of the embedding.

use std::fs::File;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use candle_nn::VarMap;
use model::TABLE;
use serde::{Deserialize, Serialize};
use text_preprocessing::{TextEncoder, WordVectors};
use word_vectors::{Store, WordsRead, read_words};

use crate::error::{Error, Result};
use crate::state::unread_vectors;

/// What was used of a word-vector file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VectorsUse {
    /// The file.
    pub path: PathBuf,
    /// Words of the vocabulary that it contains.
    pub n_found: usize,
    /// Words of the vocabulary.
    pub n_words: usize,
}

/// Checks before a training that there is a file of word vectors, and of a store, that its vectors fit.
///
/// # Errors
/// As those of [`start_from`].
pub(crate) fn check(path: &Path, embedding_dim: usize) -> Result<()> {
    File::open(path).map_err(|source| unread_vectors(path, source))?;
    if !Store::is_at(path)? {
        return Ok(());
    }
    match Store::open(path)?.n_features() {
        dim if dim == embedding_dim => Ok(()),
        dim => Err(Error::VectorWidth { path: path.to_path_buf(), dim, embedding_dim }),
    }
}

/// The vectors for the words of a vocabulary. Of a store only these are read; any other file is read to its end, and what
/// is wrong with any of its words is an error.
fn read(path: &Path, encoder: &TextEncoder) -> Result<WordVectors> {
    if !Store::is_at(path)? {
        return read_whole(path, encoder);
    }
    let store = Store::open(path)?;
    let at = (path, store.n_features());
    let picked = WordVectors::pick(at, encoder, store.words(), |place| store.vector(place))?;
    if picked.vectors.iter().flat_map(|(_, vector)| vector).all(|number| number.is_finite()) {
        return Ok(picked);
    }
    let reason = "it has numbers that are not finite".into();
    Err(word_vectors::Error::Store { path: path.to_path_buf(), reason }.into())
}

/// The same of a file that is no store: only the vectors of the vocabulary's words are kept in memory.
fn read_whole(path: &Path, encoder: &TextEncoder) -> Result<WordVectors> {
    let is_wanted = WordVectors::wanted(path, encoder)?;
    let (mut words, mut numbers): (Vec<String>, Vec<f32>) = (Vec::new(), Vec::new());
    let WordsRead { n_features, .. } = read_words(path, &mut |word, vector| {
        if is_wanted(word) {
            words.push(word.to_string());
            numbers.extend_from_slice(vector);
        }
    })?;
    let vector = |place: usize| &numbers[place * n_features..][..n_features];
    let words = words.iter().map(String::as_str);
    Ok(WordVectors::pick((path, n_features), encoder, words, vector)?)
}

/// Replaces the embedding's rows by the vectors of a file, for the words in it.
///
/// # Errors
/// If the file cannot be read or its vectors do not have the embedding's dimension.
pub(crate) fn start_from(
    path: &Path,
    encoder: &TextEncoder,
    variables: &VarMap,
) -> Result<VectorsUse> {
    let WordVectors { dim, vectors } = read(path, encoder)?;
    // Padding and the unknown word have no vectors.
    let n_words = encoder.vocab_size().saturating_sub(2);
    let use_of_file = VectorsUse { path: path.to_path_buf(), n_found: vectors.len(), n_words };
    let Some(table) = model::sorted(variables).remove(TABLE) else { return Ok(use_of_file) };
    let (_, embedding_dim) = table.dims2()?;
    if dim != embedding_dim {
        return Err(Error::VectorWidth { path: path.to_path_buf(), dim, embedding_dim });
    }
    if vectors.is_empty() {
        return Ok(use_of_file);
    }
    let ids: Vec<u32> = vectors.iter().map(|(id, _)| *id).collect();
    let numbers: Vec<f32> = vectors.into_iter().flat_map(|(_, vector)| vector).collect();
    let rows = Tensor::from_vec(numbers, (ids.len(), dim), table.device())?;
    let places = Tensor::new(&*ids, table.device())?.unsqueeze(1)?;
    table.scatter_set(&places.broadcast_as(rows.shape())?.contiguous()?, &rows, 0)?;
    Ok(use_of_file)
}
