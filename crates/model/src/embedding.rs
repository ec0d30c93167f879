//! The embedding: from ids to rows of its table.
//!
//! A batch reads few rows of a large table. In training they are taken out of it first, and become a
//! variable of their own, so that the gradient is of these rows alone. A model on disk leaves the
//! table there, mapped into memory, and reads just the rows that it needs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use candle_core::safetensors::MmapedSafetensors;
use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Shape, Tensor, WithDType};
use rayon::prelude::*;

use crate::error::Result;
use crate::tokens::{DistinctIds, Tokens};

/// Rows that one task copies or adds up at least.
const ROWS_PER_TASK: usize = 32;

/// The table, `[V, E]`.
#[derive(Debug, Clone)]
pub(crate) enum Embedding {
    /// On the network's device.
    Loaded(Tensor),
    /// In a file, f32; for networks on the CPU.
    Mapped(Arc<MappedTable>),
}

impl Embedding {
    /// The vectors of a batch, `[B, T, E]`.
    pub(crate) fn of_tokens(&self, tokens: &Tokens) -> Result<Tensor> {
        let vectors = self.rows(&tokens.ids)?;
        let width = vectors.dim(1)?;
        Ok(vectors.reshape((tokens.n_rows(), tokens.steps, width))?)
    }

    /// Some rows, `[ids, E]`.
    pub(crate) fn rows(&self, ids: &[u32]) -> Result<Tensor> {
        match self {
            Self::Loaded(table) => Ok(table.index_select(&Tensor::new(ids, table.device())?, 0)?),
            Self::Mapped(table) => table.rows(ids),
        }
    }
}

/// A table in a mapped file.
pub(crate) struct MappedTable {
    file: MmapedSafetensors,
    name: &'static str,
    width: usize,
}

impl std::fmt::Debug for MappedTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MappedTable").field("name", &self.name).finish_non_exhaustive()
    }
}

impl MappedTable {
    /// Takes the f32 matrix `name` of a file, whose shape was checked.
    pub(crate) fn new(file: MmapedSafetensors, name: &'static str, width: usize) -> Self {
        Self { file, name, width }
    }

    fn rows(&self, ids: &[u32]) -> Result<Tensor> {
        let bytes = self.file.get(self.name)?.data();
        let row_bytes = self.width * DType::F32.size_in_bytes();
        let n_rows = bytes.len() / row_bytes.max(1);
        if let Some(id) = ids.iter().find(|&&id| id as usize >= n_rows) {
            let name = self.name;
            let error = format!("{name} has {n_rows} rows, from 0; there is no row {id}");
            return Err(candle_core::Error::msg(error).into());
        }
        let mut values = vec![0f32; ids.len() * self.width];
        values.par_chunks_exact_mut(self.width).zip(ids).with_min_len(ROWS_PER_TASK).for_each(
            |(to, &id)| {
                let row = &bytes[id as usize * row_bytes..][..row_bytes];
                // The file's header may leave the numbers at any address.
                let (numbers, _) = row.as_chunks::<4>();
                for (to, &number) in to.iter_mut().zip(numbers) {
                    *to = f32::from_le_bytes(number);
                }
            },
        );
        Ok(Tensor::from_vec(values, (ids.len(), self.width), &Device::Cpu)?)
    }
}

/// The vectors `[B, T, E]` of a batch out of its distinct rows `[N, E]`, which get their gradients.
pub(crate) fn spread(rows: &Tensor, distinct: &DistinctIds) -> Result<Tensor> {
    let (n_rows, steps) = distinct.shape;
    let width = rows.dim(1)?;
    if rows.device().is_cpu() && rows.dtype() == DType::F32 {
        return Ok(rows.contiguous()?.apply_op1(Spread { distinct: distinct.clone(), width })?);
    }
    let places = Tensor::new(&*distinct.places, rows.device())?;
    Ok(rows.index_select(&places, 0)?.reshape((n_rows, steps, width))?)
}

/// Candle's own operation goes over the tokens on one core; this takes all of them.
struct Spread {
    distinct: DistinctIds,
    width: usize,
}

