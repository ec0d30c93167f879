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
    opened_cuda().map_err(|error| Error::Device { device: "CUDA", reason: reason(error) })
}

fn opened_cuda() -> candle_core::Result<Device> {
    let device = Device::new_cuda(0)?;
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = &device {
        recurrent::cuda::keep_freed_memory(device)?;
    }
    Ok(device)
}

fn open_metal() -> Result<Device> {
    if !cfg!(feature = "metal") {
        return Err(not_built("Metal", "metal"));
    }
    Device::new_metal(0).map_err(|error| Error::Device { device: "Metal", reason: reason(error) })
}

fn not_built(device: &'static str, feature: &str) -> Error {
    let reason = format!("this program was built without it; build with `--features {feature}`");
    Error::Device { device, reason }
}

/// Why a device does not open, in one line, and where to look.
fn reason(mut error: candle_core::Error) -> String {
    // With RUST_BACKTRACE, candle adds a trace of many lines.
    while let candle_core::Error::WithBacktrace { inner, .. } = error {
        error = *inner;
    }
    let reason = error.to_string();
    let advice = ADVICE.iter().find(|(code, _)| reason.contains(code));
    match advice {
        Some((_, advice)) => format!("{reason}; {advice}"),
        None => reason,
    }
}

/// What to do about some of the CUDA driver's errors.
const ADVICE: [(&str, &str); 3] = [
    (
        "CUDA_ERROR_NO_DEVICE",
        "`nvidia-smi` lists the devices that the driver finds; CUDA_VISIBLE_DEVICES may hide some",
    ),
    (
        "CUDA_ERROR_OUT_OF_MEMORY",
        "`nvidia-smi` lists the programs that use its memory; end those that you do not need",
    ),
    (
        "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
        "parts of the driver have different versions; after an update, restart the machine",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_and_says_where_to_look() {
        let says = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        let error = candle_core::Error::Cuda(says.into());
        let backtrace = Box::new(std::backtrace::Backtrace::force_capture());
        let error = candle_core::Error::WithBacktrace { inner: Box::new(error), backtrace };
        let got = reason(error);
        assert!(got.starts_with(&format!("{says}; `nvidia-smi` lists")), "{got}");
        assert_eq!(got.lines().count(), 1, "{got}");
        let other = "CublasError(CUBLAS_STATUS_NOT_INITIALIZED)";
        assert_eq!(reason(candle_core::Error::Cuda(other.into())), other);
    }

    // With CUDA, whether there is a device is not known here.
    #[cfg(not(any(feature = "cuda", feature = "metal")))]
    #[test]
    fn auto_is_the_cpu_in_a_build_without_others() -> Result<()> {
        assert!(DeviceChoice::Auto.open()?.is_cpu());
        Ok(())
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_how_to_get_it() {
        let error = DeviceChoice::Cuda.open().map(|_| ()).expect_err("no CUDA in this build");
        assert!(error.to_string().contains("--features cuda"), "{error}");
    }
}
