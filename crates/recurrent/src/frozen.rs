//! Weights that nothing can change, packed by the first pass.

use std::fmt;
use std::sync::OnceLock;

use crate::machine::{Element, InstructionSet};
use crate::recurrence::PackedWeights;

/// Packed weights of a network whose weights are its own, by number type.
#[derive(Default)]
pub(crate) struct Frozen {
    f32: Packed<f32>,
    f64: Packed<f64>,
}

/// With the instruction set, on which their layout depends.
type Packed<E> = OnceLock<(InstructionSet, PackedWeights<E>)>;

impl fmt::Debug for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_packed = self.f32.get().is_some() || self.f64.get().is_some();
        f.debug_struct("Frozen").field("packed", &is_packed).finish()
    }
}

/// Number types of frozen weights.
pub(crate) trait Frozenable: Element {
    fn packed(frozen: &Frozen) -> &Packed<Self>;

    /// The packed weights; `pack` makes them the first time.
    fn packed_once(
        frozen: &Frozen,
        instructions: InstructionSet,
        pack: impl FnOnce() -> PackedWeights<Self>,
    ) -> Option<&PackedWeights<Self>> {
        let (of, packed) = Self::packed(frozen).get_or_init(|| (instructions, pack()));
        (*of == instructions).then_some(packed)
    }
}

impl Frozenable for f32 {
    fn packed(frozen: &Frozen) -> &Packed<f32> {
        &frozen.f32
    }
}

impl Frozenable for f64 {
    fn packed(frozen: &Frozen) -> &Packed<f64> {
        &frozen.f64
    }
}
