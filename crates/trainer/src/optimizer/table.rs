//! The embedding's table, of which a batch touches few rows.
//!
//! `torch.optim.Adam` moves every row in every step, since a word's momentum outlasts its batch. That
//! costs a pass over the whole table and its moments, for rows that nobody reads. Here an idle row is
//! left alone, with the number of the last step applied to it. Before a row is read, the steps that it
//! missed are applied in order, each with its own factors. The results equal those of the full passes;
//! the work depends on the batch only.
//!
//! `torch.optim.SparseAdam` is the same without catching up: a row moves only when it has a gradient.

use candle_core::{Tensor, Var};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::numbers::{with_f32, with_f32_mut};
use crate::optimizer::RowGradient;
use crate::optimizer::moments::{self, Moments, tasks};
use crate::optimizer::rule::{AdamKind, Factors, Missed, Numbers, Rule, left_of_moments, tensors};
use crate::scalar::Scalar;

/// Minimum number of rows per task.
const ROWS_PER_TASK: usize = 16;
/// Rows per task when all rows catch up.
const ROWS_PER_BLOCK: usize = 256;

/// The table, its moments, and each row's last step.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) var: Var,
    pub(super) moments: Moments,
    rule: Rule,
    /// Numbers in a row.
    width: usize,
    /// Steps of the optimiser.
    n_steps: u64,
    /// Those before this table was trained, of which its moments know nothing.
    since: u64,
    /// The last step applied to each row. Empty if rows do not lag.
    seen: Vec<u64>,
    past: Past,
}

/// The steps since all rows were last up to date; kept if rows lag.
#[derive(Debug)]
struct Past {
    factors: Vec<Factors>,
    /// The sum of ln(`keep`) up to each step; one more than factors.
    ln_keep: Vec<f64>,
    /// Fractions of the moments left after n idle steps; one more than factors.
    left: Vec<(f32, f32)>,
}

impl Default for Past {
    fn default() -> Self {
        Self { factors: Vec::new(), ln_keep: vec![0.0], left: vec![left_of_moments(0)] }
    }
}

impl Table {
    pub(super) fn new(var: Var, rule: Rule, since: u64) -> Result<Self> {
        let (n_rows, width) = var.dims2()?;
        let moments = Moments::zeros(&var, rule)?;
        let lags = matches!(moments, Moments::Cpu { .. }) && !is_row_sparse(rule);
        let seen = if lags { vec![0; n_rows] } else { Vec::new() };
        let past = Past::default();
        Ok(Self { var, moments, rule, width, n_steps: 0, since, seen, past })
    }

    /// Sets the table to step `n_steps`, with all rows up to date.
    pub(super) fn restart_at(&mut self, n_steps: u64) {
        self.n_steps = n_steps;
        self.past = Past::default();
        self.seen.fill(n_steps);
    }

    /// Where rows lag: the last step applied to each, and the factors of the steps that some lack.
    pub(super) fn lag(&self) -> Option<(&[u64], Vec<f64>)> {
        let factors = || self.past.factors.iter().flat_map(|factors| factors.numbers()).collect();
        (!self.seen.is_empty()).then(|| (&*self.seen, factors()))
    }

    /// Whether [`lag`](Self::lag) of this table could say so after `n_steps` steps.
    pub(super) fn could_lag(&self, seen: &[u64], past: &[f64], n_steps: u64) -> bool {
        let n_past = (past.len() / Factors::N_NUMBERS) as u64;
        let is_whole = past.len().is_multiple_of(Factors::N_NUMBERS) && n_past <= n_steps;
        is_whole
            && seen.len() == self.seen.len()
            && seen.iter().all(|&step| (n_steps - n_past..=n_steps).contains(&step))
    }

    /// Lets rows lag as [`lag`](Self::lag) said.
    pub(super) fn set_lag(&mut self, seen: Vec<u64>, past: &[f64]) {
        self.seen = seen;
        self.past = Past::default();
        let (steps, _) = past.as_chunks::<{ Factors::N_NUMBERS }>();
        for &numbers in steps {
            self.past.push(self.rule.factors_of(numbers));
        }
    }

    /// Steps before those of `past`.
    fn n_before(&self) -> u64 {
        self.n_steps - self.past.factors.len() as u64
    }

    /// Applies the steps that some rows missed.
    pub(super) fn catch_up(&mut self, rows: &[u32]) -> Result<()> {
        self.check_rows(rows)?;
        let n_before = self.n_before();
        let Moments::Cpu { m, v } = &mut self.moments else { return Ok(()) };
        if self.seen.is_empty() {
            return Ok(());
        }
        let (width, past, seen) = (self.width, &self.past, &mut self.seen);
        let since: Vec<u64> = rows.iter().map(|&row| seen[row as usize]).collect();
        with_f32_mut(&self.var, |theta| {
            rows_of(theta, m, v, width, rows)
                .into_par_iter()
                .zip(&since)
                .with_min_len(ROWS_PER_TASK)
                .for_each(|(mut row, &seen)| row.idle(past.since((seen - n_before) as usize)));
            Ok(())
        })?;
        for &row in rows {
            seen[row as usize] = self.n_steps;
        }
        Ok(())
    }

