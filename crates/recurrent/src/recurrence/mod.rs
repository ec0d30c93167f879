//! Fused CPU passes: all layers and directions over a whole batch, forward and backward.
//!
//! What makes them fast:
//! - the input product of many steps is one matrix product, not one per step;
//! - weights are packed, once per pass unless they are frozen, into panels that a register tile reads in order;
//! - a panel holds all gates of the same hidden units, so the non-linearities run on numbers that
//!   the product has just left in the first-level cache;
//! - a thread that owns rows of the batch runs all steps, layers and directions alone, without meeting
//!   another; with few rows, threads divide directions and hidden units instead (`division.rs`);
//! - steps are processed in chunks, so that the gates of a chunk never leave the second-level cache
//!   between the input product, the recurrence and (backward) the weight gradients;
//! - rows are sorted by length within a thread, so padding costs nothing;
//! - where vectors of the input repeat, its products are computed once per vector (`repeated.rs`);
//! - memory is reused from pass to pass, so that the system need not provide it page by page.
//!
//! `forward.rs` and `backward.rs` run a network, `layer_forward.rs` and `layer_backward.rs` one thread's part
//! of one layer, `units.rs` the element-wise part of one step. `crate::reference` is the plain form of the
//! same computation; tests compare the two.

mod backward;
mod division;
mod forward;
mod input;
mod layer_backward;
mod layer_forward;
mod packing;
mod plan;
mod pooled;
mod problem;
mod region;
mod repeated;
mod team;
mod two_products;
mod units;

pub(crate) use backward::BackwardTensors;
pub(crate) use forward::{ForwardTensors, SavedPass};
pub(crate) use packing::PackedWeights;
pub(crate) use pooled::{Argmax, OutputGradient, PooledGradient};
pub(crate) use problem::{LayerDropout, Problem, Steps};
