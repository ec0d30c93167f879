//! The cells' element-wise parts, forward and backward, for one row and one vector of units.
//!
//! Formulas: PyTorch's documentation of `torch.nn.RNN`, `torch.nn.LSTM` and `torch.nn.GRU` (the
//! variant with the reset gate after the product), and Cho et al. 2014 for the GRU whose reset gate acts
//! before the product. σ is the logistic function; a, b are the pre-activations of the input side and the
//! recurrent side.

use crate::cell::Cell;
use crate::machine::{Isa, Number, Vector};

/// Slices of one row's data in the buffers of a step.
pub(crate) struct ForwardRow<'a, E> {
    /// In: a + b (GRU: a) for all gates of the panel. Out: the activated gates.
    pub(crate) gates: &'a mut [E],
    /// GRU: b for all gates of the panel. Others: unused.
    pub(crate) recurrent: &'a [E],
    /// h of the previous step, this panel's units.
    pub(crate) h_before: &'a [E],
    /// h of this step, this panel's units.
    pub(crate) h: &'a mut [E],
    /// LSTM: c, updated in place. Others: unused.
    pub(crate) c: &'a mut [E],
    /// Further data for the backward pass: the LSTM's c, the GRU's recurrent side of the new gate.
    pub(crate) extra: Option<&'a mut [E]>,
}

/// One step of one row: gates and new state of every unit of a panel.
#[inline(always)]
pub(crate) fn forward<V: Vector>(
    isa: Isa<V>,
    cell: Cell,
    row: ForwardRow<'_, V::Elem>,
    vectors_per_gate: usize,
) {
    let lanes = V::LANES;
    let ForwardRow { gates, recurrent, h_before, h, c, mut extra } = row;
    for vector in 0..vectors_per_gate {
        let unit = vector * lanes;
        let gate = |index: usize| (vector * cell.n_gates() + index) * lanes;
        match cell {
            Cell::RnnTanh | Cell::RnnRelu => {
                let sum = isa.load(gates, gate(0));
                let new = if cell == Cell::RnnTanh { sum.tanh() } else { sum.relu() };
                isa.store(new, gates, gate(0));
                isa.store(new, h, unit);
            }
            Cell::Lstm => {
                let i = isa.load(gates, gate(0)).sigmoid();
                let f = isa.load(gates, gate(1)).sigmoid();
                let g = isa.load(gates, gate(2)).tanh();
                let o = isa.load(gates, gate(3)).sigmoid();
                let new_c = f.mul(isa.load(c, unit)).add(i.mul(g));
                isa.store(i, gates, gate(0));
                isa.store(f, gates, gate(1));
                isa.store(g, gates, gate(2));
                isa.store(o, gates, gate(3));
                isa.store(new_c, c, unit);
                if let Some(extra) = extra.as_deref_mut() {
                    isa.store(new_c, extra, unit);
                }
                isa.store(o.mul(new_c.tanh()), h, unit);
            }
            Cell::Gru => {
                let r = sum(isa, gates, recurrent, gate(0)).sigmoid();
                let z = sum(isa, gates, recurrent, gate(1)).sigmoid();
                let recurrent_n = isa.load(recurrent, gate(2));
                let n = r.mul_add(recurrent_n, isa.load(gates, gate(2))).tanh();
                isa.store(r, gates, gate(0));
                isa.store(z, gates, gate(1));
                isa.store(n, gates, gate(2));
                if let Some(extra) = extra.as_deref_mut() {
                    isa.store(recurrent_n, extra, unit);
                }
                // (1 - z) n + z h = n + z (h - n)
                let new = z.mul_add(isa.load(h_before, unit).sub(n), n);
                isa.store(new, h, unit);
            }
            // Its step has two halves, `reset_and_update` and `new_state`.
            Cell::GruResetBefore => {}
        }
    }
}

/// The pre-activation of one of the GRU's first two gates: both sides together.
///
/// A function rather than a closure: a closure over vectors is compiled separately, without the
/// instruction set, and then calls every instruction as a function.
#[inline(always)]
fn sum<V: Vector>(isa: Isa<V>, gates: &[V::Elem], recurrent: &[V::Elem], at: usize) -> V {
    isa.load(gates, at).add(isa.load(recurrent, at))
}

