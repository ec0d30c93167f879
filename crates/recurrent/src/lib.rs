#![doc = include_str!("../README.md")]
//!
//! Letters in shapes: B batch, T steps, I input size, H hidden size, P projection size, L layers,
//! D directions, G gates.

mod algebra;
mod any;
mod autograd;
mod backend;
mod cell;
mod config;
#[cfg(feature = "cuda")]
pub mod cuda;
mod cudnn;
mod device_errors;
mod dropout;
#[cfg(feature = "cuda")]
mod dropout_on_device;
mod error;
mod frozen;
mod fused;
mod gru;
mod initialization;
mod layer;
mod lengths;
mod lstm;
mod machine;
mod numbers;
mod options;
mod orthogonal;
mod pad;
mod pooling;
#[cfg(feature = "cuda")]
mod pooling_on_device;
mod random;
mod recurrence;
mod reference;
mod rnn;
mod run;
pub mod settings;
mod stack;
mod state;
mod weights;

pub use any::{AnyCell, Recurrent};
pub use backend::Backend;
pub use cell::Cell;
pub use config::RecurrentConfig;
pub use cudnn::{
    CudnnAlgorithm, CudnnLayout, CudnnLengths, CudnnPlan, is_bf16_on_cuda, set_bf16_on_cuda,
};
pub use device_errors::{error_in_words, is_out_of_memory};
pub use dropout::{ChaCha8Position, DropoutMasks, dropout, variational_dropout};
pub use error::{Error, Result};
pub use gru::{Gru, GruCell};
pub use initialization::{Initialization, RecurrentInit};
pub use layer::{CellType, FixedCell, Layer};
pub use lstm::{Lstm, LstmCell};
pub use machine::{InstructionSet, free_memory, num_threads, set_num_threads};
pub use numbers::{contiguous, numbers_of};
pub use options::{Input, RepeatedInput, RunOptions};
pub use pad::pad_sequence;
pub use pooling::{Pooling, pool};
pub use random::SeededRng;
pub use rnn::{Nonlinearity, Rnn, RnnCell};
pub use settings::OutOfRange;
pub use state::{AnyState, LstmState, State};
