//! From left-padded ids to what the recurrent layers take.
//!
//! Users and the notebook pad on the left; the layers count each row's real steps from the left.
//! Moving the ids is cheap, so it is done here, before they are embedded.

use candle_core::Tensor;
use text_preprocessing::PAD_ID;

use crate::error::{Error, Result};

/// Ids whose rows begin at the left, and how many of each are real.
#[derive(Debug)]
pub(crate) struct AlignedBatch {
    /// `[B, T']`, u32, T' the longest row's length, at least 1.
    pub(crate) ids: Tensor,
    /// `[B]`
    pub(crate) lengths: Vec<usize>,
}

impl AlignedBatch {
    /// Takes the padding off the left of `ids [B, T]`; padding inside a row stays.
    pub(crate) fn skip_padding(ids: &Tensor, vocab_size: usize) -> Result<Self> {
        let rows = checked_rows(ids, vocab_size)?;
        let real: Vec<&[u32]> = rows
            .iter()
            .map(|row| {
                let n_padding = row.iter().take_while(|&&id| id == PAD_ID).count();
                &row[n_padding..]
            })
            .collect();
        let lengths: Vec<usize> = real.iter().map(|row| row.len()).collect();
        let steps = lengths.iter().copied().max().unwrap_or(0).max(1);
        let mut aligned = vec![PAD_ID; rows.len() * steps];
        for (to, from) in aligned.chunks_exact_mut(steps).zip(&real) {
            to[..from.len()].copy_from_slice(from);
        }
        let ids = Tensor::from_vec(aligned, (rows.len(), steps), ids.device())?;
        Ok(Self { ids, lengths })
    }

    /// Takes every id, padding included, as a real step.
    pub(crate) fn keep_padding(ids: &Tensor, vocab_size: usize) -> Result<Self> {
        let rows = checked_rows(ids, vocab_size)?;
        let lengths = rows.iter().map(Vec::len).collect();
        Ok(Self { ids: ids.clone(), lengths })
    }
}

fn checked_rows(ids: &Tensor, vocab_size: usize) -> Result<Vec<Vec<u32>>> {
    let rows = ids.to_vec2::<u32>()?;
    for (row, ids) in rows.iter().enumerate() {
        if let Some(&id) = ids.iter().find(|&&id| id as usize >= vocab_size) {
            return Err(Error::UnknownId { row, id, vocab_size });
        }
    }
    Ok(rows)
}
