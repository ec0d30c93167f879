//! cuDNN's forward and backward passes over tensors.

use std::ffi::{c_int, c_void};

use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::cudarc::cudnn::sys;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaStream};
use candle_core::{CudaDevice, CudaStorage, Result, Shape, Tensor};

use super::held::{Form, OnDevice};
use super::library::check;
use super::network::{Call, Network};
use super::plan::CudnnAlgorithm;
use super::replay::{self, Key, Pass, Role, Slot};
use super::storage::{Address, Place, uninitialised, uninitialised_bytes};
use super::weight_space::Arrangement;

/// The tensors of one call, contiguous, on one device and without a graph.
pub(super) struct Problem {
    pub(super) network: Network,
    pub(super) device: CudaDevice,
    /// `[B, T, I]`
    pub(super) x: Tensor,
    /// Real steps of each row; at least 1 unless the state is held.
    pub(super) lengths: Vec<c_int>,
    /// In PyTorch's order, by layer and direction.
    pub(super) weights: Vec<Tensor>,
    /// In the cell's order, `[L·D, B, features]`; empty for zeros.
    pub(super) initial: Vec<Tensor>,
}

/// Results of a forward pass.
pub(super) struct Forward {
    /// Outputs, then the final states.
    pub(super) results: Vec<(CudaStorage, Shape)>,
    pub(super) saved: Option<Saved>,
}

/// Data that a forward pass keeps for the backward pass.
pub(super) struct Saved {
    /// The weights during the forward pass; variables may have changed since.
    weights: CudaSlice<u8>,
    reserve: CudaSlice<u8>,
    lengths: OnDevice,
}

/// Gradients, each in the shape of its tensor.
pub(super) struct Gradients {
    pub(super) x: (CudaStorage, Shape),
    pub(super) weights: Vec<(CudaStorage, Shape)>,
    pub(super) initial: Vec<(CudaStorage, Shape)>,
}

impl Problem {
    fn form<'a>(&'a self, lengths: &'a OnDevice) -> Result<Form<'a>> {
        let Network { cell, hidden_size, dtype, plan, .. } = self.network;
        let sizes = (cell, hidden_size, dtype);
        Ok(Form::new(&self.device, plan, sizes, self.x.dim(1)?, (&self.lengths, lengths)))
    }

    /// The input size and the lengths that cuDNN is told, and the call.
    fn call(&self, form: &Form<'_>) -> Result<(usize, Vec<c_int>, Call)> {
        let (input_size, lengths) = (form.width(self.network.input_size), form.told()?);
        let call = Call::new(&self.network, &self.device, input_size, self.x.dim(1)?, &lengths)?;
        Ok((input_size, lengths, call))
    }

    /// Makes a call, directly or as a graph.
    fn make(
        &self,
        pass: Pass,
        input_size: usize,
        told: &[c_int],
        slots: &[Slot],
        queue: impl Fn(&[Address]) -> Result<()>,
    ) -> Result<()> {
        let steps = self.x.dim(1)?;
        let is_full = told.iter().all(|&length| length as usize == steps);
        // Other algorithms queue few kernels; other lengths come once.
        if self.network.plan.algorithm != CudnnAlgorithm::Standard || !is_full {
            let at: Vec<Address> = slots.iter().map(|slot| slot.address).collect();
            return queue(&at);
        }
        let key = Key {
            device: self.device.id(),
            pass,
            network: self.network.clone(),
            input_size,
            batch: told.len(),
            steps,
            bytes: slots.iter().map(|slot| slot.bytes).collect(),
        };
        replay::run(&self.device, &key, slots, queue)
    }

    /// Bytes of the states h and c.
    fn state_bytes(&self) -> [usize; 2] {
        let Network { num_layers, num_directions, h_size, hidden_size, dtype, .. } = self.network;
        let rows = num_layers * num_directions * self.lengths.len() * dtype.size_in_bytes();
        [rows * h_size, rows * hidden_size]
    }

