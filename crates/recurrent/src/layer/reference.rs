//! The plain form of a pass, in candle's tensor operations, one step after the other.
//!
//! It is here to be read and to be compared with; it also serves every device and dtype that has
//! no fused kernel, and the LSTM with a projection. Formulas:
//! [torch.nn.RNN](https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html),
//! [LSTM](https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html),
//! [GRU](https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html).

use candle_core::{D, Result, Tensor};
use candle_nn::ops::sigmoid;

use super::{LayerPass, LayerResult, LayerWeights};
use crate::cell::Cell;

pub(super) fn run(pass: &LayerPass<'_>) -> LayerResult {
    let (batch, steps, _) = pass.x.dims3()?;
    let hidden = pass.state.dim(2)?;
    let mut states =
        (0..pass.cell.n_states()).map(|i| pass.state.get(i)).collect::<Result<Vec<_>>>()?;
    if let Some(projection) = &pass.weights.projection {
        states[0] = states[0].narrow(1, 0, projection.dim(0)?)?.contiguous()?;
    }
    let mut outputs = vec![states[0].zeros_like()?; steps];
    for index in 0..steps {
        let time = if pass.reverse { steps - 1 - index } else { index };
        let x = pass.x.narrow(1, time, 1)?.squeeze(1)?;
        let new = step(pass.cell, pass.weights, &x, &states)?;
        if pass.lengths.all_full {
            outputs[time] = new[0].clone();
            states = new;
            continue;
        }
        // A row without a real token here keeps its state and puts out zeros.
        let real: Vec<u8> =
            pass.lengths.by_row.iter().map(|&length| u8::from(time < length)).collect();
        let real = Tensor::from_vec(real, (batch, 1), pass.x.device())?;
        let choose =
            |new: &Tensor, old: &Tensor| real.broadcast_as(new.shape())?.where_cond(new, old);
        outputs[time] = choose(&new[0], &outputs[time])?;
        for (state, new) in states.iter_mut().zip(&new) {
            *state = choose(new, state)?;
        }
    }
    states[0] = states[0].pad_with_zeros(1, 0, hidden - states[0].dim(1)?)?;
    Ok((Tensor::stack(&outputs, 1)?, Tensor::stack(&states, 0)?))
}

/// The new states after one step: `x [B, I]`, each state `[B, H]`, a projected `h` `[B, P]`.
fn step(cell: Cell, weights: &LayerWeights, x: &Tensor, states: &[Tensor]) -> Result<Vec<Tensor>> {
    let h = &states[0];
    let mut input = x.matmul(&weights.input.t()?)?;
    let mut recurrent = h.matmul(&weights.recurrent.t()?)?;
    if let Some((input_bias, recurrent_bias)) = &weights.biases {
        input = input.broadcast_add(input_bias)?;
        recurrent = recurrent.broadcast_add(recurrent_bias)?;
    }
    let gates = |tensor: &Tensor| tensor.chunk(cell.n_gates(), D::Minus1);
    Ok(match cell {
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
    })
}
