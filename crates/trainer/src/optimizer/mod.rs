//! Optimisers: Adam, its row-sparse form, gradient descent with momentum.

mod gradients;
mod moments;
#[cfg(feature = "cuda")]
mod on_device;
mod rule;
mod state;
mod table;

use std::collections::BTreeMap;

use candle_core::Var;
use candle_core::backprop::GradStore;
use recurrent::settings;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::scalar::Scalar;
use moments::Moments;
use rule::{AdamKind, Rule};
use table::Table;

pub use gradients::{Gradients, RowGradient};

/// The kind of optimiser.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Adam (Kingma and Ba 2015), as in
    /// [torch.optim.Adam](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html): words
    /// that are not in a batch still move by their momentum.
    #[default]
    Adam,
    /// Adam, but a row of the embedding's table moves only when its word is in the batch, as in
    /// [torch.optim.SparseAdam](https://docs.pytorch.org/docs/stable/generated/torch.optim.SparseAdam.html).
    SparseAdam,
    /// Gradient descent with momentum, as in
    /// [torch.optim.SGD](https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html).
    Sgd,
}

/// An optimiser and its constants. β₁ is 0.9, β₂ 0.999 and ε 1e-8.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OptimizerConfig {
    /// Which optimiser.
    pub kind: OptimizerKind,
    /// Adam's decoupled weight decay (AdamW, Loshchilov and Hutter 2019): a weight loses this fraction
    /// of itself, times the learning rate, in every step; in a row-sparse table only the rows in the
    /// batch do.
    pub weight_decay: f64,
    /// SGD's momentum.
    pub momentum: f64,
}

impl OptimizerConfig {
    /// Checks every value's range.
    ///
    /// # Errors
    /// [`Error::Config`] with the first field that is out of range or does not apply.
    pub fn check(&self) -> Result<()> {
        settings::not_negative("weight_decay", self.weight_decay)?;
        let has_decay = self.kind != OptimizerKind::Sgd || self.weight_decay == 0.0;
        let expected = "0 with optimizer sgd, which has no weight decay";
        settings::check("weight_decay", has_decay, expected, self.weight_decay)?;
        settings::rate("momentum", self.momentum)?;
        Ok(())
    }

    fn rule(&self) -> Rule {
        let &Self { kind, weight_decay, momentum } = self;
        match kind {
            OptimizerKind::Adam | OptimizerKind::SparseAdam => {
                Rule::Adam { weight_decay, kind: AdamKind::Dense }
            }
            OptimizerKind::Sgd => Rule::Sgd { momentum },
        }
    }

    fn table_rule(&self) -> Rule {
        match (self.kind, self.rule()) {
            (OptimizerKind::SparseAdam, Rule::Adam { weight_decay, .. }) => {
                Rule::Adam { weight_decay, kind: AdamKind::Sparse }
            }
            (_, rule) => rule,
        }
    }
}

/// Updates parameters from their gradients.
///
/// Parameters are of two kinds: ordinary ones, whose gradients are tensors of their shape, and tables
/// (embeddings), whose gradients cover some rows only ([`RowGradient`]). Each is updated in one pass
/// over its values and moments, on all cores. Table rows that are not in a batch catch up later: call
/// [`catch_up`](Self::catch_up) before reading them:
///
/// ```
/// use candle_core::{Device, Tensor, Var};
/// use trainer::{Optimizer, OptimizerConfig, RowGradient};
///
/// # fn main() -> trainer::Result<()> {
/// let table = Var::new(&[[1f32, 1.0], [2.0, 2.0], [3.0, 3.0]], &Device::Cpu)?;
/// let mut adam = Optimizer::new(OptimizerConfig::default(), [])?.with_table("words", table.clone())?;
/// for rows in [vec![0, 2], vec![1, 2]] {
///     adam.catch_up("words", &rows)?;
///     let row_weights = Var::from_tensor(&table.index_select(&Tensor::new(&*rows, &Device::Cpu)?, 0)?)?;
///     let gradients = row_weights.sqr()?.sum_all()?.backward()?;
///     let of_rows = RowGradient::of(rows, &row_weights, &gradients);
///     adam.step(&adam.gradients(&gradients).with_rows("words", of_rows), 0.1, 1.0)?;
/// }
/// adam.catch_up_all()?;
/// assert!(table.to_vec2::<f32>()?[0][0] < 0.9); // row 0 also moved in the second step
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    parameters: Vec<Parameter>,
    tables: BTreeMap<String, Table>,
    n_steps: u64,
}

#[derive(Debug)]
struct Parameter {
    name: String,
    var: Var,
    moments: Moments,
}

