//! What to time: a network, its input, and one of its passes.

use anyhow::{Context as _, Result};
use candle_core::Device;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use recurrent::{
    Backend, CudnnAlgorithm, CudnnLayout, CudnnLengths, CudnnPlan, InstructionSet, RecurrentConfig,
};

use crate::lengths;

/// One pass of one network. The flags and their defaults match those of the Python programs in
/// `benches/peers`, so that the same flags mean the same computation to all of them.
#[derive(Debug, Clone, Args)]
pub struct PassConfig {
    /// Kind of layer; rnn uses tanh
    #[arg(long, value_enum, default_value = "lstm")]
    pub cell: Cell,
    /// Rows per batch
    #[arg(long, default_value = "50", value_parser = at_least_one())]
    pub batch: usize,
    /// Steps of each row; in mode step, the number of steps to average over
    #[arg(long, default_value = "200", value_parser = at_least_one())]
    pub steps: usize,
    /// Features of each step of the input
    #[arg(long, default_value = "400", value_parser = at_least_one())]
    pub input: usize,
    /// Features of the hidden state
    #[arg(long, default_value = "256", value_parser = at_least_one())]
    pub hidden: usize,
    /// Number of stacked layers
    #[arg(long, default_value = "2", value_parser = at_least_one())]
    pub layers: usize,
    /// Also read each row from its end
    #[arg(long)]
    pub bidirectional: bool,
    /// Size of the projection of an LSTM's hidden state; 0 for none
    #[arg(long, default_value = "0", value_name = "SIZE")]
    pub projection: usize,
    /// The pass to time
    #[arg(long, value_enum, default_value = "training")]
    pub mode: Mode,
    /// How many of a row's steps are real
    #[arg(long, value_enum, default_value = "full")]
    pub lengths: Lengths,
    /// The outputs whose sum is the loss of a training pass
    #[arg(long, value_enum, default_value = "last")]
    pub loss: Loss,
    /// The implementation to time
    #[arg(long, value_enum, default_value = "fused")]
    pub backend: Implementation,
    /// Instruction set of the fused kernels
    #[arg(long, value_enum, default_value = "auto")]
    pub instructions: Instructions,
    /// Device of the tensors; cuda is the first CUDA device
    #[arg(long, value_enum, default_value = "cpu")]
    pub device: Place,
    /// On a CUDA device, how cuDNN is asked: algorithm (standard, persist, small-h), lengths (told, held) and layout
    /// (batch, time), such as small-h,held,batch [default: what our layers choose]
    #[arg(long, value_name = "PLAN", value_parser = cudnn_plan)]
    pub cudnn: Option<CudnnPlan>,
}

/// Reads a plan from its three words.
fn cudnn_plan(text: &str) -> Result<CudnnPlan, String> {
    let words: Vec<&str> = text.split(',').collect();
    let [algorithm, lengths, layout] = *words else {
        return Err(
            "expected algorithm, lengths and layout, such as small-h,held,batch".to_string()
        );
    };
    Ok(CudnnPlan {
        algorithm: match algorithm {
            "standard" => CudnnAlgorithm::Standard,
            "persist" => CudnnAlgorithm::PersistStatic,
            "small-h" => CudnnAlgorithm::PersistStaticSmallH,
            _ => return Err(format!("{algorithm:?} is not standard, persist or small-h")),
        },
        lengths: match lengths {
            "told" => CudnnLengths::Told,
            "held" => CudnnLengths::Held,
            _ => return Err(format!("{lengths:?} is not told or held")),
        },
        layout: match layout {
            "batch" => CudnnLayout::BatchMajor,
            "time" => CudnnLayout::TimeMajor,
            _ => return Err(format!("{layout:?} is not batch or time")),
        },
    })
}

/// Kind of layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cell {
    /// Long short-term memory
    Lstm,
    /// Gated recurrent unit
    Gru,
    /// Gated recurrent unit whose reset gate acts before the recurrent product
    GruResetBefore,
    /// Plain recurrent network with tanh
    Rnn,
}

/// The pass to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Forward, then backward from the sum of each row's last outputs to the input and all weights
    Training,
    /// Forward, without gradients
    Forward,
    /// One step of a stream, which carries its state; use with --batch 1
    Step,
}

/// How many of a row's steps are real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lengths {
    /// All
    Full,
    /// Evenly spread from 20 % to 120 % of the steps, cut to the steps (for 200: 40 to 200, mean
    /// 135), short and long rows alternating
    Mixed,
}

