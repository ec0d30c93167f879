//! What the kernels need of the machine: registers, memory, threads. Nothing here knows of layers.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod buffer;
#[cfg(not(recurrent_loom))]
mod candle_pool;
mod crew;
mod isa;
mod portable;
mod shared;
mod sync;
mod threads;
mod vector;

pub use buffer::free_memory;
pub(crate) use buffer::{Buffer, zeroed_vec};
pub(crate) use crew::{Alarm, Barrier, Crew, share};
pub(crate) use isa::Element;
pub use isa::InstructionSet;
pub(crate) use shared::{Shared, Source};
pub use threads::{num_threads, set_num_threads};
pub(crate) use vector::{Isa, Job, Number, Vector};
