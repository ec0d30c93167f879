//! The embedding: looks up table rows by id.
//!
//! A batch reads few rows of a large table. In training, the backward pass ends at the batch's vectors,
//! and their gradient is summed for these rows only. A loaded model leaves the table where it is
//! stored, perhaps in a mapped file, and reads only the rows it needs.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, D, DType, Device, Layout, Shape, Tensor};
use rayon::prelude::*;
use recurrent::{contiguous, numbers_of};

use crate::error::Result;
use crate::stored::StoredTensors;
use crate::tokens::{DistinctIds, Grouped, OnDevice, Tokens};

/// Minimum number of rows that one task copies or sums.
const ROWS_PER_TASK: usize = 32;

/// The table, `[V, E]`.
#[derive(Debug, Clone)]
pub(crate) enum Embedding {
    /// On the network's device.
    Loaded(Tensor),
    /// Where the weights are stored, f32; for networks on the CPU.
    Stored(Arc<StoredTable>),
}

impl Embedding {
    /// The vectors of a batch, `[B, T, E]`; `distinct`: the ids of the same tokens, if they have been taken apart.
    pub(crate) fn of_tokens(
        &self,
        tokens: &Tokens,
        distinct: Option<&DistinctIds>,
    ) -> Result<Tensor> {
        let uploaded = distinct.and_then(DistinctIds::uploaded_ids).transpose()?;
        let vectors = match (self, uploaded) {
            (Self::Loaded(table), Some(ids)) => table.index_select(&ids, 0)?,
            _ => self.rows(&tokens.ids)?,
        };
        let width = vectors.dim(1)?;
        Ok(vectors.reshape((tokens.n_rows(), tokens.steps, width))?)
    }

    /// Some rows, `[ids, E]`.
    pub(crate) fn rows(&self, ids: &[u32]) -> Result<Tensor> {
        match self {
            Self::Loaded(table) if table.device().is_cpu() && table.dtype() == DType::F32 => {
                Ok(table.contiguous()?.apply_op1(Rows { ids: ids.to_vec() })?)
            }
            Self::Loaded(table) => Ok(table.index_select(&Tensor::new(ids, table.device())?, 0)?),
            Self::Stored(table) => table.rows(ids),
        }
    }
}

/// Gathers rows of a table on all cores; candle's own operation uses one.
struct Rows {
    ids: Vec<u32>,
}

impl CustomOp1 for Rows {
    fn name(&self) -> &'static str {
        "embed"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (n_rows, width) = layout.shape().dims2()?;
        let table: &[f32] = contiguous(storage, layout)?;
        if let Some(id) = self.ids.iter().find(|&&id| id as usize >= n_rows) {
            candle_core::bail!("row {id} is out of range: the table has {n_rows} rows, from 0");
        }
        let mut rows = vec![0f32; self.ids.len() * width];
        rows.par_chunks_exact_mut(width.max(1))
            .zip(&self.ids)
            .with_min_len(ROWS_PER_TASK)
            .for_each(|(to, &id)| to.copy_from_slice(&table[id as usize * width..][..width]));
        Ok((CpuStorage::F32(rows), Shape::from((self.ids.len(), width))))
    }

    fn bwd(
        &self,
        table: &Tensor,
        _rows: &Tensor,
        d_rows: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let ids = Tensor::new(&*self.ids, table.device())?;
        Ok(Some(table.zeros_like()?.index_add(&ids, d_rows, 0)?))
    }
}

/// A table in stored weights.
pub(crate) struct StoredTable {
    stored: StoredTensors,
    name: &'static str,
    width: usize,
}

impl std::fmt::Debug for StoredTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredTable").field("name", &self.name).finish_non_exhaustive()
    }
}

impl StoredTable {
    /// The f32 matrix `name`; its shape has been checked.
    pub(crate) fn new(stored: StoredTensors, name: &'static str, width: usize) -> Self {
        Self { stored, name, width }
    }

    fn rows(&self, ids: &[u32]) -> Result<Tensor> {
        let bytes = self.stored.get(self.name)?.data();
        let row_bytes = self.width * DType::F32.size_in_bytes();
        let n_rows = bytes.len() / row_bytes.max(1);
        if let Some(id) = ids.iter().find(|&&id| id as usize >= n_rows) {
            let name = self.name;
            let error = format!("row {id} is out of range: {name} has {n_rows} rows, from 0");
            return Err(candle_core::Error::msg(error).into());
        }
        let mut values = vec![0f32; ids.len() * self.width];
        values.par_chunks_exact_mut(self.width).zip(ids).with_min_len(ROWS_PER_TASK).for_each(
            |(to, &id)| {
                let row = &bytes[id as usize * row_bytes..][..row_bytes];
                // The file's header may leave the values unaligned.
                let (numbers, _) = row.as_chunks::<4>();
                for (to, &number) in to.iter_mut().zip(numbers) {
                    *to = f32::from_le_bytes(number);
                }
            },
        );
        Ok(Tensor::from_vec(values, (ids.len(), self.width), &Device::Cpu)?)
    }
}