    /// Applies the steps that any row missed.
    pub(super) fn catch_up_all(&mut self) -> Result<()> {
        let n_before = self.n_before();
        let Moments::Cpu { m, v } = &mut self.moments else { return Ok(()) };
        if self.seen.is_empty() {
            return Ok(());
        }
        let (width, past, seen) = (self.width, &self.past, &self.seen);
        with_f32_mut(&self.var, |theta| {
            // Blocks of rows, since rows may be as narrow as one number.
            tasks(theta, m, v, width * ROWS_PER_BLOCK)
                .into_par_iter()
                .zip(seen.par_chunks(ROWS_PER_BLOCK))
                .for_each(|(block, seen)| {
                    let Numbers { theta, m, v } = block;
                    for (mut row, &seen) in tasks(theta, m, v, width).into_iter().zip(seen) {
                        row.idle(past.since((seen - n_before) as usize));
                    }
                });
            Ok(())
        })?;
        self.restart_at(self.n_steps);
        Ok(())
    }

    /// Checks that rows are strictly ascending and in the table.
    fn check_rows(&self, rows: &[u32]) -> Result<()> {
        let n_rows = self.var.dim(0)?;
        let in_order = rows.is_sorted_by(|a, b| a < b);
        if in_order && rows.last().is_none_or(|&last| (last as usize) < n_rows) {
            return Ok(());
        }
        let reason = format!("rows must be strictly ascending and below {n_rows}");
        Err(Error::Gradient { reason })
    }

    /// Checks that a gradient's rows have caught up.
    pub(super) fn check_gradient(&self, gradient: &RowGradient) -> Result<()> {
        let RowGradient { rows, values, .. } = gradient;
        self.check_rows(rows)?;
        let expected = [rows.len(), self.width];
        if values.dims() != expected {
            let got = values.dims();
            let reason = format!("the row gradient has shape {got:?}, expected {expected:?}");
            return Err(Error::Gradient { reason });
        }
        let lags = |row: &&u32| self.seen.get(**row as usize).is_some_and(|&n| n < self.n_steps);
        match rows.iter().find(lags) {
            Some(row) => {
                let reason = format!("row {row} was not caught up before its gradient was taken");
                Err(Error::Gradient { reason })
            }
            None => Ok(()),
        }
    }

    /// One step, with the checked gradient of some rows, multiplied by `scale` first; other rows become idle.
    pub(super) fn step(
        &mut self,
        gradient: &RowGradient,
        learning_rate: f64,
        scale: &Scalar,
    ) -> Result<()> {
        let factors = self.next_step(learning_rate);
        let RowGradient { rows, values, .. } = gradient;
        if self.has_stepped_in_place(gradient, factors, scale)? {
            return Ok(());
        }
        match &mut self.moments {
            Moments::Cpu { m, v } => {
                let (width, scale, gradient) = (self.width, scale.read()?, values.contiguous()?);
                let done = with_f32(&gradient, |gradient| {
                    with_f32_mut(&self.var, |theta| {
                        rows_of(theta, m, v, width, rows)
                            .into_par_iter()
                            .zip(gradient.par_chunks_exact(width))
                            .with_min_len(ROWS_PER_TASK)
                            .for_each(|(mut row, g)| row.step(g, factors, scale));
                        Ok(())
                    })
                })?;
                done.unwrap_or_else(|| Err(Error::other_dtype()))?;
                if !self.seen.is_empty() {
                    rows.iter().for_each(|&row| self.seen[row as usize] = self.n_steps);
                }
                Ok(())
            }
            Moments::Device { .. } if is_row_sparse(self.rule) => {
                self.step_rows_on_device(gradient, factors, scale)
            }
            Moments::Device { .. } => {
                // A device has the bandwidth for the whole table.
                let ids = gradient.ids_on(self.var.device())?;
                let whole = self.var.as_detached_tensor().zeros_like()?;
                let whole = whole.index_add(&ids, values, 0)?;
                moments::step(&self.var, &mut self.moments, &whole, factors, scale)
            }
        }
    }

    /// A step in which no row has a gradient.
    pub(super) fn idle_step(&mut self, learning_rate: f64) -> Result<()> {
        let factors = self.next_step(learning_rate);
        if matches!(self.moments, Moments::Device { .. }) && !is_row_sparse(self.rule) {
            let none = self.var.as_detached_tensor().zeros_like()?;
            moments::step(&self.var, &mut self.moments, &none, factors, &1.0.into())?;
        }
        Ok(())
    }

