//! Optimisers: Adam, its row-sparse form, gradient descent with momentum.

mod gradients;
mod moments;
mod rule;
mod state;
mod table;

use std::collections::BTreeMap;

use candle_core::Var;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use moments::Moments;
use rule::{AdamKind, Rule};
use table::Table;

pub use gradients::{Gradients, RowGradient};

/// The kind of optimiser.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Adam (Kingma and Ba 2015) as
    /// [torch.optim.Adam](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html) has it,
    /// for the embedding's table, too: words that are not in a batch move on by their momentum.
    #[default]
    Adam,
    /// Adam, but a row of the embedding's table moves only when its word is in the batch, as
    /// [torch.optim.SparseAdam](https://docs.pytorch.org/docs/stable/generated/torch.optim.SparseAdam.html)
    /// has it.
    SparseAdam,
    /// Gradient descent with momentum as
    /// [torch.optim.SGD](https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html) has it.
    Sgd,
}

/// An optimiser and its constants. β₁ is 0.9, β₂ 0.999 and ε 1e-8.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OptimizerConfig {
    /// Which optimiser.
    pub kind: OptimizerKind,
    /// Adam's decoupled weight decay (AdamW, Loshchilov and Hutter 2019): a weight loses this share
    /// of itself, times the learning rate, in every step; of a row-sparse table only the rows in the
    /// batch do.
    pub weight_decay: f64,
    /// SGD's momentum.
    pub momentum: f64,
}

impl OptimizerConfig {
    /// Checks every value's range.
    ///
    /// # Errors
    /// [`Error::Config`] with the first field that is out of range or has no meaning here.
    pub fn check(&self) -> Result<()> {
        let is_sgd = self.kind == OptimizerKind::Sgd;
        let refuse = |field, expected, got: f64| {
            Err(Error::Config { field, expected, got: got.to_string() })
        };
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return refuse("weight_decay", "a number of at least 0", self.weight_decay);
        }
        if is_sgd && self.weight_decay != 0.0 {
            return refuse(
                "weight_decay",
                "0 with optimizer sgd, which has none",
                self.weight_decay,
            );
        }
        if !(0.0..1.0).contains(&self.momentum) {
            return refuse("momentum", "at least 0 and below 1", self.momentum);
        }
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

/// Moves parameters against their gradients.
///
/// Parameters are of two kinds: ordinary ones, whose gradients are tensors of their shape, and tables
/// (embeddings), whose gradients are of some rows only ([`RowGradient`]). Each is updated in one pass
/// over its numbers and moments, on all cores. The rows of a table that a batch did not have are made
/// up for later ([`catch_up`](Self::catch_up)), which the caller asks for before they are read:
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
/// assert!(table.to_vec2::<f32>()?[0][0] < 0.9); // row 0 went on in the second step
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
    /// An optimiser of ordinary parameters, with zero moments. Their names are those of saved states.
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

    /// Takes on a table `[rows, width]`, whose gradients are of some rows.
    ///
    /// # Errors
    /// If it is no matrix, or its device fails.
    pub fn with_table(self, name: impl Into<String>, table: Var) -> Result<Self> {
        let table = Table::new(table, self.config.table_rule(), 1.0)?;
        Ok(self.with(name.into(), table))
    }

    /// Takes on a table that moves by plain gradient descent, whatever the others do, at `rate_factor`
    /// times the learning rate of each step.
    ///
    /// # Errors
    /// If it is no matrix, or its device fails.
    pub fn with_descending_table(
        self,
        name: impl Into<String>,
        table: Var,
        rate_factor: f64,
    ) -> Result<Self> {
        let table = Table::new(table, Rule::Sgd { momentum: 0.0 }, rate_factor)?;
        Ok(self.with(name.into(), table))
    }

    fn with(mut self, name: String, mut table: Table) -> Self {
        table.restart_at(self.n_steps);
        self.tables.insert(name, table);
        self
    }

    /// Makes up for the steps that some rows of a table missed. To be called before they are read.
    ///
    /// `rows`: ascending, each once.
    ///
    /// # Errors
    /// If there is no such table, rows are not ascending or not in it, or a device fails.
    pub fn catch_up(&mut self, table: &str, rows: &[u32]) -> Result<()> {
        match self.tables.get_mut(table) {
            Some(table) => table.catch_up(rows),
            None => Err(unknown_table(table)),
        }
    }

    /// Makes up for all steps that any row of any table missed: to be called before a table is read as
    /// a whole, evaluated or saved.
    ///
    /// # Errors
    /// If a device fails.
    pub fn catch_up_all(&mut self) -> Result<()> {
        self.tables.values_mut().try_for_each(Table::catch_up_all)
    }

    /// One step: every parameter that has a gradient moves. Each gradient is multiplied by `scale`
    /// first.
    ///
    /// # Errors
    /// If a gradient does not fit, or a device fails.
    pub fn step(&mut self, gradients: &Gradients, learning_rate: f64, scale: f64) -> Result<()> {
        self.check(gradients)?;
        self.n_steps += 1;
        let factors = self.config.rule().factors(self.n_steps, learning_rate);
        for (parameter, gradient) in self.parameters.iter_mut().zip(&gradients.whole) {
            if let Some(gradient) = gradient {
                moments::step(&parameter.var, &mut parameter.moments, gradient, factors, scale)?;
            }
        }
        for (name, table) in &mut self.tables {
            match gradients.rows.get(name) {
                Some(RowGradient { rows, values }) => {
                    table.step(rows, values, learning_rate, scale)?;
                }
                None => table.idle_step(learning_rate)?,
            }
        }
        Ok(())
    }

    /// Whether gradients are of this optimiser's parameters, before any of them moves.
    fn check(&self, gradients: &Gradients) -> Result<()> {
        for (name, RowGradient { rows, values }) in &gradients.rows {
            let table = self.tables.get(name).ok_or_else(|| unknown_table(name))?;
            table.check_gradient(rows, values)?;
        }
        for (parameter, gradient) in self.parameters.iter().zip(&gradients.whole) {
            let Some(gradient) = gradient else { continue };
            if gradient.dims() != parameter.var.dims() {
                let (name, got) = (&parameter.name, gradient.dims());
                let expected = parameter.var.dims();
                let reason = format!("that of {name} has shape {got:?}, expected {expected:?}");
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
