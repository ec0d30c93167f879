//! How cuDNN is asked to run a network.

use candle_core::DType;

use crate::cell::Cell;
use crate::run::Run;

/// How cuDNN runs a network; see [`Backend::CudnnPlan`](crate::Backend::CudnnPlan).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CudnnPlan {
    /// cuDNN's algorithm.
    pub algorithm: CudnnAlgorithm,
    /// How rows that end early are run.
    pub lengths: CudnnLengths,
    /// The order of steps and rows that cuDNN is given.
    pub layout: CudnnLayout,
}

/// cuDNN's algorithms for recurrent networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CudnnAlgorithm {
    /// A product for each step. Runs everything.
    Standard,
    /// One kernel for all steps, which keeps the recurrent weights in registers.
    PersistStatic,
    /// The same for small hidden sizes.
    PersistStaticSmallH,
}

/// How rows that end early are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CudnnLengths {
    /// cuDNN is told each row's length. Only its standard algorithm takes them, and slowly.
    Told,
    /// All rows run to the end, and past a row's end its gates hold the state: an input feature that is 1 there and
    /// 0 before opens or closes them for good. The sums of the other features are lost in rounding beside it, so
    /// that states and gradients are those of the real steps, exactly. Only for LSTM and GRU layers, one at a time.
    Held,
}

/// The order of a batch's numbers that cuDNN is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CudnnLayout {
    /// Row by row, as they are.
    BatchMajor,
    /// Step by step, transposed before and after.
    TimeMajor,
}

/// What the choice of a plan depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PlanShape {
    pub(crate) cell: Cell,
    pub(crate) dtype: DType,
    pub(crate) hidden_size: usize,
    pub(crate) is_projected: bool,
    pub(crate) bidirectional: bool,
    /// Whether all rows have all steps.
    pub(crate) all_full: bool,
    /// Whether some row has none.
    pub(crate) any_empty: bool,
    /// Whether the state before the first step is given; else it is zero.
    pub(crate) has_state: bool,
    /// Whether a backward pass may follow.
    pub(crate) is_training: bool,
}

/// Largest hidden sizes of the algorithm for small ones, forward only and with a backward pass. cuDNN 9.19 refuses
/// larger ones, which its documentation does not say; PyTorch has these bounds, too.
#[cfg(feature = "cuda")]
const SMALL_H_FORWARD: usize = 192;
#[cfg(feature = "cuda")]
pub(super) const SMALL_H_TRAINING: usize = 128;

impl PlanShape {
    /// That of a run without a backward pass.
    pub(crate) fn of(run: &Run<'_>) -> Self {
        Self {
            cell: run.cell,
            dtype: run.x.dtype(),
            hidden_size: run.config.hidden_size,
            is_projected: run.config.proj_size > 0,
            bidirectional: run.config.bidirectional,
            all_full: run.lengths.all_full,
            any_empty: run.lengths.by_row.contains(&0),
            has_state: run.has_state,
            is_training: false,
        }
    }

    /// Whether the gates can hold the state past a row's end.
    pub(crate) fn can_hold(&self) -> bool {
        let Self { cell, is_projected, bidirectional, has_state, any_empty, .. } = *self;
        match cell {
            // In padding that comes first, c keeps, but h is made of c: only zeros stay. It comes first in the
            // reverse direction, and in a row without steps.
            Cell::Lstm => !is_projected && !(has_state && (bidirectional || any_empty)),
            Cell::Gru => !(bidirectional && has_state),
            Cell::GruResetBefore | Cell::RnnTanh | Cell::RnnRelu => false,
        }
    }

    /// The plan that is expected to be the fastest.
    #[cfg(feature = "cuda")]
    pub(crate) fn best_plan(&self) -> CudnnPlan {
        let lengths = if self.can_hold() { CudnnLengths::Held } else { CudnnLengths::Told };
        let runs_full = self.all_full || lengths == CudnnLengths::Held;
        let largest = if self.is_training { SMALL_H_TRAINING } else { SMALL_H_FORWARD };
        let is_small = self.hidden_size <= largest && self.dtype != DType::F64;
        let algorithm = if runs_full && is_small && !self.is_projected {
            CudnnAlgorithm::PersistStaticSmallH
        } else {
            CudnnAlgorithm::Standard
        };
        CudnnPlan { algorithm, lengths, layout: CudnnLayout::BatchMajor }
    }
}
