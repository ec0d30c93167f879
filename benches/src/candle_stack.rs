//! candle-nn's own layers, stacked by hand as its users do.

use anyhow::Result;
use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use candle_nn::rnn::{GRU, GRUConfig, GRUState, LSTM, LSTMConfig, LSTMState, RNN};
use recurrent::{Cell, RecurrentConfig};

use crate::config::PassConfig;
use crate::network::{Gradients, Network, Outputs, Stream, weights};

/// A stack of layers; `hidden` extracts the hidden state `[B, H]` from a layer's state.
struct CandleStack<R: RNN> {
    layers: Vec<R>,
    hidden: fn(&R::State) -> &Tensor,
    hidden_size: usize,
}

pub(crate) fn lstm(
    config: &PassConfig,
    gradients: Gradients,
    device: &Device,
) -> Result<Box<dyn Network>> {
    let layer = |input, hidden, vb| LSTM::new(input, hidden, LSTMConfig::default(), vb);
    let layers = layers(Cell::Lstm, config, (gradients, device), layer)?;
    Ok(Box::new(CandleStack { layers, hidden: LSTMState::h, hidden_size: config.hidden }))
}

pub(crate) fn gru(
    config: &PassConfig,
    gradients: Gradients,
    device: &Device,
) -> Result<Box<dyn Network>> {
    let layer = |input, hidden, vb| GRU::new(input, hidden, GRUConfig::default(), vb);
    let layers = layers(Cell::Gru, config, (gradients, device), layer)?;
    Ok(Box::new(CandleStack { layers, hidden: GRUState::h, hidden_size: config.hidden }))
}

fn layers<R>(
    cell: Cell,
    config: &PassConfig,
    (gradients, device): (Gradients, &Device),
    new: impl Fn(usize, usize, VarBuilder<'static>) -> candle_core::Result<R>,
) -> Result<Vec<R>> {
    (0..config.layers)
        .map(|layer| {
            let input = if layer == 0 { config.input } else { config.hidden };
            // candle-nn's GRU uses only layer 0's names, so each layer has its own builder.
            let vb = weights(cell, &RecurrentConfig::new(input, config.hidden), gradients, device)?;
            Ok(new(input, config.hidden, vb)?)
        })
        .collect()
}

impl<R: RNN + Send + Sync + 'static> Network for CandleStack<R> {
    fn run(&self, x: &Tensor, _lengths: Option<&[usize]>) -> Result<Outputs> {
        let (batch, steps, _) = x.dims3()?;
        let mut outputs = x.clone();
        for layer in &self.layers {
            let states = layer.seq(&outputs)?;
            // The LSTM stacks its steps, the GRU concatenates them: the same numbers.
            outputs = layer.states_to_tensor(&states)?.reshape((batch, steps, self.hidden_size))?;
        }
        let last = outputs.narrow(1, steps - 1, 1)?.transpose(0, 1)?;
        Ok(Outputs { outputs, last })
    }

    fn into_stream(self: Box<Self>, batch: usize) -> Result<Stream> {
        let zeros = self.layers.iter().map(|layer| layer.zero_state(batch));
        let mut states = zeros.collect::<candle_core::Result<Vec<_>>>()?;
        Ok(Box::new(move |x| {
            let mut x = x.clone();
            for (layer, state) in self.layers.iter().zip(&mut states) {
                *state = layer.step(&x, state)?;
                x = (self.hidden)(state).clone();
            }
            Ok(x)
        }))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;
    use recurrent::{Recurrent, SeededRng};

    use super::*;

    /// Both sum the same f32 products, in different orders.
    const TOLERANCE: f32 = 1e-5;

    #[test]
    fn one_layer_of_candle_nn_equals_ours_on_the_same_weights() -> Result<()> {
        let config =
            PassConfig { batch: 3, steps: 4, input: 5, hidden: 6, layers: 1, ..Default::default() };
        let x = SeededRng::new(1).standard_normal((3, 4, 5), DType::F32, &Device::Cpu)?;
        let ours = |cell| -> Result<Box<dyn Network>> {
            let layers = config.recurrent();
            let vb = weights(cell, &layers, Gradients::Unwanted, &Device::Cpu)?;
            Ok(Box::new(Recurrent::new(cell, &layers, vb)?))
        };
        let pairs: [(Box<dyn Network>, Box<dyn Network>); 2] = [
            (lstm(&config, Gradients::Unwanted, &Device::Cpu)?, ours(Cell::Lstm)?),
            (gru(&config, Gradients::Unwanted, &Device::Cpu)?, ours(Cell::Gru)?),
        ];
        for (theirs, ours) in pairs {
            let (theirs, ours) = (theirs.run(&x, None)?, ours.run(&x, None)?);
            for (theirs, ours) in [(theirs.outputs, ours.outputs), (theirs.last, ours.last)] {
                assert_eq!(theirs.dims(), ours.dims());
                let difference = (theirs - ours)?.abs()?.max_all()?.to_scalar::<f32>()?;
                assert!(difference < TOLERANCE, "{difference}");
            }
        }
        Ok(())
    }
}
