//! An operation in candle's autograd with any number of inputs and outputs.
//!
//! Candle's own custom operations take up to three tensors and return one. A recurrent network has
//! dozens of parameters and returns outputs and states; joining and slicing them with candle's
//! operations would copy all of them several times, forward and backward. So the numbers stay out
//! of the graph. Its nodes pass on tickets, tensors of one number:
//!
//! ```text
//! input 0 ── Entrance ─┐                     ┌─ Exit ── output 0
//! input 1 ── Entrance ─┼─ cat ──── Hub ──────┼─ Exit ── output 1
//! ...                  │                     │
//! ```
//!
//! Backward, each exit leaves its gradient at the counter, the hub runs the operation's backward
//! pass on these gradients and leaves the inputs' gradients there, and each entrance takes its own.
//! Candle walks the graph from its end, so they run in this order.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, DType, Layout, Result, Shape, Storage, Tensor,
};

/// The backward pass of an operation.
pub(crate) trait Backward: Send + Sync + 'static {
    /// Gradients of the inputs, given the outputs (without a graph) and their contiguous gradients; an
    /// output that nothing depends on has no gradient.
    fn backward(
        &self,
        outputs: &[Tensor],
        d_outputs: &[Option<Tensor>],
    ) -> Result<Vec<Option<Tensor>>>;
}

/// Turns `outputs` into tensors whose gradients reach `inputs` through `backward`. All are on one
/// device, the CPU or a CUDA device.
///
/// A graph may run backward any number of times, but not from two threads at once.
pub(crate) fn record(
    inputs: &[&Tensor],
    outputs: Vec<(Storage, Shape)>,
    backward: impl Backward,
) -> Result<Vec<Tensor>> {
    let counter = Arc::new(Counter {
        backward: Box::new(backward),
        outputs: OnceLock::new(),
        d_outputs: Mutex::new(vec![None; outputs.len()]),
        d_inputs: Mutex::new(vec![None; inputs.len()]),
    });
    let tickets: Vec<Tensor> = inputs
        .iter()
        .enumerate()
        .filter(|(_, input)| input.track_op())
        .map(|(index, input)| input.apply_op1(Entrance { counter: Arc::clone(&counter), index }))
        .collect::<Result<_>>()?;
    let hub = Tensor::cat(&tickets, 0)?.apply_op1(Hub(Arc::clone(&counter)))?;
    let outputs: Vec<Tensor> = outputs
        .into_iter()
        .enumerate()
        .map(|(index, (storage, shape))| {
            let output = Mutex::new(Some((storage, shape)));
            hub.apply_op1(Exit { counter: Arc::clone(&counter), index, output })
        })
        .collect::<Result<_>>()?;
    // Without their graphs, or the counter would own itself.
    let _ = counter.outputs.set(outputs.iter().map(Tensor::detach).collect());
    Ok(outputs)
}

/// Where gradients change hands.
struct Counter {
    backward: Box<dyn Backward>,
    outputs: OnceLock<Vec<Tensor>>,
    d_outputs: Mutex<Vec<Option<Tensor>>>,
    d_inputs: Mutex<Vec<Option<Tensor>>>,
}

/// Ignores poisoning: a list of gradients is consistent whenever it is not locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ticket() -> (CpuStorage, Shape) {
    (CpuStorage::F32(vec![0.0]), Shape::from(1))
}

fn cuda_ticket(beside: &CudaStorage) -> Result<(CudaStorage, Shape)> {
    let shape = Shape::from(1);
    Ok((beside.device().zeros_impl(&shape, DType::F32)?, shape))
}

struct Entrance {
    counter: Arc<Counter>,
    index: usize,
}

impl CustomOp1 for Entrance {
    fn name(&self) -> &'static str {
        "recurrent-input"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(ticket())
    }

    fn cuda_fwd(&self, beside: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        cuda_ticket(beside)
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(lock(&self.counter.d_inputs)[self.index].take())
    }
}

struct Hub(Arc<Counter>);

