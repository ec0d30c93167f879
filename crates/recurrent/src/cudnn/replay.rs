//! Replays cuDNN's calls as CUDA graphs.
//!
//! cuDNN's standard algorithm queues several kernels for each step of each layer, thousands in a training step of two
//! layers and 200 steps, and queueing a kernel takes the host longer than the kernel takes the GPU. A CUDA graph is
//! queued at once. It has fixed addresses, so that each graph has memory of its own, to which a call's inputs are
//! copied first and from which its outputs are copied afterwards; the copies take a hundredth of the time.
//!
//! A call is recorded when it is made for the third time, so that shapes that come once cost nothing. The same kernels
//! run in the same order, so that the results are the same bit for bit.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::cuda_backend::DeviceId;
use candle_core::cuda_backend::cudarc::driver::result::memcpy_dtod_async;
use candle_core::cuda_backend::cudarc::driver::{CudaGraph, CudaSlice, sys};
use candle_core::{CudaDevice, Error, Result};

use super::network::Network;
use super::storage::{Address, uninitialised_bytes};

/// How often a call is made before it is recorded.
const N_DIRECT: usize = 2;
/// Calls that a thread knows, and the memory that its graphs may have together. It is kept while the thread runs.
const MAX_CALLS: usize = 16;
const MAX_BYTES: usize = 4 << 30;

/// A pass over a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Pass {
    Inference,
    Training,
    Backward,
}

/// What a call does with a place in memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Role {
    Read,
    Written,
    /// Added to.
    Changed,
    /// Neither read before nor needed after the call.
    Scratch,
}

/// Memory that a call uses; absent if the address is 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) address: Address,
    pub(super) bytes: usize,
    pub(super) role: Role,
}

/// All that a call depends on, besides numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) device: DeviceId,
    pub(super) pass: Pass,
    pub(super) network: Network,
    pub(super) input_size: usize,
    pub(super) batch: usize,
    pub(super) steps: usize,
    /// Of each slot.
    pub(super) bytes: Vec<usize>,
}

/// What is known of a call.
enum State {
    /// It was made so often.
    Direct(usize),
    /// It cannot be recorded.
    Refused,
    Recorded {
        graph: CudaGraph,
        memory: Vec<Option<CudaSlice<u8>>>,
    },
}

/// Of this process.
static N_REPLAYED: AtomicUsize = AtomicUsize::new(0);

/// How many calls of cuDNN this process has replayed as graphs: for tests and measurements.
pub fn n_replayed() -> usize {
    N_REPLAYED.load(Ordering::Relaxed)
}

thread_local! {
    /// By last use, latest last.
    static CALLS: RefCell<Vec<(Key, State)>> = const { RefCell::new(Vec::new()) };
}

/// Makes a call: `queue` queues it on the device's stream, given the addresses of the slots.
pub(super) fn run(
    device: &CudaDevice,
    key: &Key,
    slots: &[Slot],
    queue: impl Fn(&[Address]) -> Result<()>,
) -> Result<()> {
    let direct: Vec<Address> = slots.iter().map(|slot| slot.address).collect();
    CALLS.with_borrow_mut(|calls| {
        let known = calls.iter().position(|(of_call, _)| of_call == key);
        let (key, mut state) = match known {
            Some(place) => calls.remove(place),
            None => (key.clone(), State::Direct(0)),
        };
        if matches!(state, State::Direct(N_DIRECT)) && has_room(calls, device, slots) {
            // Without memory for it, the call stays direct and is tried again.
            if let Ok((memory, addresses)) = own_memory(device, slots) {
                state = match record(device, || queue(&addresses)) {
                    Ok(graph) => State::Recorded { graph, memory },
                    Err(_) => State::Refused,
                };
            }
        }
        let done = match &mut state {
            State::Recorded { graph, memory } => replay(device, slots, graph, memory),
            State::Direct(n) => {
                *n = (*n + 1).min(N_DIRECT);
                queue(&direct)
            }
            State::Refused => queue(&direct),
        };
        calls.push((key, state));
        if calls.len() > MAX_CALLS {
            calls.remove(0);
        }
        done
    })
}

/// Makes room for one more graph: drops those of devices that are gone, then the oldest. Returns whether there is room.
fn has_room(calls: &mut Vec<(Key, State)>, device: &CudaDevice, slots: &[Slot]) -> bool {
    calls.retain(|(key, _)| key.device == device.id());
    let wanted: usize = slots.iter().map(|slot| slot.bytes).sum();
    let is_recorded = |(_, state): &(Key, State)| matches!(state, State::Recorded { .. });
    loop {
        let recorded = calls.iter().filter(|call| is_recorded(call));
        let held: usize = recorded.flat_map(|(key, _)| &key.bytes).sum();
        if held + wanted <= MAX_BYTES {
            return true;
        }
        match calls.iter().position(is_recorded) {
            Some(oldest) => drop(calls.remove(oldest)),
            None => return false,
        }
    }
}

/// A call's own memory, and its addresses: 0 where the call has none.
type OwnMemory = (Vec<Option<CudaSlice<u8>>>, Vec<Address>);

fn own_memory(device: &CudaDevice, slots: &[Slot]) -> Result<OwnMemory> {
    let memory = slots
        .iter()
        .map(|slot| {
            let is_there = slot.address != 0;
            is_there.then(|| uninitialised_bytes(device, slot.bytes)).transpose()
        })
        .collect::<Result<Vec<_>>>()?;
    let addresses = memory.iter().map(|memory| memory.as_ref().map_or(0, address)).collect();
    Ok((memory, addresses))
}

/// Records what `queue` queues. An error means that it cannot be recorded.
fn record(device: &CudaDevice, queue: impl Fn() -> Result<()>) -> Result<CudaGraph> {
    let stream = device.cuda_stream();
    let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
    stream.begin_capture(mode).map_err(Error::wrap)?;
    let queued = queue();
    // Also after an error, since it ends the recording.
    let graph = stream.end_capture(sys::CUgraphInstantiate_flags(0)).map_err(Error::wrap);
    queued?;
    graph?.ok_or_else(|| Error::msg("nothing was recorded"))
}

fn replay(
    device: &CudaDevice,
    slots: &[Slot],
    graph: &CudaGraph,
    memory: &[Option<CudaSlice<u8>>],
) -> Result<()> {
    let stream = device.cuda_stream();
    let copy = |from: Address, to: Address, bytes: usize| {
        // SAFETY: both places have as many bytes, as the key says, and live until the stream is done with them.
        unsafe { memcpy_dtod_async(to, from, bytes, stream.cu_stream()) }.map_err(Error::wrap)
    };
    // Slots that are absent have no memory.
    let there: Vec<(&Slot, Address)> = slots
        .iter()
        .zip(memory)
        .filter_map(|(slot, memory)| memory.as_ref().map(|memory| (slot, address(memory))))
        .collect();
    for (slot, own) in &there {
        if matches!(slot.role, Role::Read | Role::Changed) {
            copy(slot.address, *own, slot.bytes)?;
        }
    }
    graph.launch().map_err(Error::wrap)?;
    N_REPLAYED.fetch_add(1, Ordering::Relaxed);
    for (slot, own) in &there {
        if matches!(slot.role, Role::Written | Role::Changed) {
            copy(*own, slot.address, slot.bytes)?;
        }
    }
    Ok(())
}

fn address(memory: &CudaSlice<u8>) -> Address {
    use candle_core::cuda_backend::cudarc::driver::DevicePtr as _;

    let (address, _) = memory.device_ptr(memory.stream());
    address
}