    /// Runs forward; saves what a backward pass needs if one may follow.
    pub(super) fn forward(&self, save: bool) -> Result<Forward> {
        let (batch, steps, _) = self.x.dims3()?;
        let device = &self.device;
        // Lives until the stream is done with it: freeing is stream-ordered too.
        let on_device = OnDevice::new(device, self.network.plan, steps, &self.lengths)?;
        let form = self.form(&on_device)?;
        let (input_size, told, call) = self.call(&form)?;
        let (x, own) =
            (form.input(&self.x)?, form.weights(&self.weights, self.network.n_tensors())?);
        let stream = &*call.handle.stream;
        let dtype = self.network.dtype;
        let (size, [h_bytes, c_bytes]) = (dtype.size_in_bytes(), self.state_bytes());
        let mode = if save {
            sys::cudnnForwardMode_t::CUDNN_FWD_MODE_TRAINING
        } else {
            sys::cudnnForwardMode_t::CUDNN_FWD_MODE_INFERENCE
        };
        let weight_bytes = call.weight_bytes()?;
        let (work_bytes, reserve_bytes) = call.temporary_bytes(mode)?;
        let mut weights = uninitialised_bytes(device, weight_bytes)?;
        let mut work = uninitialised_bytes(device, work_bytes)?;
        let mut reserve = uninitialised_bytes(device, reserve_bytes)?;
        let output_shape = (batch, steps, self.network.output_size());
        let mut results = vec![uninitialised(device, output_shape, dtype)?];
        for shape in self.network.state_shapes(batch) {
            results.push(uninitialised(device, shape, dtype)?);
        }

        {
            let x = x.storage_and_layout();
            let initial: Vec<_> = self.initial.iter().map(Tensor::storage_and_layout).collect();
            let own: Vec<_> = own.iter().map(Tensor::storage_and_layout).collect();
            let x = Place::of_tensor(&x, stream)?;
            let initial: Vec<_> = initial
                .iter()
                .map(|state| Place::of_tensor(state, stream))
                .collect::<Result<_>>()?;
            let own: Vec<_> =
                own.iter().map(|weight| Place::of_tensor(weight, stream)).collect::<Result<_>>()?;
            let places = places(&mut results, stream)?;
            let [weights, work, reserve] = [&mut weights, &mut work, &mut reserve]
                .map(|bytes| Place::of_slice_mut(bytes, stream));
            let lengths = Place::of_slice(&on_device.told, stream);
            let space = (weights.address, weight_bytes);
            let arrangement = Arrangement::of(&call, &self.network, input_size, space)?;
            let own: Vec<Address> = own.iter().map(|weight| weight.address).collect();
            // SAFETY: `Stack` made the weights in these shapes, and the space has the size that
            // cuDNN reported.
            unsafe { arrangement.gather(&call, &own, weights.address) }?;
            let slots = [
                slot(Some(&lengths), told.len() * size_of::<c_int>(), Role::Read),
                slot(Some(&x), batch * steps * input_size * size, Role::Read),
                slot(
                    places.first(),
                    batch * steps * self.network.output_size() * size,
                    Role::Written,
                ),
                slot(initial.first(), h_bytes, Role::Read),
                slot(places.get(1), h_bytes, Role::Written),
                slot(initial.get(1), c_bytes, Role::Read),
                slot(places.get(2), c_bytes, Role::Written),
                slot(Some(&weights), weight_bytes, Role::Read),
                slot(Some(&work), work_bytes, Role::Scratch),
                slot(Some(&reserve), reserve_bytes, Role::Written),
            ];
            let queue = |at: &[Address]| {
                let at = |index: usize| at[index] as *mut c_void;
                // SAFETY: all addresses point to device memory as large as the descriptors say or as
                // cuDNN asked for; the guards keep it alive until after the call, and the stream's
                // order after that.
                let status = unsafe {
                    sys::cudnnRNNForward(
                        call.handle.raw,
                        call.network.raw,
                        mode,
                        at(0).cast(),
                        call.x.raw,
                        at(1),
                        call.outputs.raw,
                        at(2),
                        call.h.raw,
                        at(3),
                        at(4),
                        call.c.raw,
                        at(5),
                        at(6),
                        weight_bytes,
                        at(7),
                        work_bytes,
                        at(8),
                        reserve_bytes,
                        at(9),
                    )
                };
                check(status, "cudnnRNNForward")
            };
            let pass = if save { Pass::Training } else { Pass::Inference };
            self.make(pass, input_size, &told, &slots, queue)?;
        }
        let width = self.network.output_size();
        let states = results.split_off(1);
        let mut results: Vec<_> = results
            .into_iter()
            .map(|outputs| form.finished(outputs, width))
            .collect::<Result<_>>()?;
        results.extend(states);
        if let [outputs, last, ..] = &mut *results {
            form.take_last(outputs, last, width)?;
        }
        let saved = save.then_some(Saved { weights, reserve, lengths: on_device });
        Ok(Forward { results, saved })
    }

