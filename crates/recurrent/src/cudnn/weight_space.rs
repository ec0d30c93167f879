//! cuDNN's weight space: one block of memory in a layout known only to cuDNN.

use std::ffi::c_void;

use candle_core::cuda_backend::cudarc::cudnn::sys;
use candle_core::cuda_backend::cudarc::driver::result::memcpy_dtod_async;
use candle_core::{Error, Result};

use super::library::{check, empty_tensor_descriptor, int};
use super::network::{Call, Network};
use super::storage::Address;

/// cuDNN's id for the LSTM's projection.
const PROJECTION: usize = 8;

/// A byte range of one weight tensor and its offset in the weight space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Region {
    tensor_idx: usize,
    offset: usize,
    space_offset: usize,
    bytes: usize,
}

/// Maps byte ranges of the weight tensors to the weight space.
pub(super) struct Arrangement(Vec<Region>);

impl Arrangement {
    /// For tensors in PyTorch's order, by layer and direction: W_ih, W_hh, then b_ih and b_hh if
    /// there are biases, then the projection if there is one.
    ///
    /// `input_size`: of the first layer, as cuDNN is given it.
    pub(super) fn of(
        call: &Call,
        network: &Network,
        input_size: usize,
        (space, bytes): (Address, usize),
    ) -> Result<Self> {
        let mut arrangement = Self(Vec::new());
        let mut tensor_idx = 0;
        for layer in 0..network.num_layers {
            let input = if layer == 0 { input_size } else { network.output_size() };
            for direction in 0..network.num_directions {
                let pseudo_layer = layer * network.num_directions + direction;
                let ask = |part| part_offsets(call, pseudo_layer, part, (space, bytes));
                tensor_idx += arrangement.add_layer(network, (tensor_idx, input), ask)?;
            }
        }
        Ok(arrangement)
    }

    /// Adds the tensors of one layer and direction and returns their number. `ask` returns the
    /// offsets of a part's matrix and bias; a part is one gate of one side.
    fn add_layer(
        &mut self,
        network: &Network,
        (first_tensor, input): (usize, usize),
        ask: impl Fn(usize) -> Result<(Option<usize>, Option<usize>)>,
    ) -> Result<usize> {
        let size = network.dtype.size_in_bytes();
        let (n_gates, hidden) = (network.cell.n_gates(), network.hidden_size);
        let missing = |what: &str| Error::msg(format!("cuDNN has no place for {what}"));
        for (side, columns) in [input, network.h_size].into_iter().enumerate() {
            for gate in 0..n_gates {
                let (matrix, bias) = ask(side * n_gates + gate)?;
                let matrix_bytes = hidden * columns * size;
                self.add(Region {
                    tensor_idx: first_tensor + side,
                    offset: gate * matrix_bytes,
                    space_offset: matrix.ok_or_else(|| missing("a gate's weights"))?,
                    bytes: matrix_bytes,
                });
                if network.bias {
                    self.add(Region {
                        tensor_idx: first_tensor + 2 + side,
                        offset: gate * hidden * size,
                        space_offset: bias.ok_or_else(|| missing("a gate's bias"))?,
                        bytes: hidden * size,
                    });
                }
            }
        }
        let n_tensors = if network.bias { 4 } else { 2 };
        if network.h_size == network.hidden_size {
            return Ok(n_tensors);
        }
        let (matrix, _) = ask(PROJECTION)?;
        self.add(Region {
            tensor_idx: first_tensor + n_tensors,
            offset: 0,
            space_offset: matrix.ok_or_else(|| missing("the projection"))?,
            bytes: network.h_size * hidden * size,
        });
        Ok(n_tensors + 1)
    }

    /// Adds a region; merges it with its tensor's last one if they are adjacent on both sides.
    fn add(&mut self, region: Region) {
        let before = self.0.iter_mut().rev().find(|last| last.tensor_idx == region.tensor_idx);
        match before {
            Some(last)
                if last.offset + last.bytes == region.offset
                    && last.space_offset + last.bytes == region.space_offset =>
            {
                last.bytes += region.bytes;
            }
            _ => self.0.push(region),
        }
    }

