//! The nearest words: what vectors are for, and a check that they are what they should be.

use serde::Serialize;

use crate::error::Result;
use crate::store::Store;

/// A word near another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Near<'a> {
    /// The word.
    pub word: &'a str,
    /// The cosine of the angle between the two vectors, from -1 to 1.
    pub cosine: f64,
}

impl Store {
    /// The `n` words whose vectors have the largest cosine with that of `word`, best first, without the word itself.
    /// Reads all vectors. Vectors of zeros have no direction and are near nothing.
    ///
    /// # Errors
    /// [`Error::NoSuchWord`](crate::Error::NoSuchWord).
    pub fn nearest(&self, word: &str, n: usize) -> Result<Vec<Near<'_>>> {
        let place = self.place_of(word)?;
        let from = self.vector(place);
        let own = dot(from, from).sqrt();
        let mut found: Vec<(usize, f64)> = self
            .vectors()
            .chunks_exact(self.n_features())
            .enumerate()
            .filter(|(other, _)| *other != place)
            .map(|(other, vector)| (other, dot(from, vector) / (own * dot(vector, vector).sqrt())))
            .filter(|(_, cosine)| cosine.is_finite())
            .collect();
        // Of equal ones, the more frequent word comes first.
        found.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let near = |(place, cosine)| Near { word: self.word(place), cosine };
        Ok(found.into_iter().take(n).map(near).collect())
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}