/// Converts the gradient of some vectors, `[.., E]`, to that of the `n_rows` table rows that they are,
/// `[N, E]`, summed over each row's vectors. `places`: the row of each vector; `uploaded`: the same on the gradient's
/// device, if they are there.
pub(crate) fn sum_by_row(
    d_vectors: &Tensor,
    (places, uploaded): (&[u32], Option<&OnDevice>),
    n_rows: usize,
) -> Result<Tensor> {
    let width = d_vectors.dim(D::Minus1)?;
    let d_vectors = d_vectors.reshape(((), width))?;
    if d_vectors.dim(0)? != places.len() {
        let (shape, n) = (d_vectors.shape(), places.len());
        let error = format!("expected the gradient of {n} vectors, got shape {shape:?}");
        return Err(candle_core::Error::msg(error).into());
    }
    if !(d_vectors.device().is_cpu() && d_vectors.dtype() == DType::F32) {
        #[cfg(feature = "cuda")]
        if let Some(OnDevice { order, starts, .. }) = uploaded
            && d_vectors.device().is_cuda()
            && d_vectors.dtype() == DType::F32
        {
            return Ok(crate::row_sums::sum_in_order(&d_vectors, order, starts)?);
        }
        let places = match uploaded {
            Some(OnDevice { places, .. }) => places.clone(),
            None => Tensor::new(places, d_vectors.device())?,
        };
        let zeros = Tensor::zeros((n_rows, width), d_vectors.dtype(), d_vectors.device())?;
        return Ok(zeros.index_add(&places, &d_vectors, 0)?);
    }
    let Grouped { order, starts } = Grouped::new(places, n_rows);
    let d_vectors = d_vectors.contiguous()?;
    let storage = d_vectors.storage_and_layout();
    let d_vectors: &[f32] = numbers_of(&storage)?;
    let mut d_rows = vec![0f32; n_rows * width];
    d_rows
        .par_chunks_exact_mut(width)
        .zip(starts.par_windows(2))
        .with_min_len(ROWS_PER_TASK)
        .for_each(|(sum, range)| {
            for &token in &order[range[0] as usize..range[1] as usize] {
                let d_vector = &d_vectors[token as usize * width..][..width];
                sum.iter_mut().zip(d_vector).for_each(|(sum, d)| *sum += d);
            }
        });
    Ok(Tensor::from_vec(d_rows, (n_rows, width), &Device::Cpu)?)
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

        let gradient = |x: &Tensor| -> Result<Vec<Vec<f32>>> {
            let store = x.sqr()?.sum_all()?.backward()?;
            Ok(store.get(&table).map(Tensor::to_vec2).transpose()?.unwrap_or_default())
        };
        let whole = table.index_select(&ids.flatten_all()?, 0)?.reshape((3, 4, 3))?;
        let of_table = gradient(&whole)?;

        let distinct = tokens.distinct();
        assert_eq!(distinct.rows, [0, 2, 5, 6]);
        let x = Embedding::Loaded(table.as_tensor().clone()).of_tokens(&tokens, None)?;
        assert_eq!(x.to_vec3::<f32>()?, whole.to_vec3::<f32>()?);
        assert_eq!(gradient(&x)?, of_table);
        // As on another device, on which the ids are already.
        let uploaded = distinct.clone().uploaded(&device)?;
        let again = Embedding::Loaded(table.as_tensor().clone());
        let again = again.of_tokens(&tokens, Some(&uploaded))?;
        assert_eq!(again.to_vec3::<f32>()?, x.to_vec3::<f32>()?);
        for (dtype, there) in
            [(DType::F32, None), (DType::F64, None), (DType::F64, uploaded.on_device())]
        {
            let of_rows = {
                let d_vectors = (&x * 2.0)?.to_dtype(dtype)?;
                sum_by_row(&d_vectors, (&distinct.places, there), distinct.rows.len())?
            };
            let of_rows = of_rows.to_dtype(DType::F32)?.to_vec2::<f32>()?;
            for (&id, of_row) in distinct.rows.iter().zip(&of_rows) {
                let expected = &of_table[id as usize];
                let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5 * b.abs();
                assert!(of_row.iter().zip(expected).all(close), "{id}: {of_row:?} {expected:?}");
            }
        }
        Ok(())
    }
}