    /// Copies the tensors at these addresses into the weight space.
    ///
    /// # Safety
    /// The addresses must point to contiguous tensors of the network's shapes and to a weight space
    /// of its size, in the memory of the call's device.
    pub(super) unsafe fn gather(
        &self,
        call: &Call,
        tensors: &[Address],
        space: Address,
    ) -> Result<()> {
        for region in &self.0 {
            let from = tensors[region.tensor_idx] + region.offset as Address;
            // SAFETY: the caller vouches for it.
            unsafe { copy(call, from, space + region.space_offset as Address, region.bytes) }?;
        }
        Ok(())
    }

    /// The reverse of [`Arrangement::gather`].
    ///
    /// # Safety
    /// As there; in addition, nothing else may write to the tensors.
    pub(super) unsafe fn scatter(
        &self,
        call: &Call,
        space: Address,
        tensors: &[Address],
    ) -> Result<()> {
        for region in &self.0 {
            let to = tensors[region.tensor_idx] + region.offset as Address;
            // SAFETY: the caller vouches for it.
            unsafe { copy(call, space + region.space_offset as Address, to, region.bytes) }?;
        }
        Ok(())
    }
}

/// # Safety
/// Both addresses must be valid for `bytes` bytes on the call's device.
unsafe fn copy(call: &Call, from: Address, to: Address, bytes: usize) -> Result<()> {
    let stream = call.handle.stream.cu_stream();
    // SAFETY: the caller vouches for it; the copy is stream-ordered.
    unsafe { memcpy_dtod_async(to, from, bytes, stream) }.map_err(Error::wrap)
}

/// Offsets of a part's matrix and bias in the weight space, if it has them.
fn part_offsets(
    call: &Call,
    pseudo_layer: usize,
    part: usize,
    (space, bytes): (Address, usize),
) -> Result<(Option<usize>, Option<usize>)> {
    let (matrix_descriptor, bias_descriptor) =
        (empty_tensor_descriptor()?, empty_tensor_descriptor()?);
    let (mut matrix, mut bias) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: cuDNN computes with the address of the space but does not dereference it; all output
    // pointers are valid.
    let status = unsafe {
        sys::cudnnGetRNNWeightParams(
            call.handle.raw,
            call.network.raw,
            int(pseudo_layer)?,
            bytes,
            space as *const _,
            int(part)?,
            matrix_descriptor.raw,
            &mut matrix,
            bias_descriptor.raw,
            &mut bias,
        )
    };
    check(status, "cudnnGetRNNWeightParams")?;
    let offset =
        |address: *mut c_void| (!address.is_null()).then(|| (address as Address - space) as usize);
    Ok((offset(matrix), offset(bias)))
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::super::plan::{CudnnAlgorithm, CudnnLayout, CudnnLengths, CudnnPlan};
    use super::*;
    use crate::cell::Cell;

    #[test]
    fn gates_that_follow_one_another_are_copied_as_one() -> Result<()> {
        let network = Network {
            cell: Cell::Lstm,
            dtype: DType::F32,
            input_size: 3,
            hidden_size: 2,
            h_size: 1,
            num_layers: 1,
            num_directions: 1,
            bias: true,
            math: sys::cudnnMathType_t::CUDNN_FMA_MATH,
            plan: CudnnPlan {
                algorithm: CudnnAlgorithm::Standard,
                lengths: CudnnLengths::Told,
                layout: CudnnLayout::BatchMajor,
            },
        };
        // Matrices of 24 bytes per gate, recurrent ones of 8, then the projection, then the biases.
        let ask = |part: usize| {
            Ok(match part {
                0..4 => (Some(part * 24), Some(136 + part * 8)),
                4..8 => (Some(96 + (part - 4) * 8), Some(136 + part * 8)),
                _ => (Some(128), None),
            })
        };
        let mut arrangement = Arrangement(Vec::new());
        assert_eq!(arrangement.add_layer(&network, (0, 3), ask)?, 5);
        let region =
            |tensor_idx, space_offset, bytes| Region { tensor_idx, offset: 0, space_offset, bytes };
        let mut regions = arrangement.0;
        regions.sort_by_key(|region| region.tensor_idx);
        assert_eq!(
            regions,
            [
                region(0, 0, 96),
                region(1, 96, 32),
                region(2, 136, 32),
                region(3, 168, 32),
                region(4, 128, 8),
            ]
        );
        Ok(())
    }
}