    /// Counts a step, and keeps its factors if rows lag.
    fn next_step(&mut self, learning_rate: f64) -> Factors {
        self.n_steps += 1;
        let factors = self.rule.factors(self.n_steps - self.since, learning_rate);
        if !self.seen.is_empty() {
            self.past.push(factors);
        }
        factors
    }

    /// Takes the step with kernels of our own, where there are any; returns whether it has.
    #[cfg(feature = "cuda")]
    fn has_stepped_in_place(
        &self,
        gradient: &RowGradient,
        factors: Factors,
        scale: &Scalar,
    ) -> Result<bool> {
        use super::on_device::{self, Gradient};

        let Moments::Device { m, v } = &self.moments else { return Ok(false) };
        if !matches!(factors, Factors::Adam { .. }) {
            return Ok(false);
        }
        let rows = gradient.ids_on(self.var.device())?;
        let values = &gradient.values;
        let of_rows = if is_row_sparse(self.rule) {
            Gradient::Rows(values, &rows)
        } else {
            Gradient::Table(values, &rows)
        };
        let parameter = (&self.var.as_detached_tensor(), m, v.as_ref());
        Ok(on_device::step(parameter, &of_rows, factors, scale)?)
    }

    #[cfg(not(feature = "cuda"))]
    fn has_stepped_in_place(&self, _: &RowGradient, _: Factors, _: &Scalar) -> Result<bool> {
        Ok(false)
    }

    fn step_rows_on_device(
        &mut self,
        gradient: &RowGradient,
        factors: Factors,
        scale: &Scalar,
    ) -> Result<()> {
        let Moments::Device { m, v } = &mut self.moments else { return Ok(()) };
        let (ids, values) = (gradient.ids_on(self.var.device())?, &gradient.values);
        let of = |whole: &Tensor| whole.index_select(&ids, 0);
        let second = v.as_ref().map(of).transpose()?;
        let theta = of(&self.var.as_detached_tensor())?;
        let before = (&theta, &of(m)?, second.as_ref());
        let stepped = tensors::step(before, values, factors, scale)?;
        let places = ids.unsqueeze(1)?.broadcast_as(values.shape())?.contiguous()?;
        self.var.scatter_set(&places, &stepped.theta, 0)?;
        m.scatter_set(&places, &stepped.m, 0)?;
        if let (Some(v), Some(stepped)) = (v, stepped.v) {
            v.scatter_set(&places, &stepped, 0)?;
        }
        Ok(())
    }
}

/// Whether rows without a gradient stay where they are.
fn is_row_sparse(rule: Rule) -> bool {
    match rule {
        Rule::Adam { kind, .. } => kind == AdamKind::Sparse,
        Rule::Sgd { momentum } => momentum == 0.0,
    }
}

impl Past {
    fn push(&mut self, factors: Factors) {
        self.ln_keep.push(self.ln_keep.last().unwrap_or(&0.0) + factors.ln_keep());
        self.factors.push(factors);
        self.left.push(left_of_moments(self.factors.len()));
    }

    /// All steps but the first `n_seen`.
    fn since(&self, n_seen: usize) -> Missed<'_> {
        let Self { factors, ln_keep, left } = self;
        Missed { factors: &factors[n_seen..], ln_keep: &ln_keep[n_seen..], left }
    }
}

/// Some rows of a table with their moments. `rows`: strictly ascending.
fn rows_of<'a>(
    theta: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    width: usize,
    rows: &[u32],
) -> Vec<Numbers<'a>> {
    let (mut theta, mut m, mut v) =
        (Cutter::new(theta, width), Cutter::new(m, width), Cutter::new(v, width));
    rows.iter()
        .map(|&row| {
            let row = row as usize;
            Numbers { theta: theta.row(row), m: m.row(row), v: v.row(row) }
        })
        .collect()
}

/// Cuts rows out of a slice from front to back.
struct Cutter<'a> {
    rest: &'a mut [f32],
    /// The row that `rest` begins with.
    next: usize,
    width: usize,
}

impl<'a> Cutter<'a> {
    fn new(numbers: &'a mut [f32], width: usize) -> Self {
        Self { rest: numbers, next: 0, width }
    }

    /// Row `row`, which must not be before the last one; empty if the slice is.
    fn row(&mut self, row: usize) -> &'a mut [f32] {
        if self.rest.is_empty() {
            return &mut [];
        }
        let rest = std::mem::take(&mut self.rest);
        let (_, from_row) = rest.split_at_mut((row - self.next) * self.width);
        let (row_numbers, rest) = from_row.split_at_mut(self.width);
        (self.rest, self.next) = (rest, row + 1);
        row_numbers
    }
}
