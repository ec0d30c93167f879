//! Sizes that the kernels process in several blocks: products whose inner dimension fills more than
//! one block of a panel, and sequences that fill several chunks of steps.
#![allow(clippy::unwrap_used)] // A failure to build a case is a failure of the test.

mod common;

use candle_core::{DType, Device, Var};
use common::{Case, Kind, TOLERANCE_F32, TOLERANCE_F64, assert_equals_reference};
use proptest::prelude::*;
use recurrent::{Backend, InstructionSet, RecurrentConfig, SeededRng, set_num_threads};

fn available_sets() -> impl Iterator<Item = InstructionSet> {
    InstructionSet::ALL.into_iter().filter(|set| set.is_available())
}

/// Vectors in the widest panel (`algebra/geometry.rs`).
const MAX_VECTORS: usize = 4;

/// Multiply-adds of a forward pass from which two threads share it (`recurrence/division.rs`).
const WORK_OF_TWO_THREADS: usize = 400_000;

/// Tokens of one chunk of steps (`recurrence/plan.rs`).
const CHUNK_TOKENS: usize = 200;

/// One set of kernels.
#[derive(Debug, Clone, Copy)]
struct Kernels {
    set: InstructionSet,
    dtype: DType,
    /// Numbers in one vector.
    lanes: usize,
    /// Bytes of a panel in one block (`PANEL_BLOCK_BYTES` of the vectors in `machine`).
    block_bytes: usize,
}

impl Kernels {
    fn available() -> Vec<Self> {
        let of = |set, dtype: DType| {
            let (bytes, block_bytes) =
                if set == InstructionSet::Avx512 { (64, 256 << 10) } else { (32, 16 << 10) };
            Self { set, dtype, lanes: bytes / dtype.size_in_bytes(), block_bytes }
        };
        let of_f32 = available_sets().map(|set| of(set, DType::F32));
        of_f32.chain([of(InstructionSet::best(), DType::F64)]).collect()
    }

    /// Panel rows in one block if a panel is `n_vectors` wide.
    fn block_rows(&self, n_vectors: usize) -> usize {
        self.block_bytes / (n_vectors * self.lanes * self.dtype.size_in_bytes())
    }
}

/// The products of a pass, named by their inner dimension.
#[derive(Debug, Clone, Copy)]
enum Inner {
    /// The input product, `x · W_ihᵀ`.
    Inputs,
    /// The recurrent product, `h · W_hhᵀ`.
    Units,
    /// The gradients of h and x, `d_gates · W`.
    Gates,
    /// The weight gradients, `xᵀ · d_gates` and `hᵀ · d_gates`.
    Tokens,
}

fn n_gates(kind: Kind) -> usize {
    match kind {
        Kind::RnnTanh | Kind::RnnRelu => 1,
        Kind::Gru | Kind::GruResetBefore => 3,
        Kind::Lstm => 4,
    }
}

/// Vectors in a panel of gates.
fn gate_vectors(kind: Kind, kernels: Kernels, hidden: usize) -> usize {
    n_gates(kind) * (MAX_VECTORS / n_gates(kind)).min(hidden.div_ceil(kernels.lanes))
}

/// A case whose product `inner` has more than one block, up to about three where that is affordable.
fn case_of_blocks(kind: Kind, kernels: Kernels, inner: Inner, rng: &mut SeededRng) -> Case {
    let gates = n_gates(kind);
    // A size that needs a second block of `rows`, and at most a fourth.
    let several = |rows: usize, rng: &mut SeededRng| rows + 1 + rng.below(2 * rows);
    let (input, hidden, shape, depth, rows) = match inner {
        Inner::Inputs => {
            let hidden = 1 + rng.below(40);
            let rows = kernels.block_rows(gate_vectors(kind, kernels, hidden));
            let input = several(rows, rng);
            (input, hidden, (3, 4), input, rows)
        }
        Inner::Units => {
            // A hidden size above a block is above a vector.
            let rows = kernels.block_rows(gate_vectors(kind, kernels, usize::MAX));
            let hidden = if rows > 400 { rows + 1 + rng.below(40) } else { several(rows, rng) };
            (7, hidden, (3, 2), hidden, rows)
        }
        Inner::Gates => {
            let columns = MAX_VECTORS * kernels.lanes;
            let rows = kernels.block_rows(MAX_VECTORS);
            let hidden = (several(rows, rng) / gates + 1).max(columns);
            (columns + rng.below(columns), hidden, (5, 3), gates * hidden, rows)
        }
        Inner::Tokens => {
            let (input, hidden) = (1 + rng.below(2), 1 + rng.below(2));
            let rows = kernels.block_rows(gate_vectors(kind, kernels, hidden));
            // The first step of so many rows is a chunk by itself.
            let batch = several(rows.max(CHUNK_TOKENS), rng);
            let steps = 2;
            let work = batch * steps * gates * hidden * (input + hidden);
            assert!(work < WORK_OF_TWO_THREADS, "{work}: two threads would divide the rows");
            (input, hidden, (batch, steps), batch, rows)
        }
    };
    assert!(depth > rows, "{kind:?} {kernels:?} {inner:?}: {depth} is one block of {rows}");
    let lengths = (0..shape.0).map(|_| 1 + rng.below(shape.1)).collect();
    let config = RecurrentConfig::new(input, hidden);
    let mut case = Case::random(kind, config, shape, true, Some(lengths), rng).unwrap();
    // Or sums over so many inputs would saturate the gates.
    let scale = (3.0 * hidden as f64 / input as f64).sqrt().min(1.0);
    case.x = Var::from_tensor(&(case.x.as_tensor() * scale).unwrap()).unwrap();
    case.to(&Device::Cpu, kernels.dtype).unwrap()
}