/// Slices of one row's data in the buffers of a step of the backward pass.
pub(crate) struct BackwardRow<'a, E> {
    /// The activated gates.
    pub(crate) gates: &'a [E],
    /// h before this step, this panel's units.
    pub(crate) h_before: &'a [E],
    /// LSTM: c of this step. GRU: the recurrent side of the new gate.
    pub(crate) extra: &'a [E],
    /// LSTM: c before this step.
    pub(crate) c_before: &'a [E],
    /// In: gradient of this step's h. Out: the part of the previous h's gradient that does not go
    /// through the weights.
    pub(crate) dh: &'a mut [E],
    /// In and out: gradient of c.
    pub(crate) dc: &'a mut [E],
    /// Out: gradient of a.
    pub(crate) d_input: &'a mut [E],
    /// Out: gradient of b if it differs from a's (GRU).
    pub(crate) d_recurrent: &'a mut [E],
    /// Out: what an LSTM's cells have put out, o ⊙ tanh(c), if a projection needs it.
    pub(crate) m: Option<&'a mut [E]>,
}

/// The gradients of one step of one row, for every unit of a panel.
#[inline(always)]
pub(crate) fn backward<V: Vector>(
    isa: Isa<V>,
    cell: Cell,
    row: BackwardRow<'_, V::Elem>,
    vectors_per_gate: usize,
) {
    let (lanes, one) = (V::LANES, isa.splat(V::Elem::ONE));
    let BackwardRow {
        gates,
        h_before,
        extra,
        c_before,
        dh: dh_row,
        dc,
        d_input,
        d_recurrent,
        mut m,
    } = row;
    for vector in 0..vectors_per_gate {
        let unit = vector * lanes;
        let gate = |index: usize| (vector * cell.n_gates() + index) * lanes;
        let dh = isa.load(dh_row, unit);
        // Only the GRU has a path around the weights.
        isa.store(isa.splat(V::Elem::default()), dh_row, unit);
        match cell {
            Cell::RnnTanh => {
                let h = isa.load(gates, gate(0));
                isa.store(dh.mul(one.sub(h.mul(h))), d_input, gate(0));
            }
            Cell::RnnRelu => {
                isa.store(dh.where_positive(isa.load(gates, gate(0))), d_input, gate(0));
            }
            Cell::Lstm => {
                let (i, f) = (isa.load(gates, gate(0)), isa.load(gates, gate(1)));
                let (g, o) = (isa.load(gates, gate(2)), isa.load(gates, gate(3)));
                let tanh_c = isa.load(extra, unit).tanh();
                if let Some(m) = m.as_deref_mut() {
                    isa.store(o.mul(tanh_c), m, unit);
                }
                let d_o = dh.mul(tanh_c);
                let d_c = dh.mul(o).mul_add(one.sub(tanh_c.mul(tanh_c)), isa.load(dc, unit));
                let (d_i, d_f, d_g) = (d_c.mul(g), d_c.mul(isa.load(c_before, unit)), d_c.mul(i));
                isa.store(d_c.mul(f), dc, unit);
                isa.store(d_i.mul(i).mul(one.sub(i)), d_input, gate(0));
                isa.store(d_f.mul(f).mul(one.sub(f)), d_input, gate(1));
                isa.store(d_g.mul(one.sub(g.mul(g))), d_input, gate(2));
                isa.store(d_o.mul(o).mul(one.sub(o)), d_input, gate(3));
            }
            Cell::Gru => {
                let (r, z) = (isa.load(gates, gate(0)), isa.load(gates, gate(1)));
                let n = isa.load(gates, gate(2));
                let recurrent_n = isa.load(extra, unit);
                let d_n = dh.mul(one.sub(z)).mul(one.sub(n.mul(n)));
                let d_z = dh.mul(isa.load(h_before, unit).sub(n)).mul(z).mul(one.sub(z));
                let d_r = d_n.mul(recurrent_n).mul(r).mul(one.sub(r));
                isa.store(dh.mul(z), dh_row, unit);
                isa.store(d_r, d_input, gate(0));
                isa.store(d_z, d_input, gate(1));
                isa.store(d_n, d_input, gate(2));
                isa.store(d_r, d_recurrent, gate(0));
                isa.store(d_z, d_recurrent, gate(1));
                isa.store(d_n.mul(r), d_recurrent, gate(2));
            }
            // See `ResetBeforeGradients`.
            Cell::GruResetBefore => {}
        }
    }
}

