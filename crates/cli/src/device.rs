//! `--device`: the device to compute on.

use clap::ValueEnum;
use model::DeviceChoice;

/// The values of `--device`.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum DeviceName {
    /// The first available of CUDA, Metal and the CPU
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
