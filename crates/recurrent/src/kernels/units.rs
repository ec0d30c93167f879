//! The cells' element-wise parts, forward and backward, for one row and one vector of units.
//!
//! Formulas: PyTorch's documentation of `torch.nn.RNN`, `torch.nn.LSTM` and `torch.nn.GRU` (the
//! variant of Cho et al. 2014 with the reset gate after the product). σ is the logistic function;
//! a, b are the pre-activations of the input side and the recurrent side.

use super::vector::{Isa, Number, Vector};
use crate::cell::Cell;

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
    let BackwardRow { gates, h_before, extra, c_before, dh: dh_row, dc, d_input, d_recurrent } =
        row;
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
        }
    }
}