impl CustomOp1 for Spread {
    fn name(&self) -> &'static str {
        "embed"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (width, places) = (self.width, &self.distinct.places);
        let rows = contiguous(storage, layout)?;
        let mut vectors = vec![0f32; places.len() * width];
        vectors.par_chunks_exact_mut(width).zip(places).with_min_len(ROWS_PER_TASK).for_each(
            |(to, &place)| {
                to.copy_from_slice(&rows[place as usize * width..][..width]);
            },
        );
        let (n_rows, steps) = self.distinct.shape;
        Ok((CpuStorage::F32(vectors), Shape::from((n_rows, steps, width))))
    }

    /// Each distinct row gets the sum over its tokens, in their order.
    fn bwd(
        &self,
        rows: &Tensor,
        _vectors: &Tensor,
        d_vectors: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let start = Instant::now();
        let (width, places) = (self.width, &self.distinct.places);
        let n_rows = self.distinct.rows.len();
        // The tokens of each row side by side: row r has those from starts[r] on.
        let mut starts = vec![0usize; n_rows + 1];
        for &place in places {
            starts[place as usize + 1] += 1;
        }
        for row in 0..n_rows {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let mut tokens = vec![0u32; places.len()];
        for (token, &place) in (0u32..).zip(places) {
            tokens[next[place as usize]] = token;
            next[place as usize] += 1;
        }

        let d_vectors = d_vectors.contiguous()?;
        let (storage, layout) = d_vectors.storage_and_layout();
        let candle_core::Storage::Cpu(storage) = &*storage else {
            candle_core::bail!("{} takes gradients on the CPU", self.name());
        };
        let d_vectors = contiguous(storage, layout)?;
        let mut d_rows = vec![0f32; n_rows * width];
        d_rows
            .par_chunks_exact_mut(width)
            .zip(starts.par_windows(2))
            .with_min_len(ROWS_PER_TASK)
            .for_each(|(sum, range)| {
                for &token in &tokens[range[0]..range[1]] {
                    let d_vector = &d_vectors[token as usize * width..][..width];
                    sum.iter_mut().zip(d_vector).for_each(|(sum, d)| *sum += d);
                }
            });
        self.distinct.backward_ns.store(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        Ok(Some(Tensor::from_vec(d_rows, rows.shape(), rows.device())?))
    }
}

/// The numbers of a contiguous f32 tensor.
pub(crate) fn contiguous<'a>(
    storage: &'a CpuStorage,
    layout: &Layout,
) -> candle_core::Result<&'a [f32]> {
    let numbers = f32::cpu_storage_as_slice(storage)?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&numbers[start..end]),
        None => candle_core::bail!("the embedding takes contiguous tensors"),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;
    use crate::config::Padding;

    #[test]
    fn a_batchs_rows_get_the_gradient_that_the_whole_table_would() -> Result<()> {
        let device = Device::Cpu;
        let numbers: Vec<f32> = (0..7 * 3).map(|i| (i as f32 * 0.7).sin()).collect();
        let table = Var::from_tensor(&Tensor::from_vec(numbers, (7, 3), &device)?)?;
        let ids = Tensor::new(&[[0u32, 6, 2, 2], [0, 0, 0, 5], [2, 6, 6, 6]], &device)?;
        let tokens = Tokens::new(&ids, Padding::Compute, 7)?;
        let loss = |x: &Tensor| x.sqr()?.sum_all()?.backward();

        let embedding = Embedding::Loaded(table.as_tensor().clone());
        let whole = embedding.of_tokens(&tokens)?;
        let of_table = loss(&whole)?;
        let of_table = of_table.get(&table).map(Tensor::to_vec2::<f32>).transpose()?;

        let distinct = tokens.distinct();
        assert_eq!(distinct.rows, [0, 2, 5, 6]);
        let rows = Var::from_tensor(&embedding.rows(&distinct.rows)?)?;
        let x = spread(&rows, &distinct)?;
        assert_eq!(x.to_vec3::<f32>()?, whole.to_vec3::<f32>()?);
        let of_rows = loss(&x)?;
        let of_rows = of_rows.get(&rows).map(Tensor::to_vec2::<f32>).transpose()?;
        let (of_table, of_rows) = (of_table.unwrap_or_default(), of_rows.unwrap_or_default());
        for (&id, of_row) in distinct.rows.iter().zip(&of_rows) {
            let expected = &of_table[id as usize];
            let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5 * b.abs();
            assert!(of_row.iter().zip(expected).all(close), "{id}: {of_row:?} {expected:?}");
        }
        Ok(())
    }
}
