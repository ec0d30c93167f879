//! One thread's part of a layer's backward pass: some rows of the batch, some hidden units, all steps.
//!
//! ```text
//! for each chunk of steps, last first, from the first one that a gradient reaches
//!     gather the chunk's inputs and the h before each step
//!     for each step, last first
//!         dh += gradient of the outputs
//!         d_gates, dc = cell'(gates, dh, dc)       d_gates [panel][tokens, panel width]
//!         meet the threads that have the other units
//!         dh = d_gates · W_hh
//!     dW_ih += xᵀ · d_gates                        one product for all steps of the chunk
//!     dW_hh += hᵀ · d_gates
//!     dx     = d_gates · W_ih
//! ```
//!
//! Only `dh` must be computed step by step; the weight gradients of a chunk are products whose
//! inner dimension is the chunk's tokens. If the input's vectors repeat, its two products are left for
//! later, see [`repeated`](super::repeated).
//!
//! Chunks past the last gradient are skipped, since their gradients are zero: a classifier that
//! reads the outputs of the last word trains only the first step of the top layer's reverse
//! direction.

use std::ops::Range;

use super::input::{Input, InputGradient};
use super::layer_forward::{Columns, Saved, Step};
use super::plan::{Chunk, Plan};
use super::pooled::OutputGradient;
use super::repeated::TeamVectors;
use super::team::Team;
use super::units::{self, BackwardRow};
use crate::algebra::{ColumnBlocks, Geometry, Left, MAX_VECTORS, PanelProduct, spread_stride};
use crate::cell::Cell;
use crate::machine::{Buffer, Isa, Job, Number, Shared, Vector};

/// Rows of sums multiplied by all columns of a weight before the next ones: about a chunk's.
const ROWS_AT_A_TIME: usize = 200;

/// Packed weights of the backward pass, for one member of a team.
pub(crate) struct BackwardWeights<E> {
    /// The columns of W_ih for the member's columns of dx; absent if the member has none to compute.
    pub(crate) input: Option<ColumnBlocks<E>>,
    /// The columns of W_hh that belong to the member's units, for each part in which they are packed.
    pub(crate) recurrent: Vec<ColumnBlocks<E>>,
    /// The columns of W_hr, with a projection.
    pub(crate) projection: Option<ColumnBlocks<E>>,
}

impl<E: Number> BackwardWeights<E> {
    /// Distance between rows of this member's columns of dx.
    pub(crate) fn dx_stride(&self) -> usize {
        self.input.as_ref().map_or(0, |weights| spread_stride(weights.layout().padded_columns()))
    }
}

