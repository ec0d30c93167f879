#![doc = include_str!("../README.md")]

mod batch;
mod config;
mod device;
mod error;
pub mod folder;
mod network;
mod parameters;
mod pooling;
mod recurrent_layer;

pub use config::{CellKind, ModelConfig, Padding, Pooling};
pub use device::DeviceChoice;
pub use error::{Error, Result};
pub use folder::TrainedModel;
pub use network::SentimentRnn;
pub use parameters::sorted;
pub use recurrent_layer::State;
