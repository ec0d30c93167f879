//! How exactly a device multiplies numbers.

use std::fmt;

use candle_core::Device;
use candle_core::cuda::{gemm_reduced_precision_f32, set_gemm_reduced_precision_f32};
use recurrent::{is_bf16_on_cuda, set_bf16_on_cuda};
use serde::{Deserialize, Serialize};

use crate::device::device_name;
use crate::error::{Error, Result};

/// How exactly a device multiplies numbers. Weights and what is learned are kept in f32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Full f32.
    #[default]
    F32,
    /// TF32, on CUDA devices: factors of matrix products are rounded to 10 bits after the binary point, and products
    /// are added in f32. That is faster; devices older than Ampere have no TF32 and compute in f32.
    Tf32,
    /// bf16, on CUDA devices, for recurrent layers of more than 128 hidden units: their inputs, weights and states are
    /// rounded to 7 bits after the binary point, and products are added in f32. All else is computed in f32, and so are
    /// smaller layers, which run faster that way.
    Bf16,
}

impl Precision {
    /// Has all products on CUDA devices computed in this precision from now on, in the whole process.
    ///
    /// # Errors
    /// [`Error::Precision`] if `device`, which is to compute, has no such precision.
    pub fn select(self, device: &Device) -> Result<()> {
        match (self, device) {
            (Self::Bf16, Device::Cuda(_)) if !has_bf16(device) => {
                return Err(Error::Precision { precision: self, device: device_name(device) });
            }
            (_, Device::Cuda(_)) => {
                set_gemm_reduced_precision_f32(self == Self::Tf32);
                set_bf16_on_cuda(self == Self::Bf16);
            }
            (Self::F32, _) => {}
            (Self::Tf32 | Self::Bf16, _) => {
                return Err(Error::Precision { precision: self, device: device_name(device) });
            }
        }
        Ok(())
    }

    /// In which precision a device computes now.
    pub fn of(device: &Device) -> Self {
        match device {
            Device::Cuda(_) if is_bf16_on_cuda() => Self::Bf16,
            Device::Cuda(_) if gemm_reduced_precision_f32() => Self::Tf32,
            _ => Self::F32,
        }
    }
}

/// Whether a CUDA device computes in bf16: those from Ampere on do.
fn has_bf16(device: &Device) -> bool {
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = device {
        let stream = device.cuda_stream();
        return stream.context().compute_capability().is_ok_and(|(major, _)| major >= 8);
    }
    let _ = device;
    false
}

impl fmt::Display for Precision {
    /// `f32`, `tf32` or `bf16`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_computes_in_f32_and_says_so() -> Result<()> {
        Precision::F32.select(&Device::Cpu)?;
        for precision in [Precision::Tf32, Precision::Bf16] {
            let error = precision.select(&Device::Cpu).expect_err("the CPU has only f32");
            let expected = format!("{precision} is for CUDA devices; the CPU computes in f32");
            assert_eq!(error.to_string(), expected);
        }
        assert_eq!(Precision::of(&Device::Cpu), Precision::F32);
        Ok(())
    }

    #[test]
    fn a_precision_is_written_as_it_is_named() {
        for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
            let written = serde_json::json!(precision);
            assert_eq!(written, precision.to_string());
            assert_eq!(serde_json::from_value::<Precision>(written).ok(), Some(precision));
        }
    }
}