/// The input of a layer's backward pass.
#[derive(Clone, Copy)]
pub(crate) enum BackwardInput<'a, E> {
    Steps(Input<'a, E>),
    /// Vectors that repeat.
    Repeated(TeamVectors<'a, E>),
}

/// Tensors are contiguous; shapes as in the forward pass.
pub(crate) struct BackwardJob<'a, E> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) plan: &'a Plan,
    pub(crate) panels: Range<usize>,
    pub(crate) team: Team<'a>,
    pub(crate) weights: &'a BackwardWeights<E>,
    pub(crate) saved: &'a Saved<E>,
    pub(crate) x: BackwardInput<'a, E>,
    /// Initial state tensors, `[B, h]` and `[B, H]`, in the cell's order; zeros if absent.
    pub(crate) initial: [Option<&'a [E]>; 2],
    pub(crate) outputs: Columns<&'a [E]>,
    /// Complete for this team's rows.
    pub(crate) d_outputs: [Option<Columns<OutputGradient<'a, E>>>; 2],
    /// Gradients of the final state, as `initial`.
    pub(crate) d_final: [Option<&'a [E]>; 2],
    /// Gradient of a for one chunk, `[panel][tokens, panel width]`.
    pub(crate) d_input: Shared<'a, E>,
    /// Gradient of b if it differs from a's (GRU), or is packed in other parts.
    pub(crate) d_recurrent: Option<Shared<'a, E>>,
    pub(crate) dx: Option<InputGradient<'a, E>>,
    pub(crate) wants_weights: bool,
}

/// One thread's share of the gradients. Weight gradients are in gate panels, transposed.
pub(crate) struct BackwardShare<E> {
    /// `[panel][I][panel width]`
    pub(crate) input: Buffer<E>,
    /// If vectors repeat and their gradient is wanted, this thread's columns of those that its team uses,
    /// `[used, dx stride]`; else empty.
    pub(crate) vectors: Buffer<E>,
    /// `[panel][part][h][vectors]`
    pub(crate) recurrent: Buffer<E>,
    /// `[panel][panel width]`
    pub(crate) input_bias: Buffer<E>,
    /// As `input_bias`, if the two biases' gradients differ (GRU); else empty.
    pub(crate) recurrent_bias: Buffer<E>,
    /// `[block][H][vectors]`; empty without a projection.
    pub(crate) projection: Buffer<E>,
    /// Gradients of the initial state: dh `[ranks, padded h]` or this thread's units of it, and dc
    /// `[ranks, units]` for the LSTM.
    pub(crate) dh: Buffer<E>,
    pub(crate) dc: Buffer<E>,
}

impl<E: Number> Job<E> for BackwardJob<'_, E> {
    type Output = BackwardShare<E>;

    #[inline(always)]
    fn run<V: Vector<Elem = E>>(self, isa: Isa<V>) -> BackwardShare<E> {
        let (geometry, plan) = (self.geometry, self.plan);
        let n_gates = self.panels.len() * geometry.panel_width();
        let mut work = Workspace::new(&self);
        let mut share = self.empty_share(n_gates);
        let mut has_gradient = self.final_states_have_gradient();
        let mut is_first = true;
        for &chunk in plan.chunks.iter().rev() {
            has_gradient = has_gradient || self.outputs_have_gradient(chunk);
            if !has_gradient {
                self.zero_input_gradient(chunk, &mut work.dx);
                continue;
            }
            if let BackwardInput::Steps(input) = self.x {
                input.gather(geometry, plan, chunk, &mut work.x);
            }
            self.gather_h_before(chunk, &mut work);
            for step in (chunk.start..chunk.end).rev() {
                let (n_rows, token) = (plan.active[step], plan.offset[step]);
                self.step(isa, Step { chunk, step, n_rows, token }, &mut work, &mut share);
            }
            self.add_weight_gradients(isa, chunk, is_first, &work, &mut share);
            is_first = false;
            if let BackwardInput::Steps(_) = self.x {
                self.input_gradient(isa, chunk, &work.zeros, &mut work.dx);
            }
            // The next chunk's gradients will overwrite this one's.
            self.team.meet();
        }
        if let BackwardInput::Repeated(vectors) = self.x
            && !is_first
        {
            self.repeated_gradients(isa, vectors, &mut work, &mut share);
        }
        if is_first {
            share.vectors.fill(E::default());
            share.input.fill(E::default());
            share.recurrent.fill(E::default());
            share.projection.fill(E::default());
        }
        share
    }
}

impl<'a, E: Number> BackwardJob<'a, E> {
    /// This thread's hidden units, padded.
    fn n_units(&self) -> usize {
        self.panels.len() * self.geometry.panel_units()
    }

    /// This thread's numbers of h, and the distance between two rows of them.
    fn own_h(&self) -> (Range<usize>, usize) {
        if self.geometry.is_projected() {
            (0..self.geometry.h_size, self.geometry.padded_h())
        } else {
            (self.geometry.units(&self.panels), self.n_units())
        }
    }

    fn empty_share(&self, n_gates: usize) -> BackwardShare<E> {
        let geometry = self.geometry;
        let n_used = match self.x {
            BackwardInput::Repeated(vectors) if self.weights.input.is_some() => vectors.n_used(),
            _ => 0,
        };
        let (own_h, h_stride) = self.own_h();
        let has_two_biases = geometry.cell == Cell::Gru;
        let projection = if geometry.is_projected() { geometry.h_columns().len() } else { 0 };
        let own_c = geometry.units(&self.panels);
        BackwardShare {
            input: Buffer::scratch(geometry.input * n_gates),
            vectors: Buffer::scratch(n_used * self.weights.dx_stride()),
            recurrent: Buffer::scratch(geometry.h_size * n_gates),
            input_bias: Buffer::zeros(n_gates),
            recurrent_bias: Buffer::zeros(if has_two_biases { n_gates } else { 0 }),
            projection: Buffer::scratch(projection),
            dh: self.gather_state((self.d_final[0], geometry.h_size), &own_h, h_stride),
            dc: self.gather_state((self.d_final[1], geometry.hidden), &own_c, self.n_units()),
        }
    }

    /// This thread's rows and numbers of a state `[B, width]`.
    fn gather_state(
        &self,
        (state, width): (Option<&[E]>, usize),
        own: &Range<usize>,
        stride: usize,
    ) -> Buffer<E> {
        let mut to = Buffer::zeros(self.plan.n_rows() * stride);
        if let Some(state) = state {
            self.plan.gather_state((state, width), own, (&mut to, stride));
        }
        to
    }

    /// Whether the final states of this team's rows have any gradient.
    fn final_states_have_gradient(&self) -> bool {
        let widths = [self.geometry.h_size, self.geometry.hidden];
        self.d_final.iter().zip(widths).any(|(d_state, width)| {
            d_state.is_some_and(|d_state| {
                self.plan.rows.iter().any(|row| has_nonzero(&d_state[row * width..][..width]))
            })
        })
    }

    /// Whether the outputs of a chunk have any gradient, in any unit: all threads of a team must
    /// make the same decision.
    fn outputs_have_gradient(&self, chunk: Chunk) -> bool {
        self.d_outputs.iter().flatten().any(|d_outputs| self.has_gradient(d_outputs, chunk))
    }

    /// Whether one of the gradients of a chunk's outputs is nonzero anywhere.
    fn has_gradient(&self, d_outputs: &Columns<OutputGradient<'_, E>>, chunk: Chunk) -> bool {
        let all = 0..self.geometry.h_size;
        (chunk.start..chunk.end).rev().any(|step| {
            (0..self.plan.active[step]).any(|rank| {
                match d_outputs.numbers {
                    OutputGradient::Steps(numbers) => {
                        let place = self.plan.place(self.geometry, rank, step);
                        // SAFETY: the gradients of this team's rows are complete.
                        has_nonzero(unsafe { numbers.read(d_outputs.range(place, &all)) })
                    }
                    OutputGradient::Pooled(pooled) => {
                        let (row, time) = (self.plan.rows[rank], self.plan.time(rank, step));
                        pooled.is_nonzero(row, time, d_outputs.width)
                    }
                }
            })
        })
    }

    /// The h before each token of a chunk, `[tokens, h stride]`, all of it.
    fn gather_h_before(&self, chunk: Chunk, work: &mut Workspace<E>) {
        let (geometry, plan) = (self.geometry, self.plan);
        for (rank, step, token) in plan.tokens_by_row(chunk) {
            let to = &mut work.h_before[token * work.h_stride..][..geometry.h_size];
            if step > 0 {
                let place = plan.place(geometry, rank, step - 1);
                let from = self.outputs.range(place, &(0..geometry.h_size));
                to.copy_from_slice(&self.outputs.numbers[from]);
            } else if let Some(state) = self.initial[0] {
                let from = plan.rows[rank] * geometry.h_size;
                to.copy_from_slice(&state[from..][..geometry.h_size]);
            } else {
                to.fill(E::default());
            }
        }
    }

    /// The gradients of one step.
    #[inline(always)]
    fn step<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        step: Step,
        work: &mut Workspace<E>,
        share: &mut BackwardShare<E>,
    ) {
        let BackwardShare { dh, dc, .. } = share;
        for d_outputs in self.d_outputs.iter().flatten() {
            self.add_output_gradient(d_outputs, step, dh);
        }
        if self.geometry.cell == Cell::GruResetBefore {
            self.reset_before_gradients(isa, step, work, dh);
            return;
        }
        if self.geometry.is_projected() {
            self.unproject(isa, step, work, dh);
            // Lent out, so that the cells can read the rest of the workspace.
            let mut dm = std::mem::replace(&mut work.d_second, Buffer::zeros(0));
            self.d_gates(isa, step, work, &mut dm, dc);
            work.d_second = dm;
        } else {
            self.d_gates(isa, step, work, dh, dc);
        }
        self.team.meet();
        self.dh(isa, step, dh);
    }

    #[inline(always)]
    fn add_output_gradient(
        &self,
        d_outputs: &Columns<OutputGradient<'_, E>>,
        step: Step,
        dh: &mut [E],
    ) {
        let (own, stride) = self.own_h();
        for rank in 0..step.n_rows {
            let dh = &mut dh[rank * stride..][..own.len()];
            match d_outputs.numbers {
                OutputGradient::Steps(numbers) => {
                    let place = self.plan.place(self.geometry, rank, step.step);
                    // SAFETY: the gradients of this team's rows are complete.
                    let from = unsafe { numbers.read(d_outputs.range(place, &own)) };
                    dh.iter_mut().zip(from).for_each(|(dh, d_output)| *dh += *d_output);
                }
                OutputGradient::Pooled(pooled) => {
                    let (row, time) = (self.plan.rows[rank], self.plan.time(rank, step.step));
                    let first = d_outputs.column + own.start;
                    pooled.add(row, time, d_outputs.width, first, dh);
                }
            }
        }
    }

    /// The gradients of one step's gates and of the c before it; `dh`: of what the cells put out.
    #[inline(always)]
    fn d_gates<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        step: Step,
        work: &mut Workspace<E>,
        dh: &mut [E],
        dc: &mut [E],
    ) {
        let (geometry, plan) = (self.geometry, self.plan);
        let Step { chunk, step, n_rows, token } = step;
        let (width, units) = (geometry.panel_width(), geometry.panel_units());
        let n_units = self.n_units();
        let local = token - chunk.first_token;
        let gates = self.saved.gates(chunk, self.panels.len() * width);
        let extra = &self.saved.extra;
        let c_before: &[E] = match geometry.cell {
            Cell::Lstm if step > 0 => &extra[plan.offset[step - 1] * n_units..],
            Cell::Lstm => &work.initial_c,
            _ => &[],
        };
        let is_gru = geometry.cell == Cell::Gru;
        for (index, panel) in self.panels.clone().enumerate() {
            for rank in 0..n_rows {
                let gate = (index * chunk.n_tokens + local + rank) * width;
                let shared_gate = (panel * chunk.n_tokens + local + rank) * width;
                let own = rank * n_units + index * units;
                let shared_gate = shared_gate..shared_gate + width;
                // SAFETY: these panels are this thread's until the meeting, and their places
                // differ from step to step.
                let (d_input, d_recurrent) = unsafe {
                    let d_recurrent = self.d_recurrent.map(|d| d.write(shared_gate.clone()));
                    (self.d_input.write(shared_gate), d_recurrent.unwrap_or_default())
                };
                // The next step reads data that has left the cache; prefetch it during the product.
                for vector in 0..width / V::LANES {
                    let before = gate.wrapping_sub(n_rows * width);
                    V::prefetch(gates.as_ptr().wrapping_add(before + vector * V::LANES));
                }
                if !c_before.is_empty() {
                    let before = own.wrapping_sub(n_rows * n_units);
                    V::prefetch(c_before.as_ptr().wrapping_add(before));
                }
                let h_before: &[E] = if is_gru {
                    &work.h_before[(local + rank) * work.h_stride + panel * units..][..units]
                } else {
                    &[]
                };
                let m = if work.second.is_empty() {
                    None
                } else {
                    let at = (local + rank) * work.second_stride + panel * units;
                    Some(&mut work.second[at..][..units])
                };
                let row = BackwardRow {
                    gates: &gates[gate..][..width],
                    h_before,
                    extra: if extra.is_empty() {
                        &[]
                    } else {
                        &extra[token * n_units + own..][..units]
                    },
                    c_before: if c_before.is_empty() { &[] } else { &c_before[own..][..units] },
                    dh: &mut dh[own..][..units],
                    dc: &mut dc[own..][..units],
                    d_input: &mut *d_input,
                    d_recurrent: &mut *d_recurrent,
                    m,
                };
                units::backward(isa, geometry.cell, row, geometry.vectors_per_gate);
                geometry.zero_padding(panel, d_input);
                if is_gru {
                    geometry.zero_padding(panel, d_recurrent);
                }
            }
        }
    }

    /// `dh += d_gates · W_hh` for one step's rows and this thread's numbers of h.
    #[inline(always)]
    fn dh<V: Vector<Elem = E>>(&self, isa: Isa<V>, step: Step, dh: &mut [E]) {
        let geometry = self.geometry;
        let Step { chunk, n_rows, token, .. } = step;
        let width = geometry.panel_width();
        let local = token - chunk.first_token;
        let d_gates = self.d_recurrent.unwrap_or(self.d_input);
        let (_, stride) = self.own_h();
        // SAFETY: the threads have met, and nothing writes to this step's places any more.
        let d_gates = unsafe {
            Left::segments(d_gates, local * width, (width, width), chunk.n_tokens * width)
        };
        for (column, block) in self.weights.recurrent[0].blocks() {
            isa.call(PanelProduct {
                c: &mut dh[column..],
                c_stride: stride,
                start: None,
                a: d_gates,
                n_rows,
                panel: block,
                depth: geometry.padded_gates(),
            });
        }
    }

    /// `dW_ih += xᵀ · d_gates`, `dW_hh += hᵀ · d_gates` and the bias sums, over one chunk; the first
    /// chunk initialises the sums.
    #[inline(always)]
    fn add_weight_gradients<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        chunk: Chunk,
        is_first: bool,
        work: &Workspace<E>,
        share: &mut BackwardShare<E>,
    ) {
        let geometry = self.geometry;
        let width = geometry.panel_width();
        let n_tokens = chunk.n_tokens;
        let start = is_first.then(|| &work.zeros[..]);
        let of_chunk = |shared: Shared<'a, E>, panel: usize| -> &'a [E] {
            let len = n_tokens * width;
            // SAFETY: only this thread writes to its panels, and that is done for this chunk.
            unsafe { shared.read(panel * len..(panel + 1) * len) }
        };
        if let BackwardInput::Repeated(vectors) = self.x {
            let place = (self.plan, chunk);
            // SAFETY: only this thread has its panels of either, and the chunk's are complete.
            unsafe { vectors.add(isa, geometry, place, &self.panels, self.d_input) };
        }
        if !self.wants_weights {
            return;
        }
        for (index, panel) in self.panels.clone().enumerate() {
            let d_input = of_chunk(self.d_input, panel);
            let d_recurrent = self.d_recurrent.map_or(d_input, |d| of_chunk(d, panel));
            if let BackwardInput::Steps(_) = self.x {
                isa.call(PanelProduct {
                    c: &mut share.input[index * geometry.input * width..][..geometry.input * width],
                    c_stride: width,
                    start: start.map(|zeros| &zeros[..width]),
                    a: Left::new(&work.x, 1, geometry.input_stride()),
                    n_rows: geometry.input,
                    panel: d_input,
                    depth: n_tokens,
                });
            }
            for (part, vectors) in geometry.recurrent_parts().enumerate() {
                let (first, part_width) =
                    (vectors.start * geometry.lanes, vectors.len() * geometry.lanes);
                let to = index * width * geometry.h_size + first * geometry.h_size;
                // The new gate of a GRU whose reset gate acts first has read r ⊙ h.
                let left = if part == 0 { &work.h_before } else { &work.second };
                isa.call(PanelProduct {
                    c: &mut share.recurrent[to..][..part_width * geometry.h_size],
                    c_stride: part_width,
                    start: start.map(|zeros| &zeros[..part_width]),
                    a: Left::new(left, 1, work.h_stride),
                    n_rows: geometry.h_size,
                    panel: &d_recurrent[first * n_tokens..][..part_width * n_tokens],
                    depth: n_tokens,
                });
            }
            add_rows(isa, d_input, &mut share.input_bias[index * width..][..width]);
            if !share.recurrent_bias.is_empty() {
                add_rows(isa, d_recurrent, &mut share.recurrent_bias[index * width..][..width]);
            }
        }
        if geometry.is_projected() {
            self.add_projection_gradient(isa, n_tokens, is_first, work, &mut share.projection);
        }
    }

    /// `dx = d_gates · W_ih` for all tokens of a chunk and this thread's columns.
    #[inline(always)]
    fn input_gradient<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        chunk: Chunk,
        zeros: &[E],
        dx: &mut [E],
    ) {
        let (Some(weights), Some(to)) = (&self.weights.input, self.dx) else { return };
        let geometry = self.geometry;
        let width = geometry.panel_width();
        let layout = weights.layout();
        let stride = spread_stride(layout.padded_columns());
        // SAFETY: all threads have met after the chunk's last step, and nothing writes before they meet
        // at the chunk's end.
        let d_input =
            unsafe { Left::segments(self.d_input, 0, (width, width), chunk.n_tokens * width) };
        for (column, block) in weights.blocks() {
            isa.call(PanelProduct {
                c: &mut dx[column..],
                c_stride: stride,
                start: Some(&zeros[..block.len() / geometry.padded_gates()]),
                a: d_input,
                n_rows: chunk.n_tokens,
                panel: block,
                depth: geometry.padded_gates(),
            });
        }
        let columns = (layout.columns.start, layout.columns.len());
        // SAFETY: no other thread has these rows and these columns.
        unsafe { to.scatter(geometry, (self.plan, chunk), columns, dx, stride) };
    }

    /// For repeated vectors, `dW_ih = Σ vectorᵀ · S` for this thread's panels and `d_vectors = S · W_ih` for its
    /// columns, where S are the team's sums by vector.
    #[inline(always)]
    fn repeated_gradients<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        vectors: TeamVectors<'_, E>,
        work: &mut Workspace<E>,
        share: &mut BackwardShare<E>,
    ) {
        let geometry = self.geometry;
        let (width, input, n_used) = (geometry.panel_width(), geometry.input, vectors.n_used());
        vectors.gather(geometry, &mut work.x);
        for (index, panel) in self.panels.clone().enumerate().filter(|_| self.wants_weights) {
            isa.call(PanelProduct {
                c: &mut share.input[index * input * width..][..input * width],
                c_stride: width,
                start: Some(&work.zeros[..width]),
                a: Left::new(&work.x, 1, geometry.input_stride()),
                n_rows: input,
                // SAFETY: only this thread writes to its panels, and that is done.
                panel: unsafe { vectors.sums.read(vectors.panel(panel, width)) },
                depth: n_used,
            });
        }
        self.team.meet();
        let Some(weights) = &self.weights.input else { return };
        let stride = self.weights.dx_stride();
        for first in (0..n_used).step_by(ROWS_AT_A_TIME) {
            // SAFETY: all sums of the team are complete.
            let sums = unsafe {
                Left::segments(vectors.sums, first * width, (width, width), n_used * width)
            };
            for (column, block) in weights.blocks() {
                isa.call(PanelProduct {
                    c: &mut share.vectors[first * stride + column..],
                    c_stride: stride,
                    start: Some(&work.zeros[..block.len() / geometry.padded_gates()]),
                    a: sums,
                    n_rows: ROWS_AT_A_TIME.min(n_used - first),
                    panel: block,
                    depth: geometry.padded_gates(),
                });
            }
        }
    }

    /// `dx = 0` for all tokens of a chunk and this thread's columns.
    fn zero_input_gradient(&self, chunk: Chunk, dx: &mut [E]) {
        let (Some(weights), Some(to)) = (&self.weights.input, self.dx) else { return };
        if to.add {
            return;
        }
        let layout = weights.layout();
        let stride = spread_stride(layout.padded_columns());
        dx[..chunk.n_tokens * stride].fill(E::default());
        let columns = (layout.columns.start, layout.columns.len());
        // SAFETY: as in `input_gradient`.
        unsafe { to.scatter(self.geometry, (self.plan, chunk), columns, dx, stride) };
    }
}

