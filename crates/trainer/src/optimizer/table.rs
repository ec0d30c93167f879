//! The embedding's table, of which a batch touches few rows.
//!
//! `torch.optim.Adam` moves every row in every step, since the momentum of a word outlasts the batch
//! that it came in. That costs a pass over the whole table and its moments, for rows that nobody
//! reads. Here an idle row is left alone, with the number of the last step that it has seen; before a
//! row is read, the steps that it missed are made up for, in the order and with the factors that it
//! missed. The numbers are those of the pass over everything; the work follows the batch.
//!
//! `torch.optim.SparseAdam` is the same without making up: a row moves only when it has a gradient.

use candle_core::{DType, Tensor, Var};
use rayon::prelude::*;

use crate::error::Result;
use crate::numbers::{with_f32, with_f32_mut};
use crate::optimizer::moments::{Moments, tasks};
use crate::optimizer::rule::{AdamKind, Factors, Numbers, Rule, tensors};

/// Rows that one task works through at least.
const ROWS_PER_TASK: usize = 16;

/// The table, its moments, and how far each row has come.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) var: Var,
    pub(super) moments: Moments,
    rule: Rule,
    /// Numbers in a row.
    width: usize,
    /// Per row, the last step that it has seen. Empty where rows do not lag.
    seen: Vec<u64>,
    past: Past,
}

/// The factors of the steps since all rows were last up to date.
#[derive(Debug, Default)]
struct Past {
    /// Steps before those.
    n_before: u64,
    factors: Vec<Factors>,
}

impl Table {
    pub(super) fn new(var: Var, rule: Rule) -> Result<Self> {
        let (n_rows, width) = var.dims2()?;
        let moments = Moments::zeros(&var, rule)?;
        let lags = matches!(moments, Moments::Cpu { .. }) && !is_row_sparse(rule);
        let seen = if lags { vec![0; n_rows] } else { Vec::new() };
        Ok(Self { var, moments, rule, width, seen, past: Past::default() })
    }

    /// Puts the table at step `n_steps`, with all rows up to date.
    pub(super) fn restart_at(&mut self, n_steps: u64) {
        self.past = Past { n_before: n_steps, factors: Vec::new() };
        self.seen.fill(n_steps);
    }

    /// Makes up for the steps that some rows missed. `rows`: ascending, each once.
    pub(super) fn catch_up(&mut self, rows: &[u32]) -> Result<()> {
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
                .for_each(|(mut row, &seen)| past.replay(&mut row, seen));
            Ok(())
        })?;
        for &row in rows {
            seen[row as usize] = past.n_steps();
        }
        Ok(())
    }

    /// Makes up for the steps that any row missed.
    pub(super) fn catch_up_all(&mut self) -> Result<()> {
        let Moments::Cpu { m, v } = &mut self.moments else { return Ok(()) };
        if self.seen.is_empty() {
            return Ok(());
        }
        let (width, past, seen) = (self.width, &self.past, &self.seen);
        with_f32_mut(&self.var, |theta| {
            tasks(theta, m, v, width)
                .into_par_iter()
                .zip(seen)
                .with_min_len(ROWS_PER_TASK)
                .for_each(|(mut row, &seen)| past.replay(&mut row, seen));
            Ok(())
        })?;
        self.restart_at(self.past.n_steps());
        Ok(())
    }

    /// One step, with the gradient of some rows, which must have caught up; other rows become idle.
    ///
    /// `gradient`: `[rows.len(), width]`, multiplied by `scale` first.
    pub(super) fn step(
        &mut self,
        rows: &[u32],
        gradient: &Tensor,
        learning_rate: f64,
        scale: f64,
    ) -> Result<()> {
        let t = self.past.n_steps() + 1;
        let factors = self.rule.factors(t, learning_rate);
        self.past.factors.push(factors);
        match &mut self.moments {
            Moments::Cpu { m, v } => {
                let (width, gradient) = (self.width, gradient.contiguous()?);
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
                done.unwrap_or_else(|| {
                    Err(candle_core::Error::msg("the gradient has another dtype").into())
                })?;
                if !self.seen.is_empty() {
                    rows.iter().for_each(|&row| self.seen[row as usize] = t);
                }
            }
            Moments::Device { m, v } => {
                let ids = Tensor::new(rows, self.var.device())?;
                if is_row_sparse(self.rule) {
                    let of = |whole: &Tensor| whole.index_select(&ids, 0);
                    let second = v.as_ref().map(of).transpose()?;
                    let stepped = tensors::step(
                        (&of(self.var.as_tensor())?, &of(m)?, second.as_ref()),
                        gradient,
                        factors,
                        scale,
                    )?;
                    let places = ids.unsqueeze(1)?.broadcast_as(gradient.shape())?.contiguous()?;
                    self.var.scatter_set(&places, &stepped.theta, 0)?;
                    m.scatter_set(&places, &stepped.m, 0)?;
                    if let (Some(v), Some(stepped)) = (v, stepped.v) {
                        v.scatter_set(&places, &stepped, 0)?;
                    }
                } else {
                    // A device has the bandwidth for the whole table.
                    let whole = self.var.zeros_like()?.index_add(&ids, gradient, 0)?;
                    let stepped = tensors::step(
                        (self.var.as_tensor(), m, v.as_ref()),
                        &whole,
                        factors,
                        scale,
                    )?;
                    self.var.set(&stepped.theta)?;
                    (*m, *v) = (stepped.m, stepped.v);
                }
            }
        }
        Ok(())
    }

    /// A step in which no row has a gradient.
    pub(super) fn idle_step(&mut self, learning_rate: f64) -> Result<()> {
        let none = Tensor::zeros((0, self.width), DType::F32, &candle_core::Device::Cpu)?;
        match self.moments {
            Moments::Cpu { .. } => self.step(&[], &none, learning_rate, 1.0),
            Moments::Device { .. } => {
                self.past.factors.push(self.rule.factors(self.past.n_steps() + 1, learning_rate));
                Ok(())
            }
        }
    }
}

/// Whether rows without a gradient stay where they are.
fn is_row_sparse(rule: Rule) -> bool {
    matches!(rule, Rule::Adam { kind: AdamKind::Sparse, .. })
}

impl Past {
    fn n_steps(&self) -> u64 {
        self.n_before + self.factors.len() as u64
    }

    /// All steps after step `seen`, for one row that was idle in them.
    fn replay(&self, row: &mut Numbers<'_>, seen: u64) {
        let missed = &self.factors[(seen - self.n_before) as usize..];
        row.idle(missed);
    }
}

/// Some rows of a table with their moments. `rows`: ascending, each once.
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

/// Cuts rows out of a slice from its front on.
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
