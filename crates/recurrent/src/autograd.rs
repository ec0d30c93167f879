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
//!
//! Several threads may run backward on one graph, and a run may fail half-way. So a gradient at the counter
//! knows who left it, and whether the run in which it was left still goes on: the ticket's gradient, which the
//! run holds until it reaches the hub, holds a token, and is gone with it if the run fails. The hub takes what
//! its own thread has left and whose run goes on; it reads no ticket, since on a GPU that would be to wait for
//! all that is queued there. After the hub, a thread takes what the hub left for it last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::{self, ThreadId};

use candle_core::backend::BackendDevice;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, DType, Layout, Result, Shape, Storage, Tensor,
};

/// A tensor's numbers without a graph.
pub(crate) type Numbers = (Storage, Shape);

/// The backward pass of an operation.
pub(crate) trait Backward: Send + Sync + 'static {
    /// Gradients of the inputs, given the outputs (without a graph) and their contiguous gradients; an
    /// output that nothing depends on has no gradient.
    fn backward(
        &self,
        outputs: &[Tensor],
        d_outputs: &[Option<Tensor>],
    ) -> Result<Vec<Option<Numbers>>>;
}

/// Turns `outputs` into tensors whose gradients reach `inputs` through `backward`. All are on one
/// device, the CPU or a CUDA device.
///
/// A graph may run backward any number of times, from any number of threads. Its gradients have no
/// derivative themselves: running backward through them is an error.
pub(crate) fn record(
    inputs: &[&Tensor],
    outputs: Vec<Numbers>,
    backward: impl Backward,
) -> Result<Vec<Tensor>> {
    let n_outputs = outputs.len();
    let counter = Arc::new(Counter {
        backward: Box::new(backward),
        outputs: OnceLock::new(),
        n_outputs,
        left: Mutex::default(),
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
        .map(|(index, output)| {
            let output = Handover::new(output);
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
    n_outputs: usize,
    left: Mutex<Left>,
}

/// What is left at the counter.
#[derive(Default)]
struct Left {
    d_outputs: Vec<Deposit>,
    /// Gradients of inputs, for the thread that ran the hub last.
    d_inputs: HashMap<ThreadId, Vec<Option<Numbers>>>,
}

/// The gradient of an output, left by its exit.
struct Deposit {
    index: usize,
    gradient: Tensor,
    thread: ThreadId,
    /// The token of the run in which it was left.
    run: Weak<()>,
}

impl Counter {
    fn left(&self) -> MutexGuard<'_, Left> {
        lock(&self.left)
    }

    /// The gradients that a thread's run has left, by output.
    fn take_d_outputs(&self, thread: ThreadId) -> Vec<Option<Tensor>> {
        let mut left = self.left();
        left.d_inputs.remove(&thread);
        // What is left of runs that failed is dropped.
        let (own, of_others): (Vec<Deposit>, _) = std::mem::take(&mut left.d_outputs)
            .into_iter()
            .filter(|deposit| deposit.run.strong_count() > 0)
            .partition(|deposit| deposit.thread == thread);
        left.d_outputs = of_others;
        drop(left);
        let mut d_outputs = vec![None; self.n_outputs];
        for deposit in own {
            d_outputs[deposit.index] = Some(deposit.gradient);
        }
        d_outputs
    }
}

/// Ignores poisoning: what is left is consistent whenever it is not locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A ticket: numbers that only exist to have gradients.
fn ticket(len: usize) -> (CpuStorage, Shape) {
    (CpuStorage::F64(vec![0.0; len]), Shape::from(len))
}

fn cuda_ticket(len: usize, beside: &CudaStorage) -> Result<(CudaStorage, Shape)> {
    use candle_core::backend::BackendStorage as _;

    let shape = Shape::from(len);
    // SAFETY: what the numbers are does not matter.
    Ok((unsafe { beside.device().alloc_uninit(&shape, DType::F64) }?, shape))
}

/// Numbers that an operation hands out once.
struct Handover(Mutex<Option<Numbers>>);

impl Handover {
    fn new(numbers: Numbers) -> Self {
        Self(Mutex::new(Some(numbers)))
    }

    fn take(&self) -> Result<Numbers> {
        let numbers = lock(&self.0).take();
        numbers.ok_or_else(|| candle_core::Error::msg("the numbers were already handed out"))
    }

    fn on_cpu(&self) -> Result<(CpuStorage, Shape)> {
        match self.take()? {
            (Storage::Cpu(storage), shape) => Ok((storage, shape)),
            _ => candle_core::bail!("the operation is on the CPU, but its numbers are not"),
        }
    }

    fn on_cuda(&self) -> Result<(CudaStorage, Shape)> {
        match self.take()? {
            (Storage::Cuda(storage), shape) => Ok((storage, shape)),
            _ => candle_core::bail!("the operation is on a CUDA device, but its numbers are not"),
        }
    }
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
        Ok(ticket(1))
    }

    fn cuda_fwd(&self, beside: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        cuda_ticket(1, beside)
    }

    fn bwd(&self, input: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        let mut left = self.counter.left();
        let d_inputs = left.d_inputs.get_mut(&thread::current().id());
        let gradient = d_inputs.and_then(|d_inputs| d_inputs[self.index].take());
        drop(left);
        gradient.map(|numbers| input.apply_op1(FirstDerivative(Handover::new(numbers)))).transpose()
    }
}

struct Hub(Arc<Counter>);

impl CustomOp1 for Hub {
    fn name(&self) -> &'static str {
        "recurrent"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(ticket(self.0.n_outputs))
    }

    fn cuda_fwd(&self, beside: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        cuda_ticket(self.0.n_outputs, beside)
    }

    fn bwd(&self, tickets: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        let own = thread::current().id();
        let d_outputs = self.0.take_d_outputs(own);
        if d_outputs.iter().all(Option::is_none) {
            candle_core::bail!(
                "the gradients of the recurrent layers' outputs were lost on the way"
            );
        }
        let d_outputs: Vec<Option<Tensor>> = d_outputs
            .into_iter()
            .map(|gradient| gradient.map(|gradient| gradient.contiguous()).transpose())
            .collect::<Result<_>>()?;
        let outputs = self.0.outputs.get().map_or(&[][..], |outputs| outputs);
        let d_inputs = self.0.backward.backward(outputs, &d_outputs)?;
        self.0.left().d_inputs.insert(own, d_inputs);
        Ok(Some(tickets.zeros_like()?))
    }
}

struct Exit {
    counter: Arc<Counter>,
    index: usize,
    output: Handover,
}

impl CustomOp1 for Exit {
    fn name(&self) -> &'static str {
        "recurrent-output"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.output.on_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.output.on_cuda()
    }

    fn bwd(&self, hub: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let token = Arc::new(());
        self.counter.left().d_outputs.push(Deposit {
            index: self.index,
            gradient: gradient.clone(),
            thread: thread::current().id(),
            run: Arc::downgrade(&token),
        });
        Ok(Some(hub.apply_op1(Token { _token: token, n_outputs: self.counter.n_outputs })?))
    }
}