/// Whether any number is nonzero; NaN counts as nonzero.
fn has_nonzero<E: Number>(numbers: &[E]) -> bool {
    numbers.iter().any(|&number| number != E::default())
}

/// Adds all rows of `[n, width]` to `sum [width]`.
#[inline(always)]
fn add_rows<V: Vector>(isa: Isa<V>, rows: &[V::Elem], sum: &mut [V::Elem]) {
    for row in rows.chunks_exact(sum.len()) {
        for at in (0..sum.len()).step_by(V::LANES) {
            isa.store(isa.load(sum, at).add(isa.load(row, at)), sum, at);
        }
    }
}

/// One chunk's intermediate results.
pub(super) struct Workspace<E> {
    /// `[tokens, input stride]`; if vectors repeat, those that the team uses.
    x: Buffer<E>,
    /// `[tokens, h stride]`
    pub(super) h_before: Buffer<E>,
    pub(super) h_stride: usize,
    /// What the second product of a step has read, `[tokens, second stride]`: r ⊙ h, or the output of the
    /// LSTM's cells; empty for other networks.
    pub(super) second: Buffer<E>,
    pub(super) second_stride: usize,
    /// The gradient of that for one step, `[ranks, padded H]`.
    pub(super) d_second: Buffer<E>,
    /// The gradient of a projected h, `[block][tokens, vectors]`.
    pub(super) d_h: Buffer<E>,
    /// `[tokens, dx stride]`; empty if vectors repeat.
    dx: Buffer<E>,
    /// LSTM: the initial c of this thread's rows and units; else empty.
    initial_c: Buffer<E>,
    /// As long as a row of the widest panel.
    pub(super) zeros: Buffer<E>,
}