impl Optimizer {
    /// An optimiser of ordinary parameters, with zero moments. Their names identify them in saved
    /// states.
    ///
    /// # Errors
    /// [`Error::Config`] if a constant is out of range; if a device fails.
    pub fn new(
        config: OptimizerConfig,
        parameters: impl IntoIterator<Item = (String, Var)>,
    ) -> Result<Self> {
        config.check()?;
        let parameters = parameters
            .into_iter()
            .map(|(name, var)| {
                let moments = Moments::zeros(&var, config.rule())?;
                Ok(Parameter { name, var, moments })
            })
            .collect::<Result<_>>()?;
        Ok(Self { config, parameters, tables: BTreeMap::new(), n_steps: 0 })
    }

    /// Adds a table `[rows, width]`, whose gradients cover some rows.
    ///
    /// # Errors
    /// If it is not a matrix, or its device fails.
    pub fn with_table(mut self, name: impl Into<String>, table: Var) -> Result<Self> {
        self.add_table(name, table, 0)?;
        Ok(self)
    }

    /// Adds a table that is trained since this optimiser had taken `since` steps: its moments are as young as that. The
    /// number is not part of the optimiser's saved state; who adds the table saves it.
    pub(crate) fn add_table(
        &mut self,
        name: impl Into<String>,
        table: Var,
        since: u64,
    ) -> Result<()> {
        let mut table = Table::new(table, self.config.table_rule(), since)?;
        table.restart_at(self.n_steps);
        self.tables.insert(name.into(), table);
        Ok(())
    }

    /// Takes the gradients of this optimiser's ordinary parameters from a backward pass; add those of
    /// tables with [`with_rows`](Gradients::with_rows).
    pub fn gradients(&self, store: &GradStore) -> Gradients {
        // Without their graphs, which would keep what the passes have saved.
        let whole = self.parameters.iter();
        let whole = whole
            .map(|parameter| store.get(&parameter.var).map(|gradient| gradient.detach()))
            .collect();
        Gradients { whole, rows: BTreeMap::new() }
    }

    /// Applies the steps that some rows of a table missed. Call it before they are read.
    ///
    /// `rows`: strictly ascending.
    ///
    /// # Errors
    /// If there is no such table, rows are not strictly ascending or not in it, or a device fails.
    pub fn catch_up(&mut self, table: &str, rows: &[u32]) -> Result<()> {
        match self.tables.get_mut(table) {
            Some(table) => table.catch_up(rows),
            None => Err(unknown_table(table)),
        }
    }

    /// Applies all steps that any row of any table missed. Call it before a table is read as a whole,
    /// evaluated or saved.
    ///
    /// # Errors
    /// If a device fails.
    pub fn catch_up_all(&mut self) -> Result<()> {
        self.tables.values_mut().try_for_each(Table::catch_up_all)
    }

    /// Takes one step: updates every parameter that has a gradient. Each gradient is multiplied by
    /// `scale` first; a scale that is on the parameters' device is not read.
    ///
    /// # Errors
    /// If a gradient does not match its parameter, or a device fails.
    pub fn step(
        &mut self,
        gradients: &Gradients,
        learning_rate: f64,
        scale: impl Into<Scalar>,
    ) -> Result<()> {
        let scale = scale.into();
        self.check(gradients)?;
        self.n_steps += 1;
        let factors = self.config.rule().factors(self.n_steps, learning_rate);
        for (parameter, gradient) in self.parameters.iter_mut().zip(&gradients.whole) {
            if let Some(gradient) = gradient {
                moments::step(&parameter.var, &mut parameter.moments, gradient, factors, &scale)?;
            }
        }
        for (name, table) in &mut self.tables {
            match gradients.rows.get(name) {
                Some(gradient) => table.step(gradient, learning_rate, &scale)?,
                None => table.idle_step(learning_rate)?,
            }
        }
        Ok(())
    }

    /// Checks that gradients match this optimiser's parameters, before any of them is updated.
    fn check(&self, gradients: &Gradients) -> Result<()> {
        for (name, gradient) in &gradients.rows {
            let table = self.tables.get(name).ok_or_else(|| unknown_table(name))?;
            table.check_gradient(gradient)?;
        }
        for (parameter, gradient) in self.parameters.iter().zip(&gradients.whole) {
            let Some(gradient) = gradient else { continue };
            if gradient.dims() != parameter.var.dims() {
                let (name, got) = (&parameter.name, gradient.dims());
                let expected = parameter.var.dims();
                let reason =
                    format!("the gradient of {name} has shape {got:?}, expected {expected:?}");
                return Err(Error::Gradient { reason });
            }
        }
        Ok(())
    }

    /// Steps taken since the start.
    pub fn n_steps(&self) -> u64 {
        self.n_steps
    }
}

fn unknown_table(name: &str) -> Error {
    Error::Gradient { reason: format!("the optimiser has no table {name}") }
}