/// Every product of every kind, on every instruction set.
#[test]
fn inner_dimensions_of_several_blocks_equal_the_reference() {
    set_num_threads(2);
    let rng = &mut SeededRng::new(11);
    for kernels in Kernels::available() {
        let tolerance = if kernels.dtype == DType::F64 { TOLERANCE_F64 } else { TOLERANCE_F32 };
        for kind in Kind::ALL {
            for inner in [Inner::Inputs, Inner::Units, Inner::Gates, Inner::Tokens] {
                let case = case_of_blocks(kind, kernels, inner, rng);
                assert_equals_reference(&case, Backend::Fused(kernels.set), tolerance);
            }
        }
    }
}

/// Chunks of a thread that has rows of these lengths.
fn n_chunks(lengths: &[usize]) -> usize {
    let (mut n_chunks, mut n_tokens) = (0, 0);
    for step in 0..lengths.iter().copied().max().unwrap_or(0) {
        n_tokens += lengths.iter().filter(|&&length| length > step).count();
        if n_tokens >= CHUNK_TOKENS {
            (n_chunks, n_tokens) = (n_chunks + 1, 0);
        }
    }
    n_chunks + n_tokens.min(1)
}

/// The fewest chunks of a thread, whether one thread has the rows or two divide them.
fn fewest_chunks(lengths: &[usize]) -> usize {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    // Longest first, dealt forwards, then backwards.
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for (rank, length) in sorted.into_iter().enumerate() {
        if rank % 4 == 0 || rank % 4 == 3 { &mut first } else { &mut second }.push(length);
    }
    [&first[..], &second, lengths].into_iter().map(n_chunks).min().unwrap_or(0)
}

prop_compose! {
    /// At least three chunks of steps for each of two threads.
    fn cases_of_chunks()(
        kind in prop::sample::select(Kind::ALL.to_vec()),
        (input, hidden, layers) in (1usize..24, 1usize..50, 1usize..3),
        batch in 2usize..60,
        more_steps in 0usize..30,
        [bidirectional, bias, has_state, has_lengths] in any::<[bool; 4]>(),
        seed in any::<u64>(),
    ) -> Case {
        let config = RecurrentConfig {
            num_layers: layers, bidirectional, bias, ..RecurrentConfig::new(input, hidden)
        };
        // Half of the rows, of at least three quarters of the steps, and two full chunks, in which a
        // last step takes the tokens above the chunk's number.
        let tokens = 2 * (CHUNK_TOKENS + batch.div_ceil(2)) + 1;
        let steps = (4 * tokens).div_ceil(3 * (batch / 2)) + 1 + more_steps;
        let rng = &mut SeededRng::new(seed);
        let lengths: Vec<usize> =
            (0..batch).map(|_| steps - rng.below(steps / 4 + 1)).collect();
        let lengths = has_lengths.then_some(lengths);
        Case::random(kind, config, (batch, steps), has_state, lengths, rng).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sequences_of_several_chunks_equal_the_reference(case in cases_of_chunks()) {
        set_num_threads(2);
        let (batch, steps, _) = case.x.dims3().unwrap();
        let lengths = case.lengths.clone().unwrap_or_else(|| vec![steps; batch]);
        prop_assert!(fewest_chunks(&lengths) >= 3, "{lengths:?}");
        for set in available_sets() {
            assert_equals_reference(&case, Backend::Fused(set), TOLERANCE_F32);
        }
    }
}