impl<E: Number> Workspace<E> {
    fn new(job: &BackwardJob<'_, E>) -> Self {
        let geometry = job.geometry;
        let n_tokens = job.plan.chunk_tokens();
        let h_stride = spread_stride(geometry.padded_h());
        let is_projected = geometry.is_projected();
        let has_second = is_projected || geometry.cell == Cell::GruResetBefore;
        let second_stride =
            if is_projected { spread_stride(geometry.padded_hidden()) } else { h_stride };
        let if_any = |is_there: bool, len: usize| if is_there { len } else { 0 };
        let (x_rows, dx_rows) = match job.x {
            BackwardInput::Steps(_) => (n_tokens, n_tokens),
            BackwardInput::Repeated(vectors) => (vectors.n_used(), 0),
        };
        let own_c = geometry.units(&job.panels);
        let initial_c = match geometry.cell {
            Cell::Lstm => {
                job.gather_state((job.initial[1], geometry.hidden), &own_c, job.n_units())
            }
            _ => Buffer::zeros(0),
        };
        let d_h = n_tokens * geometry.h_columns().padded_columns();
        Self {
            x: Buffer::scratch(x_rows * geometry.input_stride()),
            // Zeros: the cells read padding units as well.
            h_before: Buffer::zeros(n_tokens * h_stride),
            h_stride,
            second: Buffer::scratch(if_any(has_second, n_tokens * second_stride)),
            second_stride,
            d_second: Buffer::scratch(if_any(
                has_second,
                job.plan.n_rows() * geometry.padded_hidden(),
            )),
            d_h: Buffer::scratch(if_any(is_projected, d_h)),
            dx: Buffer::scratch(dx_rows * job.weights.dx_stride()),
            initial_c,
            zeros: Buffer::zeros(MAX_VECTORS * geometry.lanes),
        }
    }
}
