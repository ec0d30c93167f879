//! Choice of the device for a network, and its name.

use candle_core::Device;
use recurrent::error_in_words;

use crate::error::{Error, Result};

/// Where to compute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first available of CUDA, Metal and the CPU. A CUDA device that is there and does not work is an error.
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
    /// [`Error::Device`] if this build or machine lacks the requested device, or it does not work.
    pub fn open(self) -> Result<Device> {
        match self {
            DeviceChoice::Auto => match if_there(opened_cuda())? {
                Some(device) => Ok(device),
                None => Ok(open_metal().unwrap_or(Device::Cpu)),
            },
            DeviceChoice::Cpu => Ok(Device::Cpu),
            DeviceChoice::Cuda => open_cuda(),
            DeviceChoice::Metal => open_metal(),
        }
    }
}

/// A device in words, such as `the CPU` or `the GPU (CUDA: NVIDIA H100 80GB HBM3)`.
pub fn device_name(device: &Device) -> String {
    match (device, card_name(device)) {
        (Device::Cpu, _) => "the CPU".to_string(),
        (Device::Cuda(_), Some(card)) => format!("the GPU (CUDA: {card})"),
        (Device::Cuda(_), None) => "the GPU (CUDA)".to_string(),
        (Device::Metal(_), _) => "the GPU (Metal)".to_string(),
    }
}

/// What the driver calls a CUDA device, such as `NVIDIA H100 80GB HBM3`; nothing for other devices.
pub fn card_name(device: &Device) -> Option<String> {
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = device {
        let context = device.cuda_stream().context().cu_device();
        return candle_core::cuda_backend::cudarc::driver::result::device::get_name(context).ok();
    }
    let _ = device;
    None
}

/// A CUDA device, or `None` if this build cannot use one, or the machine has none.
fn if_there(opened: candle_core::Result<Device>) -> Result<Option<Device>> {
    let error = match opened {
        Ok(device) => return Ok(Some(device)),
        Err(error) => error,
    };
    let words = error_in_words(&error);
    let is_not_built = words == candle_core::Error::NotCompiledWithCudaSupport.to_string();
    if is_not_built || words.contains(NO_DEVICE) { Ok(None) } else { Err(unusable("CUDA", &error)) }
}

fn open_cuda() -> Result<Device> {
    if !cfg!(feature = "cuda") {
        return Err(not_built("CUDA", "cuda"));
    }
    opened_cuda().map_err(|error| unusable("CUDA", &error))
}

fn opened_cuda() -> candle_core::Result<Device> {
    let device = Device::new_cuda(0)?;
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = &device {
        // It only saves time: a device without memory pools works as well.
        let _ = recurrent::cuda::keep_freed_memory(device);
    }
    Ok(device)
}

fn open_metal() -> Result<Device> {
    if !cfg!(feature = "metal") {
        return Err(not_built("Metal", "metal"));
    }
    Device::new_metal(0).map_err(|error| unusable("Metal", &error))
}

fn not_built(device: &'static str, feature: &str) -> Error {
    let reason = format!("this program was built without it; build with `--features {feature}`");
    Error::Device { device, reason }
}

/// The error of a device that does not open: why, in one line, and where to look.
fn unusable(device: &'static str, error: &candle_core::Error) -> Error {
    let reason = error_in_words(error);
    let advice = ADVICE.iter().find(|(code, _)| reason.contains(code));
    let reason = match advice {
        Some((_, advice)) => format!("{reason}; {advice}"),
        None => reason,
    };
    Error::Device { device, reason }
}

/// What the CUDA driver says where there is no device.
const NO_DEVICE: &str = "CUDA_ERROR_NO_DEVICE";

/// What to do about some of the CUDA driver's errors.
const ADVICE: [(&str, &str); 4] = [
    (
        NO_DEVICE,
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
    (
        "CUDA_ERROR_STUB_LIBRARY",
        "the toolkit's file for linking was loaded in place of the driver; take its folder out of LD_LIBRARY_PATH",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn driver_error(says: &str) -> candle_core::Error {
        let error = candle_core::Error::Cuda(format!("DriverError({says})").into());
        let backtrace = Box::new(std::backtrace::Backtrace::force_capture());
        candle_core::Error::WithBacktrace { inner: Box::new(error), backtrace }
    }

    #[test]
    fn a_device_that_does_not_open_is_one_line_that_says_where_to_look() {
        let of = |says: &str| unusable("CUDA", &driver_error(says)).to_string();
        let full = of("CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\"");
        let expected = "the CUDA device cannot be used: the GPU's memory is full: \
                        DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\"); `nvidia-smi` lists";
        assert!(full.starts_with(expected), "{full}");
        assert_eq!(full.lines().count(), 1, "{full}");
        let other = "CUDA_ERROR_UNKNOWN, \"unknown error\"";
        let expected = format!("the CUDA device cannot be used: DriverError({other})");
        assert_eq!(of(other), expected);
    }

    #[test]
    fn auto_passes_over_a_device_only_if_there_is_none() -> Result<()> {
        let none = "CUDA_ERROR_NO_DEVICE, \"no CUDA-capable device is detected\"";
        assert!(if_there(Err(driver_error(none)))?.is_none());
        let not_built = candle_core::Error::NotCompiledWithCudaSupport.bt();
        assert!(if_there(Err(not_built))?.is_none());
        assert!(if_there(Ok(Device::Cpu))?.is_some());
        for code in [
            "CUDA_ERROR_OUT_OF_MEMORY",
            "CUDA_ERROR_INVALID_DEVICE",
            "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
            "CUDA_ERROR_UNKNOWN",
        ] {
            let error = if_there(Err(driver_error(code))).expect_err("the device does not work");
            assert!(error.to_string().contains(code), "{error}");
        }
        Ok(())
    }

    #[test]
    fn the_cpu_has_a_name_and_no_card() {
        assert_eq!(device_name(&Device::Cpu), "the CPU");
        assert_eq!(card_name(&Device::Cpu), None);
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
