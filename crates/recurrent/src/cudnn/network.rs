//! A network and a batch in cuDNN's terms.

use std::ffi::c_int;
use std::rc::Rc;

use candle_core::cuda_backend::cudarc::cudnn::sys;
use candle_core::cuda_backend::gemm_reduced_precision_f32;
use candle_core::{CudaDevice, DType, Result};

use super::library::{
    DataDescriptor, DropoutDescriptor, Handle, NetworkDescriptor, TensorDescriptor, check,
    data_descriptor, data_type, empty_network_descriptor, int, no_dropout, tensor_descriptor,
};
use super::plan::{CudnnAlgorithm, CudnnPlan};
use crate::cell::Cell;

/// Flag that allows rows of a padded batch to end early (`CUDNN_RNN_PADDED_IO_ENABLED`).
const PADDED_IO: u32 = 1;

/// The layers that one call runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Network {
    pub(super) cell: Cell,
    pub(super) dtype: DType,
    pub(super) input_size: usize,
    pub(super) hidden_size: usize,
    /// Features of h: the projection size if there is one, else `hidden_size`.
    pub(super) h_size: usize,
    pub(super) num_layers: usize,
    pub(super) num_directions: usize,
    pub(super) bias: bool,
    /// Rounding of products; decided once, since both passes must agree.
    pub(super) math: sys::cudnnMathType_t,
    pub(super) plan: CudnnPlan,
}

/// Rounding of products by dtype. Candle's own setting decides whether f32 may use TF32.
pub(super) fn math_type(dtype: DType) -> sys::cudnnMathType_t {
    match dtype {
        DType::F16 | DType::BF16 => sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
        DType::F32 if !gemm_reduced_precision_f32() => sys::cudnnMathType_t::CUDNN_FMA_MATH,
        _ => sys::cudnnMathType_t::CUDNN_DEFAULT_MATH,
    }
}

impl Network {
    /// Tensors of a layer's direction.
    pub(super) fn n_tensors(&self) -> usize {
        2 + if self.bias { 2 } else { 0 } + usize::from(self.h_size != self.hidden_size)
    }

    pub(super) fn output_size(&self) -> usize {
        self.num_directions * self.h_size
    }

    /// `[L·D, B, features]` of the state tensors, in the cell's order.
    pub(super) fn state_shapes(&self, batch: usize) -> Vec<(usize, usize, usize)> {
        let sizes = [self.h_size, self.hidden_size];
        let layers = self.num_layers * self.num_directions;
        sizes[..self.cell.n_states()].iter().map(|&size| (layers, batch, size)).collect()
    }

    fn descriptor(
        &self,
        input_size: usize,
        dropout: &DropoutDescriptor,
    ) -> Result<NetworkDescriptor> {
        let descriptor = empty_network_descriptor()?;
        let mode = match self.cell {
            Cell::RnnRelu => sys::cudnnRNNMode_t::CUDNN_RNN_RELU,
            Cell::RnnTanh => sys::cudnnRNNMode_t::CUDNN_RNN_TANH,
            Cell::Lstm => sys::cudnnRNNMode_t::CUDNN_LSTM,
            Cell::Gru => sys::cudnnRNNMode_t::CUDNN_GRU,
            Cell::GruResetBefore => {
                candle_core::bail!("cuDNN has no GRU whose reset gate acts before the product")
            }
        };
        let bias = if self.bias {
            sys::cudnnRNNBiasMode_t::CUDNN_RNN_DOUBLE_BIAS
        } else {
            sys::cudnnRNNBiasMode_t::CUDNN_RNN_NO_BIAS
        };
        let direction = if self.num_directions == 2 {
            sys::cudnnDirectionMode_t::CUDNN_BIDIRECTIONAL
        } else {
            sys::cudnnDirectionMode_t::CUDNN_UNIDIRECTIONAL
        };
        let sum_dtype = if self.dtype == DType::F64 { DType::F64 } else { DType::F32 };
        // SAFETY: all descriptors exist; the sizes are plain numbers.
        let status = unsafe {
            sys::cudnnSetRNNDescriptor_v8(
                descriptor.raw,
                match self.plan.algorithm {
                    CudnnAlgorithm::Standard => sys::cudnnRNNAlgo_t::CUDNN_RNN_ALGO_STANDARD,
                    CudnnAlgorithm::PersistStatic => {
                        sys::cudnnRNNAlgo_t::CUDNN_RNN_ALGO_PERSIST_STATIC
                    }
                    CudnnAlgorithm::PersistStaticSmallH => {
                        sys::cudnnRNNAlgo_t::CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H
                    }
                },
                mode,
                bias,
                direction,
                sys::cudnnRNNInputMode_t::CUDNN_LINEAR_INPUT,
                data_type(self.dtype)?,
                data_type(sum_dtype)?,
                self.math,
                int(input_size)?,
                int(self.hidden_size)?,
                int(self.h_size)?,
                int(self.num_layers)?,
                dropout.raw,
                PADDED_IO,
            )
        };
        check(status, "cudnnSetRNNDescriptor_v8")?;
        Ok(descriptor)
    }
}