impl CustomOp1 for Hub {
    fn name(&self) -> &'static str {
        "recurrent"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(ticket())
    }

    fn cuda_fwd(&self, beside: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        cuda_ticket(beside)
    }

    fn bwd(&self, tickets: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        let n_outputs = lock(&self.0.d_outputs).len();
        let d_outputs = std::mem::replace(&mut *lock(&self.0.d_outputs), vec![None; n_outputs]);
        let d_outputs: Vec<Option<Tensor>> = d_outputs
            .into_iter()
            .map(|gradient| gradient.map(|gradient| gradient.contiguous()).transpose())
            .collect::<Result<_>>()?;
        let outputs = self.0.outputs.get().map_or(&[][..], |outputs| outputs);
        let d_inputs = self.0.backward.backward(outputs, &d_outputs);
        *lock(&self.0.d_inputs) = d_inputs?;
        Ok(Some(tickets.zeros_like()?))
    }
}

struct Exit {
    counter: Arc<Counter>,
    index: usize,
    output: Mutex<Option<(Storage, Shape)>>,
}

impl Exit {
    fn hand_out(&self) -> Result<(Storage, Shape)> {
        let output = lock(&self.output).take();
        output.ok_or_else(|| candle_core::Error::msg("the output was already taken"))
    }
}

impl CustomOp1 for Exit {
    fn name(&self) -> &'static str {
        "recurrent-output"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        match self.hand_out()? {
            (Storage::Cpu(storage), shape) => Ok((storage, shape)),
            _ => candle_core::bail!("the operation is on the CPU, but its output is not"),
        }
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        match self.hand_out()? {
            (Storage::Cuda(storage), shape) => Ok((storage, shape)),
            _ => candle_core::bail!("the operation is on a CUDA device, but its output is not"),
        }
    }

    fn bwd(&self, hub: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        lock(&self.counter.d_outputs)[self.index] = Some(gradient.clone());
        Ok(Some(hub.zeros_like()?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    /// Outputs a + b and a · b for two numbers a and b.
    struct SumAndProduct(Tensor, Tensor);

    impl Backward for SumAndProduct {
        fn backward(
            &self,
            outputs: &[Tensor],
            d_outputs: &[Option<Tensor>],
        ) -> Result<Vec<Option<Tensor>>> {
            assert_eq!(outputs[1].to_vec1::<f64>()?, [(&self.0 * &self.1)?.to_vec1::<f64>()?[0]]);
            let zero = self.0.zeros_like()?;
            let d_sum = d_outputs[0].as_ref().unwrap_or(&zero);
            let d_product = d_outputs[1].as_ref().unwrap_or(&zero);
            Ok(vec![
                Some((d_sum + (d_product * &self.1)?)?),
                Some((d_sum + (d_product * &self.0)?)?),
            ])
        }
    }

    fn sum_and_product(a: &Tensor, b: &Tensor) -> Result<Vec<Tensor>> {
        let (sum, product) = ((a + b)?.to_vec1::<f64>()?, (a * b)?.to_vec1::<f64>()?);
        let outputs = [sum, product].map(|x| (Storage::Cpu(CpuStorage::F64(x)), Shape::from(1)));
        record(&[a, b], outputs.into(), SumAndProduct(a.detach(), b.detach()))
    }

    #[test]
    fn gradients_pass_through_whatever_outputs_are_used() -> Result<()> {
        let (a, b) = (Var::new(&[3.0], &Device::Cpu)?, Var::new(&[5.0], &Device::Cpu)?);
        let outputs = sum_and_product(&a, &b)?;
        let both = (outputs[0].sqr()? + &outputs[1])?;
        for (loss, expected) in
            [(&outputs[0], [1.0, 1.0]), (&outputs[1], [5.0, 3.0]), (&both, [21.0, 19.0])]
        {
            // Twice, because a graph may run backward more than once.
            for _ in 0..2 {
                let gradients = loss.backward()?;
                let got = [&a, &b].map(|x| gradients.get(x).map(|g| g.to_vec1::<f64>()));
                for (got, expected) in got.into_iter().zip(expected) {
                    assert_eq!(got.transpose()?, Some(vec![expected]));
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_constant_input_gets_no_gradient_and_chains_work() -> Result<()> {
        let a = Var::new(&[2.0], &Device::Cpu)?;
        let b = Tensor::new(&[7.0], &Device::Cpu)?;
        let first = sum_and_product(&a, &b)?;
        let second = sum_and_product(&first[0], &first[1])?;
        // (a + b) · a b, differentiated by a: 2 a b + b².
        let gradients = second[1].backward()?;
        assert_eq!(gradients.get(&a).map(|g| g.to_vec1::<f64>()).transpose()?, Some(vec![77.0]));
        assert!(gradients.get(&b).is_none());
        Ok(())
    }
}
