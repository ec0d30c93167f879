//! `--device` and `--precision`: where and how exactly to compute; and what to do about a device that fails.

use std::error::Error;

use candle_core::Device;
use clap::ValueEnum;
use model::{DeviceChoice, Precision};

const FULL_MEMORY_ADVICE: &str = "In a training, smaller batches (--set training.batch_size=N) and shorter texts \
    (--set preprocessing.seq_len=N) need less of it. `nvidia-smi` lists other programs that use the card: without \
    them, the same command goes on with a training that has a run folder. To compute on the CPU, add --device cpu.";
const CPU_ADVICE: &str = "To compute on the CPU, add --device cpu.";
const PRECISION_ADVICE: &str = "Use --precision f32, or a CUDA device (--device cuda).";

/// The flags that say where and how exactly to compute.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct DeviceArgs {
    /// Device to compute on
    #[arg(long, value_enum, default_value_t, value_name = "DEVICE")]
    device: DeviceName,

    /// How exactly a CUDA device multiplies numbers [default: f32]
    #[arg(long, value_enum, value_name = "PRECISION")]
    precision: Option<PrecisionName>,
}

impl DeviceArgs {
    /// Opens the device, and says which it is unless the user knows.
    pub(crate) fn open(self) -> model::Result<Device> {
        let precision = self.precision().unwrap_or_default();
        let device = self.open_as(precision)?;
        let is_chosen = matches!(self.device, DeviceName::Auto) && !device.is_cpu();
        if is_chosen || precision != Precision::default() {
            eprintln!("computing on {}", device_in_words(&device));
        }
        Ok(device)
    }

    /// Opens the device in this precision.
    pub(crate) fn open_as(self, precision: Precision) -> model::Result<Device> {
        let device = DeviceChoice::from(self.device).open()?;
        precision.select(&device)?;
        let could_be_other = cfg!(any(feature = "cuda", feature = "metal"));
        if matches!(self.device, DeviceName::Auto) && device.is_cpu() && could_be_other {
            eprintln!("no GPU was found; computing on {}", device_in_words(&device));
        }
        Ok(device)
    }

    /// The precision, if one was given.
    pub(crate) fn precision(self) -> Option<Precision> {
        self.precision.map(Into::into)
    }
}

/// The values of `--device`.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum DeviceName {
    /// The first available of CUDA, Metal and the CPU; a CUDA device that does not work is an error
    #[default]
    Auto,
    /// The CPU
    Cpu,
    /// The first CUDA device (needs a build with --features cuda)
    Cuda,
    /// The first Metal device (needs a build with --features metal)
    Metal,
}

impl From<DeviceName> for DeviceChoice {
    fn from(name: DeviceName) -> Self {
        match name {
            DeviceName::Auto => DeviceChoice::Auto,
            DeviceName::Cpu => DeviceChoice::Cpu,
            DeviceName::Cuda => DeviceChoice::Cuda,
            DeviceName::Metal => DeviceChoice::Metal,
        }
    }
}

/// The values of `--precision`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum PrecisionName {
    /// Full f32
    F32,
    /// TF32: factors of matrix products are rounded to 10 bits after the binary point; faster
    Tf32,
    /// bf16 in recurrent layers of more than 128 hidden units, which rounds to 7 bits; all else in f32
    Bf16,
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Self {
        match name {
            PrecisionName::F32 => Precision::F32,
            PrecisionName::Tf32 => Precision::Tf32,
            PrecisionName::Bf16 => Precision::Bf16,
        }
    }
}

/// The device, and its precision unless that is the usual one: `the GPU (CUDA: NVIDIA H200), in tf32`.
pub(crate) fn device_in_words(device: &Device) -> String {
    let name = model::device_name(device);
    match Precision::of(device) {
        Precision::F32 => name,
        precision => format!("{name}, in {precision}"),
    }
}

/// What to do about an error of a device.
pub(crate) fn advice(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if is_out_of_memory(error) {
        return Some(FULL_MEMORY_ADVICE);
    }
    match error.downcast_ref::<model::Error>()? {
        model::Error::Device { .. } => Some(CPU_ADVICE),
        model::Error::Precision { .. } => Some(PRECISION_ADVICE),
        _ => None,
    }
}

/// Whether an error of any crate says that a device has no memory left.
fn is_out_of_memory(error: &(dyn Error + 'static)) -> bool {
    let of_trainer = error.downcast_ref().is_some_and(trainer::Error::is_out_of_memory);
    let of_classifier = error.downcast_ref().is_some_and(classifier::Error::is_out_of_memory);
    let of_model = error.downcast_ref().is_some_and(model::Error::is_out_of_memory);
    of_trainer || of_classifier || of_model
}

#[cfg(test)]
mod tests {
    use std::backtrace::Backtrace;

    use anyhow::Context as _;

    use super::*;

    /// An error as candle gives it where `RUST_BACKTRACE` is set.
    fn full() -> candle_core::Error {
        let says = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        let inner = Box::new(candle_core::Error::Cuda(says.into()));
        candle_core::Error::WithBacktrace { inner, backtrace: Box::new(Backtrace::force_capture()) }
    }

    #[test]
    fn a_full_memory_is_one_line_with_advice_wherever_it_is_noticed() {
        let recurrent = || recurrent::Error::from(full());
        let model = || model::Error::from(recurrent());
        let classifier = || classifier::Error::from(model());
        let trainer = || trainer::Error::from(classifier());
        let stopped = trainer::Error::RunStopped { cause: Box::new(trainer()), last: None };
        let through_candle = candle_core::Error::from(recurrent());
        let errors: [anyhow::Error; 11] = [
            model().into(),
            model::Error::from(full()).into(),
            classifier().into(),
            classifier::Error::from(full()).into(),
            trainer().into(),
            trainer::Error::from(full()).into(),
            trainer::Error::from(recurrent()).into(),
            trainer::Error::from(model()).into(),
            trainer::Error::from(model::Error::from(through_candle)).into(),
            stopped.into(),
            anyhow::Error::from(trainer()).context("while it computed"),
        ];
        for error in errors {
            let words = format!("{error:#}");
            assert!(words.contains("the GPU's memory is full: DriverError(CUDA_ERROR_"), "{words}");
            assert_eq!(words.matches("DriverError").count(), 1, "{words}");
            assert_eq!(words.lines().count(), 1, "{words}");
            let advised = error.chain().find_map(advice);
            assert_eq!(advised, Some(FULL_MEMORY_ADVICE), "{words}");
        }
    }

    #[test]
    fn other_errors_of_a_device_have_no_advice_about_memory() {
        let says =
            "DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access was encountered\")";
        let error = candle_core::Error::Cuda(says.into());
        let error: anyhow::Error = trainer::Error::from(error).into();
        assert_eq!(format!("{error:#}"), says);
        assert_eq!(error.chain().find_map(advice), None);
    }

    #[test]
    fn a_device_that_does_not_open_leads_to_the_cpu() {
        let reason = "DriverError(CUDA_ERROR_UNKNOWN, \"unknown error\")".to_string();
        let opened: model::Result<()> = Err(model::Error::Device { device: "CUDA", reason });
        let error = opened.context("before anything").expect_err("it does not open");
        assert_eq!(error.chain().find_map(advice), Some(CPU_ADVICE));
    }

    #[test]
    fn the_usual_precision_is_not_mentioned() {
        assert_eq!(device_in_words(&Device::Cpu), "the CPU");
    }
}
