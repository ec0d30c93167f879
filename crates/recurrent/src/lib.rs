#![doc = include_str!("../README.md")]
//!
//! Letters in shapes: B batch, T steps, I input size, H hidden size, P projection size, L layers,
//! D directions, G gates.

mod allocator;
mod autograd;
mod backend;
mod cell;
mod config;
mod cudnn;
mod error;
mod fused;
mod gru;
mod initialization;
mod kernels;
mod layer;
mod lengths;
mod lstm;
mod numbers;
mod orthogonal;
mod random;
mod reference;
mod rnn;
mod run;
pub mod settings;
mod stack;
mod weights;

pub use allocator::{keep_freed_memory, return_freed_memory};
pub use backend::Backend;
pub use config::RecurrentConfig;
pub use error::{Error, Result};
pub use gru::Gru;
pub use initialization::{Initialization, RecurrentInit};
pub use kernels::{InstructionSet, set_num_threads};
pub use lstm::{Lstm, LstmState};
pub use numbers::{contiguous, numbers_of};
pub use random::SeededRng;
pub use rnn::{Nonlinearity, Rnn};
pub use settings::OutOfRange;
pub use stack::{RepeatedInput, RunOptions};