/// The loss of a training pass: a sum of outputs of the top layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Loss {
    /// Those of each row's last step, as in text classification; most steps of the top layer's
    /// reverse direction then have no gradient
    Last,
    /// All of them, as with pooling over time
    All,
}

/// The implementation to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Implementation {
    /// Our fused kernels
    Fused,
    /// Our plain form in candle's operations
    Reference,
    /// Stacked layers of `candle_nn::rnn`; lstm and gru, one direction, full lengths
    CandleNn,
}

/// Instruction set of the fused kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Instructions {
    /// The best that this CPU supports
    Auto,
    /// AVX-512
    Avx512,
    /// AVX2
    Avx2,
    /// The target's baseline
    Portable,
}

/// Device of the tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Place {
    /// The CPU
    Cpu,
    /// The first CUDA device; needs a build with the feature cuda
    Cuda,
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

impl Default for PassConfig {
    /// The defaults of the flags.
    fn default() -> Self {
        Self {
            cell: Cell::Lstm,
            batch: 50,
            steps: 200,
            input: 400,
            hidden: 256,
            layers: 2,
            bidirectional: false,
            projection: 0,
            mode: Mode::Training,
            lengths: Lengths::Full,
            loss: Loss::Last,
            backend: Implementation::Fused,
            instructions: Instructions::Auto,
            device: Place::Cpu,
            cudnn: None,
        }
    }
}

impl PassConfig {
    /// The layers' configuration for `recurrent`.
    pub fn recurrent(&self) -> RecurrentConfig {
        RecurrentConfig {
            num_layers: self.layers,
            bidirectional: self.bidirectional,
            proj_size: self.projection,
            ..RecurrentConfig::new(self.input, self.hidden)
        }
    }

    /// The cell for `recurrent`.
    pub fn recurrent_cell(&self) -> recurrent::Cell {
        match self.cell {
            Cell::Lstm => recurrent::Cell::Lstm,
            Cell::Gru => recurrent::Cell::Gru,
            Cell::GruResetBefore => recurrent::Cell::GruResetBefore,
            Cell::Rnn => recurrent::Cell::RnnTanh,
        }
    }

    /// The backend of our own layers; does not apply to candle-nn.
    pub fn backend(&self) -> Backend {
        match (self.backend, self.instructions) {
            (Implementation::Reference | Implementation::CandleNn, _) => Backend::Reference,
            _ if self.device == Place::Cuda => {
                self.cudnn.map_or(Backend::Cudnn, Backend::CudnnPlan)
            }
            (Implementation::Fused, Instructions::Auto) => Backend::Fused(InstructionSet::best()),
            (_, Instructions::Avx512) => Backend::Fused(InstructionSet::Avx512),
            (_, Instructions::Avx2) => Backend::Fused(InstructionSet::Avx2),
            (_, Instructions::Portable) => Backend::Fused(InstructionSet::Portable),
        }
    }

    /// The device of all tensors. Call once: each call creates a new device.
    ///
    /// # Errors
    /// If there is no such device, or the program was built without support for it.
    pub fn device(&self) -> Result<Device> {
        match self.device {
            Place::Cpu => Ok(Device::Cpu),
            Place::Cuda => {
                let device = Device::new_cuda(0).context(
                    "--device cuda needs an NVIDIA GPU and a build with --features cuda",
                )?;
                #[cfg(feature = "cuda")]
                if let Device::Cuda(device) = &device {
                    // It only saves time.
                    let _ = recurrent::cuda::keep_freed_memory(device);
                }
                Ok(device)
            }
        }
    }

    /// Real steps of each row; `None` if all are real.
    pub fn lengths(&self) -> Option<Vec<usize>> {
        match self.lengths {
            Lengths::Full => None,
            Lengths::Mixed => Some(lengths::mixed(self.batch, self.steps)),
        }
    }

    /// Real steps of all rows together; in mode step, of one step.
    pub fn n_tokens(&self) -> usize {
        if self.mode == Mode::Step {
            return self.batch;
        }
        self.lengths().map_or(self.batch * self.steps, |lengths| lengths.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        config: PassConfig,
    }

    #[test]
    fn no_flags_are_the_default() {
        let flags = Flags::parse_from(["program"]).config;
        assert_eq!(format!("{flags:?}"), format!("{:?}", PassConfig::default()));
    }
}
