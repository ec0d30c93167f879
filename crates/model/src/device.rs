//! Choice of the device for a network.

use candle_core::Device;

use crate::error::{Error, Result};

/// Where to compute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first available of CUDA, Metal and the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The first CUDA device.
    Cuda,
    /// The first Metal device.
    Metal,
}

impl DeviceChoice {
    /// Opens the device.
    ///
    /// # Errors
    /// [`Error::Device`] if this build or machine lacks the requested device.
    pub fn open(self) -> Result<Device> {
        match self {
            DeviceChoice::Auto => Ok(open_cuda().or_else(|_| open_metal()).unwrap_or(Device::Cpu)),
            DeviceChoice::Cpu => Ok(Device::Cpu),
            DeviceChoice::Cuda => open_cuda(),
            DeviceChoice::Metal => open_metal(),
        }
    }
}

fn open_cuda() -> Result<Device> {
    if !cfg!(feature = "cuda") {
        return Err(not_built("CUDA", "cuda"));
    }
    Device::new_cuda(0).map_err(|error| Error::Device { device: "CUDA", reason: error.to_string() })
}

fn open_metal() -> Result<Device> {
    if !cfg!(feature = "metal") {
        return Err(not_built("Metal", "metal"));
    }
    Device::new_metal(0)
        .map_err(|error| Error::Device { device: "Metal", reason: error.to_string() })
}

fn not_built(device: &'static str, feature: &str) -> Error {
    let reason = format!("this program was built without it; build with `--features {feature}`");
    Error::Device { device, reason }
}

// With CUDA, whether there is a device is not known here.
#[cfg(all(test, not(feature = "cuda")))]
mod tests {
    use super::*;

    #[cfg(not(feature = "metal"))]
    #[test]
    fn auto_is_the_cpu_in_a_build_without_others() -> Result<()> {
        assert!(DeviceChoice::Auto.open()?.is_cpu());
        Ok(())
    }

    #[test]
    fn a_build_without_cuda_says_how_to_get_it() {
        let error = DeviceChoice::Cuda.open().map(|_| ()).expect_err("no CUDA in this build");
        assert!(error.to_string().contains("--features cuda"), "{error}");
    }
}