/// Everything that describes a call.
pub(super) struct Call {
    pub(super) handle: Rc<Handle>,
    pub(super) network: NetworkDescriptor,
    pub(super) x: DataDescriptor,
    pub(super) outputs: DataDescriptor,
    pub(super) h: TensorDescriptor,
    pub(super) c: TensorDescriptor,
    /// Referenced by the network's descriptor.
    _dropout: DropoutDescriptor,
}

impl Call {
    /// `input_size`: of the first layer, as cuDNN is given it; `lengths`: steps of each row, at least 1.
    pub(super) fn new(
        network: &Network,
        device: &CudaDevice,
        input_size: usize,
        steps: usize,
        lengths: &[c_int],
    ) -> Result<Self> {
        let handle = Handle::of(device)?;
        let dropout = no_dropout(&handle)?;
        let (batch, dtype, layout) = (lengths.len(), network.dtype, network.plan.layout);
        let layers = network.num_layers * network.num_directions;
        Ok(Self {
            network: network.descriptor(input_size, &dropout)?,
            x: data_descriptor(dtype, layout, (steps, input_size), lengths)?,
            outputs: data_descriptor(dtype, layout, (steps, network.output_size()), lengths)?,
            h: tensor_descriptor(dtype, [layers, batch, network.h_size])?,
            c: tensor_descriptor(dtype, [layers, batch, network.hidden_size])?,
            handle,
            _dropout: dropout,
        })
    }

    /// Size in bytes of the weights, or of their gradients, in cuDNN's layout.
    pub(super) fn weight_bytes(&self) -> Result<usize> {
        let mut bytes = 0;
        // SAFETY: the descriptors exist, and the output pointer is valid.
        let status = unsafe {
            sys::cudnnGetRNNWeightSpaceSize(self.handle.raw, self.network.raw, &mut bytes)
        };
        check(status, "cudnnGetRNNWeightSpaceSize")?;
        Ok(bytes)
    }

    /// Workspace bytes of a pass, and bytes that the forward pass reserves for the backward pass.
    pub(super) fn temporary_bytes(&self, mode: sys::cudnnForwardMode_t) -> Result<(usize, usize)> {
        let (mut work, mut reserve) = (0, 0);
        // SAFETY: the descriptors exist, and both output pointers are valid.
        let status = unsafe {
            sys::cudnnGetRNNTempSpaceSizes(
                self.handle.raw,
                self.network.raw,
                mode,
                self.x.raw,
                &mut work,
                &mut reserve,
            )
        };
        check(status, "cudnnGetRNNTempSpaceSizes")?;
        Ok((work, reserve))
    }
}