/// The first half of a step of a GRU whose reset gate acts before the product, for one vector of units: in
/// `gates` the pre-activations of r and z become r and z, and `reset_h` becomes r ⊙ h.
#[inline(always)]
pub(crate) fn reset_and_update<V: Vector>(
    isa: Isa<V>,
    gates: &mut [V::Elem],
    h_before: &[V::Elem],
    reset_h: &mut [V::Elem],
) {
    let r = isa.load(gates, 0).sigmoid();
    let z = isa.load(gates, V::LANES).sigmoid();
    isa.store(r, gates, 0);
    isa.store(z, gates, V::LANES);
    isa.store(r.mul(isa.load(h_before, 0)), reset_h, 0);
}

/// The second half: the pre-activation of n becomes n, and `h` the new state.
#[inline(always)]
pub(crate) fn new_state<V: Vector>(
    isa: Isa<V>,
    gates: &mut [V::Elem],
    h_before: &[V::Elem],
    h: &mut [V::Elem],
) {
    let z = isa.load(gates, V::LANES);
    let n = isa.load(gates, 2 * V::LANES).tanh();
    isa.store(n, gates, 2 * V::LANES);
    isa.store(z.mul_add(isa.load(h_before, 0).sub(n), n), h, 0);
}

/// Slices of one row's data in the buffers of a backward step of that GRU, for one vector of units.
pub(crate) struct ResetBeforeGradients<'a, E> {
    /// r, z, n.
    pub(crate) gates: &'a [E],
    pub(crate) h_before: &'a [E],
    /// In: gradient of this step's h. Out: what is known of that of the previous h.
    pub(crate) dh: &'a mut [E],
    /// Out: gradients of the gates' pre-activations.
    pub(crate) d_input: &'a mut [E],
    /// The same once more, in the parts in which the recurrent weights are packed: r and z, and n.
    pub(crate) d_rz: &'a mut [E],
    pub(crate) d_n: &'a mut [E],
    /// Out: r ⊙ h.
    pub(crate) reset_h: &'a mut [E],
    /// In, for [`reset`](Self::reset): gradient of r ⊙ h.
    pub(crate) d_reset_h: &'a [E],
}

impl<E: Number> ResetBeforeGradients<'_, E> {
    /// The gradients of n and z, and dh as far as it does not go through r.
    #[inline(always)]
    pub(crate) fn new_and_update<V: Vector<Elem = E>>(self, isa: Isa<V>) {
        let one = isa.splat(E::ONE);
        let (z, n) = (isa.load(self.gates, V::LANES), isa.load(self.gates, 2 * V::LANES));
        let (dh, h) = (isa.load(self.dh, 0), isa.load(self.h_before, 0));
        let d_n = dh.mul(one.sub(z)).mul(one.sub(n.mul(n)));
        let d_z = dh.mul(h.sub(n)).mul(z).mul(one.sub(z));
        isa.store(dh.mul(z), self.dh, 0);
        isa.store(d_z, self.d_input, V::LANES);
        isa.store(d_n, self.d_input, 2 * V::LANES);
        isa.store(d_z, self.d_rz, V::LANES);
        isa.store(d_n, self.d_n, 0);
    }

    /// The gradient of r, and the part of dh that goes through r ⊙ h.
    #[inline(always)]
    pub(crate) fn reset<V: Vector<Elem = E>>(self, isa: Isa<V>) {
        let one = isa.splat(E::ONE);
        let (r, h) = (isa.load(self.gates, 0), isa.load(self.h_before, 0));
        let d_reset_h = isa.load(self.d_reset_h, 0);
        let d_r = d_reset_h.mul(h).mul(r).mul(one.sub(r));
        isa.store(d_reset_h.mul_add(r, isa.load(self.dh, 0)), self.dh, 0);
        isa.store(d_r, self.d_input, 0);
        isa.store(d_r, self.d_rz, 0);
        isa.store(r.mul(h), self.reset_h, 0);
    }
}