/// A ticket's gradient: zeros that hold a run's token. As an operation on the hub it is part of the graph of every
/// sum that it enters, so it lives until the run has reached the hub or failed. (While the hub's turn lasts, candle
/// keeps the sum that it has taken from its store. If it dropped it before, no gradient would be found, and the hub
/// says so.)
struct Token {
    _token: Arc<()>,
    n_outputs: usize,
}

impl CustomOp1 for Token {
    fn name(&self) -> &'static str {
        "recurrent-token"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(ticket(self.n_outputs))
    }

    fn cuda_fwd(&self, beside: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        cuda_ticket(self.n_outputs, beside)
    }
}

/// A gradient that knows it has no derivative: an operation on its input whose backward pass is an error.
/// Without it, a second derivative would silently lack this part.
struct FirstDerivative(Handover);

impl CustomOp1 for FirstDerivative {
    fn name(&self) -> &'static str {
        "recurrent-gradient"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.0.on_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.0.on_cuda()
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        candle_core::bail!(
            "the fused recurrent layers have no second derivative; use Backend::Reference, or detach \
             the gradient"
        )
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
        ) -> Result<Vec<Option<Numbers>>> {
            assert_eq!(outputs[1].to_vec1::<f64>()?, [(&self.0 * &self.1)?.to_vec1::<f64>()?[0]]);
            let zero = self.0.zeros_like()?;
            let d_sum = d_outputs[0].as_ref().unwrap_or(&zero);
            let d_product = d_outputs[1].as_ref().unwrap_or(&zero);
            let numbers = |x: Tensor| -> Result<Option<Numbers>> {
                Ok(Some((Storage::Cpu(CpuStorage::F64(x.to_vec1()?)), Shape::from(1))))
            };
            Ok(vec![
                numbers((d_sum + (d_product * &self.1)?)?)?,
                numbers((d_sum + (d_product * &self.0)?)?)?,
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

    #[test]
    fn threads_that_run_backward_on_one_graph_do_not_mix_gradients() -> Result<()> {
        let (a, b) = (Var::new(&[3.0], &Device::Cpu)?, Var::new(&[5.0], &Device::Cpu)?);
        let outputs = sum_and_product(&a, &b)?;
        let run = |seed: usize| -> Result<()> {
            // d loss / d sum = x, d loss / d product = y; either may be missing.
            for round in 0..300 {
                let (x, y) = ((seed + 1) as f64, (round * 7 + seed) as f64);
                let loss = match (seed + round) % 3 {
                    0 => (&outputs[0] * x)?,
                    1 => (&outputs[1] * y)?,
                    _ => ((&outputs[0] * x)? + (&outputs[1] * y)?)?,
                };
                let x = if (seed + round) % 3 == 1 { 0.0 } else { x };
                let y = if (seed + round).is_multiple_of(3) { 0.0 } else { y };
                let gradients = loss.backward()?;
                let got = gradients.get(&a).map(|g| g.to_vec1::<f64>()).transpose()?;
                assert_eq!(got, Some(vec![x + 5.0 * y]));
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|seed| scope.spawn(move || run(seed))).collect();
            threads.into_iter().try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(_) => candle_core::bail!("a thread saw another's gradients"),
            })
        })
    }

    /// Passes its input on, and fails in its backward pass.
    struct Fails;

    impl CustomOp1 for Fails {
        fn name(&self) -> &'static str {
            "fails"
        }

        fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
            Ok((x.clone(), layout.shape().clone()))
        }

        fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
            candle_core::bail!("as it should")
        }
    }

    #[test]
    fn a_backward_pass_that_failed_leaves_nothing_behind() -> Result<()> {
        let (a, b) = (Var::new(&[3.0], &Device::Cpu)?, Var::new(&[5.0], &Device::Cpu)?);
        let outputs = sum_and_product(&a, &b)?;
        // Either operand may run backward first; in one of the orders an output's gradient is left.
        let failing = outputs[1].apply_op1(Fails)?;
        for loss in [(&outputs[0] + &failing)?, (&failing + &outputs[0])?] {
            assert!(loss.backward().is_err());
            let gradients = outputs[1].backward()?;
            let got = gradients.get(&a).map(|g| g.to_vec1::<f64>()).transpose()?;
            assert_eq!(got, Some(vec![5.0]));
        }
        Ok(())
    }

    #[test]
    fn a_second_derivative_is_refused() -> Result<()> {
        let a = Var::new(&[3.0], &Device::Cpu)?;
        let b = Tensor::new(&[5.0], &Device::Cpu)?;
        let product = &sum_and_product(&a, &b)?[1];
        let gradients = product.backward()?;
        let Some(gradient) = gradients.get(&a) else { candle_core::bail!("no gradient") };
        let error = gradient.sqr()?.backward().map(drop);
        assert!(error.is_err_and(|error| error.to_string().contains("no second derivative")));
        Ok(())
    }
}
