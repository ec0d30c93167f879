//! The plain form of a network, in candle's tensor operations, step by step.
//!
//! It is for reading and comparing; it also serves every device and dtype without a fused kernel. Formulas:
//! [torch.nn.RNN](https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html),
//! [LSTM](https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html),
//! [GRU](https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html).

use candle_core::{D, Result, Tensor};
use candle_nn::ops::sigmoid;

use crate::cell::Cell;
use crate::dropout::{DropoutMasks, dropout};
use crate::lengths::Lengths;

use crate::run::{Run, StackOutput};
use crate::weights::LayerWeights;

pub(crate) fn run(
    run: &Run<'_>,
    initial: &[Tensor],
    mut masks: Option<&mut dyn DropoutMasks>,
) -> Result<StackOutput> {
    let mut x = run.x.clone();
    // By layer and direction, then by state tensor.
    let mut final_states: Vec<Vec<Tensor>> = Vec::new();
    let mut between = Vec::new();
    for (layer, directions) in run.weights.iter().enumerate() {
        let mut outputs = Vec::with_capacity(directions.len());
        for (direction, weights) in directions.iter().enumerate() {
            // A copy: the backward pass reads the weights of this pass, even if variables change until then.
            let weights = &weights.map(Tensor::copy)?;
            let of_this = |state: &Tensor| state.get(final_states.len())?.contiguous();
            let states = initial.iter().map(of_this);
            let states = states.collect::<Result<Vec<_>>>()?;
            let pass = LayerPass { cell: run.cell, weights, lengths: run.lengths };
            let (output, states) = pass.run(&x, states, direction == 1)?;
            outputs.push(output);
            final_states.push(states);
        }
        x = if outputs.len() == 1 {
            outputs.swap_remove(0)
        } else {
            Tensor::cat(&outputs, D::Minus1)?
        };
        let is_last = layer + 1 == run.weights.len();
        if !is_last {
            between.push(x.clone());
        }
        if let (false, Some(masks)) = (is_last, masks.as_deref_mut()) {
            x = dropout(masks, &x, run.config.dropout)?;
        }
    }
    let of_state = |state: usize| {
        let by_layer: Vec<&Tensor> = final_states.iter().map(|states| &states[state]).collect();
        Tensor::stack(&by_layer, 0)
    };
    let states = (0..initial.len()).map(of_state).collect::<Result<_>>()?;
    Ok(StackOutput { outputs: x, states, between })
}

/// One layer in one direction.
struct LayerPass<'a> {
    cell: Cell,
    weights: &'a LayerWeights,
    lengths: &'a Lengths,
}

impl LayerPass<'_> {
    /// Takes `x [B, T, I]` and states `[B, H]` (a projected `h`: `[B, P]`), returns outputs
    /// `[B, T, H]` or `[B, T, P]`, zero past each row's length, and the final states.
    fn run(
        &self,
        x: &Tensor,
        mut states: Vec<Tensor>,
        reverse: bool,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let (batch, steps, _) = x.dims3()?;
        let mut outputs = vec![states[0].zeros_like()?; steps];
        for index in 0..steps {
            let time = if reverse { steps - 1 - index } else { index };
            // On a CUDA device, products need rows without gaps between them.
            let now = x.narrow(1, time, 1)?.squeeze(1)?.contiguous()?;
            let new = self.step(&now, &states)?;
            if self.lengths.all_full {
                outputs[time] = new[0].clone();
                states = new;
                continue;
            }
            // A row without a real token at this step keeps its state and outputs zeros.
            let real: Vec<u8> =
                self.lengths.by_row.iter().map(|&length| u8::from(time < length)).collect();
            let real = Tensor::from_vec(real, (batch, 1), x.device())?;
            let choose =
                |new: &Tensor, old: &Tensor| real.broadcast_as(new.shape())?.where_cond(new, old);
            outputs[time] = choose(&new[0], &outputs[time])?;
            for (state, new) in states.iter_mut().zip(&new) {
                *state = choose(new, state)?;
            }
        }
        Ok((Tensor::stack(&outputs, 1)?, states))
    }

    /// The states after one step with `x [B, I]`.
    fn step(&self, x: &Tensor, states: &[Tensor]) -> Result<Vec<Tensor>> {
        let (h, weights) = (&states[0], self.weights);
        let mut input = x.matmul(&weights.input.t()?)?;
        let mut recurrent = h.matmul(&weights.recurrent.t()?)?;
        if let Some((input_bias, recurrent_bias)) = &weights.biases {
            input = input.broadcast_add(input_bias)?;
            recurrent = recurrent.broadcast_add(recurrent_bias)?;
        }
        let gates = |tensor: &Tensor| tensor.chunk(self.cell.n_gates(), D::Minus1);
        Ok(match self.cell {
            Cell::RnnTanh => vec![(input + recurrent)?.tanh()?],
            Cell::RnnRelu => vec![(input + recurrent)?.relu()?],
            Cell::Lstm => {
                let gates = gates(&(input + recurrent)?)?;
                let (i, f) = (sigmoid(&gates[0])?, sigmoid(&gates[1])?);
                let (g, o) = (gates[2].tanh()?, sigmoid(&gates[3])?);
                let c = ((f * &states[1])? + (i * g)?)?;
                let h = (o * c.tanh()?)?;
                let h = match &weights.projection {
                    Some(projection) => h.matmul(&projection.t()?)?,
                    None => h,
                };
                vec![h, c]
            }
            Cell::Gru => {
                let (input, recurrent) = (gates(&input)?, gates(&recurrent)?);
                let r = sigmoid(&(&input[0] + &recurrent[0])?)?;
                let z = sigmoid(&(&input[1] + &recurrent[1])?)?;
                let n = (&input[2] + (r * &recurrent[2])?)?.tanh()?;
                // (1 - z) n + z h
                vec![((h - &n)? * z)?.add(&n)?]
            }
            Cell::GruResetBefore => self.reset_before_step(x, h)?,
        })
    }

    /// The GRU of Cho et al. 2014 ([Learning phrase representations using RNN
    /// encoder-decoder](https://arxiv.org/abs/1406.1078)), whose reset gate acts before the product.
    fn reset_before_step(&self, x: &Tensor, h: &Tensor) -> Result<Vec<Tensor>> {
        let weights = self.weights;
        let mut input = x.matmul(&weights.input.t()?)?;
        if let Some((input_bias, recurrent_bias)) = &weights.biases {
            input = input.broadcast_add(&(input_bias + recurrent_bias)?)?;
        }
        let (input, recurrent) = (input.chunk(3, D::Minus1)?, weights.recurrent.chunk(3, 0)?);
        let gate = |index: usize, h: &Tensor| &input[index] + h.matmul(&recurrent[index].t()?)?;
        let (r, z) = (sigmoid(&gate(0, h)?)?, sigmoid(&gate(1, h)?)?);
        let n = gate(2, &(r * h)?)?.tanh()?;
        Ok(vec![((h - &n)? * z)?.add(&n)?])
    }
}
