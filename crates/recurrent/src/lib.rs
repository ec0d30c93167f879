#![doc = include_str!("../README.md")]
//!
//! Letters in shapes: B batch, T steps, I input size, H hidden size, L layers, D directions,
//! G gates.

mod backend;
mod cell;
mod config;
mod error;
mod gru;
mod kernels;
mod layer;
mod lengths;
mod lstm;
mod random;
mod rnn;
mod single_state;
mod stack;

pub use backend::Backend;
pub use config::RecurrentConfig;
pub use error::{Error, Result};
pub use gru::Gru;
pub use kernels::InstructionSet;
pub use lstm::{Lstm, LstmState};
pub use random::SeededRng;
pub use rnn::{Nonlinearity, Rnn};
pub use stack::RunOptions;
