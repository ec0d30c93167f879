//! Fused CPU kernels: all layers and directions over a whole batch, forward and backward.
//!
//! What makes them fast:
//! - the input product of many steps is one matrix product, not one per step;
//! - weights are packed once per pass into panels that a register tile reads in order;
//! - a panel holds all gates of the same hidden units, so the non-linearities run on numbers that
//!   the product has just left in the first-level cache;
//! - each thread owns rows of the batch and runs all steps alone, without a barrier; with few rows,
//!   threads divide the hidden units instead, so that each reads only its part of the weights, and
//!   synchronise after each step;
//! - steps are processed in chunks, so that the gates of a chunk never leave the second-level cache
//!   between the input product, the recurrence and (backward) the weight gradients;
//! - rows are sorted by length within a thread, so padding costs nothing;
//! - memory is reused from pass to pass, so that the system need not provide it page by page.
//!
//! `crate::reference` is the plain form of the same computation; tests compare the two.

mod backward;
mod buffer;
mod crew;
mod forward;
mod gemm;
mod geometry;
mod input;
mod isa;
mod pack;
mod pass;
mod plan;
mod portable;
mod projection;
mod shared;
mod stacked;
mod transpose;
mod units;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use crew::set_num_threads;
pub(crate) use isa::Element;
pub use isa::InstructionSet;
pub(crate) use pack::Weights;
pub(crate) use stacked::{BackwardTensors, LayerDropout, PackedWeights, Problem, Saved, Steps};
