//! Builds the network that a configuration describes.

use anyhow::{Result, bail, ensure};
use candle_core::Device;
use recurrent::Recurrent;

use crate::candle_stack;
use crate::config::{Cell, Implementation, Instructions, Lengths, PassConfig, Place};
use crate::network::{Gradients, Network, weights};

/// Builds the network for a configuration with random weights. They are variables if they need
/// `gradients`, else plain tensors, so that nothing is kept for a backward pass.
///
/// # Errors
/// If the implementation does not support the configuration.
pub fn build(
    config: &PassConfig,
    gradients: Gradients,
    device: &Device,
) -> Result<Box<dyn Network>> {
    ensure!(
        config.device == Place::Cpu || config.instructions == Instructions::Auto,
        "--instructions applies only to CPUs; leave it out with --device cuda"
    );
    ensure!(
        config.cudnn.is_none() || config.device == Place::Cuda,
        "--cudnn applies only to CUDA devices; add --device cuda"
    );
    ensure!(
        config.backend == Implementation::Fused || config.instructions == Instructions::Auto,
        "--instructions applies only to the fused kernels; leave it out, or use --backend fused"
    );
    if config.backend == Implementation::CandleNn {
        ensure!(
            !config.bidirectional,
            "the candle-nn stack has only one direction; leave --bidirectional out"
        );
        ensure!(config.projection == 0, "candle-nn has no projections; leave --projection out");
        ensure!(
            config.lengths == Lengths::Full,
            "candle-nn does not support lengths; use --lengths full"
        );
        return match config.cell {
            Cell::Lstm => candle_stack::lstm(config, gradients, device),
            Cell::Gru => candle_stack::gru(config, gradients, device),
            Cell::Rnn | Cell::GruResetBefore => {
                bail!("candle-nn has no such layer; use --cell lstm or gru")
            }
        };
    }
    let (layers, cell) = (config.recurrent(), config.recurrent_cell());
    let vb = weights(cell, &layers, gradients, device)?;
    let network = Recurrent::new(cell, &layers, vb)?.with_backend(config.backend());
    Ok(Box::new(match gradients {
        Gradients::Wanted => network,
        Gradients::Unwanted => network.freeze()?,
    }))
}