    /// Runs backward. `d_results`: gradients of outputs and final states, contiguous; missing ones
    /// are zero.
    pub(super) fn backward(
        &self,
        saved: &Saved,
        outputs: &Tensor,
        d_results: &[Option<Tensor>],
    ) -> Result<Gradients> {
        let device = &self.device;
        let form = self.form(&saved.lengths)?;
        let (input_size, told, call) = self.call(&form)?;
        let stream = &*call.handle.stream;
        let dtype = self.network.dtype;
        let (size, [h_bytes, c_bytes]) = (dtype.size_in_bytes(), self.state_bytes());
        let (batch, steps) = (told.len(), self.x.dim(1)?);
        let mode = sys::cudnnForwardMode_t::CUDNN_FWD_MODE_TRAINING;
        let weight_bytes = call.weight_bytes()?;
        let (work_bytes, reserve_bytes) = call.temporary_bytes(mode)?;
        let mut work = uninitialised_bytes(device, work_bytes)?;
        // A copy: cuDNN overwrites it, and a graph may run backward twice.
        let mut reserve = uninitialised_bytes(device, reserve_bytes)?;
        device.memcpy_dtod(&saved.reserve, &mut reserve)?;
        // cuDNN adds gradients to it.
        let mut d_weights = device.alloc_zeros::<u8>(weight_bytes.max(1))?;
        let d_outputs = match &d_results[0] {
            Some(gradient) => gradient.clone(),
            None => outputs.zeros_like()?,
        };
        let d_last = d_results.get(1).and_then(Option::as_ref);
        let (d_outputs, d_last) = form.d_outputs(&d_outputs, d_last)?;
        let d_states = [d_last.as_ref(), d_results.get(2).and_then(Option::as_ref)];
        let (x, outputs) = (form.input(&self.x)?, form.outputs(outputs)?);
        // cuDNN does not document what it leaves past a row's length.
        let shape = Shape::from((self.lengths.len(), self.x.dim(1)?, input_size));
        let mut dx = [(device.zeros_impl(&shape, dtype)?, shape)];
        let like = |like: &Tensor| uninitialised(device, like.shape(), dtype);
        let mut d_initial: Vec<_> = self.initial.iter().map(like).collect::<Result<_>>()?;
        let n_tensors = self.network.n_tensors();
        let mut d_own = Vec::new();
        for (i, weight) in self.weights.iter().enumerate() {
            let mut shape = weight.shape().clone();
            if form.is_held() && i % n_tensors == 0 {
                shape = Shape::from((weight.dim(0)?, input_size));
            }
            d_own.push(uninitialised(device, shape, dtype)?);
        }

        {
            let x = x.storage_and_layout();
            let outputs = outputs.storage_and_layout();
            let d_outputs = d_outputs.storage_and_layout();
            let initial: Vec<_> = self.initial.iter().map(Tensor::storage_and_layout).collect();
            let d_states = d_states.map(|gradient| gradient.map(Tensor::storage_and_layout));
            let x = Place::of_tensor(&x, stream)?;
            let outputs = Place::of_tensor(&outputs, stream)?;
            let d_outputs = Place::of_tensor(&d_outputs, stream)?;
            let initial: Vec<_> = initial
                .iter()
                .map(|state| Place::of_tensor(state, stream))
                .collect::<Result<_>>()?;
            let d_states: Vec<Option<Place<'_>>> = d_states
                .iter()
                .map(|state| state.as_ref().map(|state| Place::of_tensor(state, stream)))
                .map(Option::transpose)
                .collect::<Result<_>>()?;
            let dx = places(&mut dx, stream)?;
            let d_initial = places(&mut d_initial, stream)?;
            let d_own = places(&mut d_own, stream)?;
            let weights = Place::of_slice(&saved.weights, stream);
            let [work, reserve, d_weights] = [&mut work, &mut reserve, &mut d_weights]
                .map(|bytes| Place::of_slice_mut(bytes, stream));
            let lengths = Place::of_slice(&saved.lengths.told, stream);
            let d_state = |index: usize| d_states.get(index).and_then(Option::as_ref);
            let output_bytes = batch * steps * self.network.output_size() * size;
            let slots = [
                slot(Some(&lengths), told.len() * size_of::<c_int>(), Role::Read),
                slot(Some(&outputs), output_bytes, Role::Read),
                slot(Some(&d_outputs), output_bytes, Role::Read),
                slot(Some(&x), batch * steps * input_size * size, Role::Read),
                slot(dx.first(), batch * steps * input_size * size, Role::Changed),
                slot(initial.first(), h_bytes, Role::Read),
                slot(d_state(0), h_bytes, Role::Read),
                slot(d_initial.first(), h_bytes, Role::Written),
                slot(initial.get(1), c_bytes, Role::Read),
                slot(d_state(1), c_bytes, Role::Read),
                slot(d_initial.get(1), c_bytes, Role::Written),
                slot(Some(&weights), weight_bytes, Role::Read),
                slot(Some(&d_weights), weight_bytes, Role::Changed),
                slot(Some(&work), work_bytes, Role::Scratch),
                slot(Some(&reserve), reserve_bytes, Role::Read),
            ];
            let queue = |at: &[Address]| {
                let at = |index: usize| at[index] as *mut c_void;
                // SAFETY: as in `forward`; the reserve is a copy of what the forward pass left.
                let status = unsafe {
                    sys::cudnnRNNBackwardData_v8(
                        call.handle.raw,
                        call.network.raw,
                        at(0).cast(),
                        call.outputs.raw,
                        at(1),
                        at(2),
                        call.x.raw,
                        at(4),
                        call.h.raw,
                        at(5),
                        at(6),
                        at(7),
                        call.c.raw,
                        at(8),
                        at(9),
                        at(10),
                        weight_bytes,
                        at(11),
                        work_bytes,
                        at(13),
                        reserve_bytes,
                        at(14),
                    )
                };
                check(status, "cudnnRNNBackwardData_v8")?;
                // SAFETY: as above; the previous call put the gates' gradients into the reserve.
                let status = unsafe {
                    sys::cudnnRNNBackwardWeights_v8(
                        call.handle.raw,
                        call.network.raw,
                        sys::cudnnWgradMode_t::CUDNN_WGRAD_MODE_ADD,
                        at(0).cast(),
                        call.x.raw,
                        at(3),
                        call.h.raw,
                        at(5),
                        call.outputs.raw,
                        at(1),
                        weight_bytes,
                        at(12),
                        work_bytes,
                        at(13),
                        reserve_bytes,
                        at(14),
                    )
                };
                check(status, "cudnnRNNBackwardWeights_v8")
            };
            self.make(Pass::Backward, input_size, &told, &slots, queue)?;
            let space = (d_weights.address, weight_bytes);
            let arrangement = Arrangement::of(&call, &self.network, input_size, space)?;
            let d_own: Vec<Address> = d_own.iter().map(|gradient| gradient.address).collect();
            // SAFETY: the tensors are new, in the weights' shapes, and the space has the size that
            // cuDNN reported.
            unsafe { arrangement.scatter(&call, d_weights.address, &d_own) }?;
        }
        let [dx] = dx;
        let weights = d_own
            .into_iter()
            .zip(&self.weights)
            .map(|(gradient, weight)| form.d_weight(gradient, weight.shape()))
            .collect::<Result<_>>()?;
        let x = form.d_input(dx, self.network.input_size)?;
        Ok(Gradients { x, weights, initial: d_initial })
    }
}

/// Memory of the tensors that a call fills.
fn places<'a>(
    tensors: &'a mut [(CudaStorage, Shape)],
    stream: &'a CudaStream,
) -> Result<Vec<Place<'a>>> {
    tensors.iter_mut().map(|(storage, _)| Place::of_storage_mut(storage, stream)).collect()
}

/// A place as a slot of a call; absent if there is none.
fn slot(place: Option<&Place<'_>>, bytes: usize, role: Role) -> Slot {
    match place {
        Some(place) => Slot { address: place.address, bytes, role },
        None => Slot { address: 0, bytes: 0, role },
    }
}
