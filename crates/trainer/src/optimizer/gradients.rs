//! The gradients of one step.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};

use crate::clip::{self, global_norm};
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::state::{Restored, Snapshot};

/// In a saved state, before the names of tables.
const ROWS: &str = "rows of ";

/// The gradients of an optimiser's parameters, in its order.
#[derive(Debug, Clone, Default)]
pub struct Gradients {
    /// None where a parameter took no part in the loss.
    pub(super) whole: Vec<Option<Tensor>>,
    /// By table; absent where a table took no part.
    pub(super) rows: BTreeMap<String, RowGradient>,
}

/// The gradient of some rows of a table; the gradient of all other rows is 0.
#[derive(Debug, Clone)]
pub struct RowGradient {
    /// Strictly ascending.
    pub rows: Vec<u32>,
    /// `[rows, width]`
    pub values: Tensor,
    /// The rows on the device of the values, if they are there already.
    uploaded: Option<Tensor>,
}

impl RowGradient {
    /// The gradient `[rows, width]` of some rows, strictly ascending.
    pub fn new(rows: Vec<u32>, values: Tensor) -> Self {
        Self { rows, values, uploaded: None }
    }

    /// The same of rows that are on the values' device already, `[rows]`, u32.
    #[must_use]
    pub(crate) fn with_uploaded(self, rows: Option<&Tensor>) -> Self {
        Self { uploaded: rows.cloned(), ..self }
    }

    /// The rows on a device.
    pub(super) fn ids_on(&self, device: &Device) -> Result<Tensor> {
        Ok(match &self.uploaded {
            Some(ids) => ids.clone(),
            None => Tensor::new(&*self.rows, device)?,
        })
    }

    /// The gradient of a variable made from some rows of a table; none if it took no part in the loss.
    pub fn of(rows: Vec<u32>, row_weights: &Var, gradients: &GradStore) -> Option<Self> {
        gradients.get(row_weights).map(|values| Self::new(rows, values.detach()))
    }

    /// The sum of two gradients, over the rows of both.
    fn plus(&self, other: &Self) -> Result<Self> {
        if self.rows == other.rows {
            let values = (&self.values + &other.values)?;
            return Ok(Self { values, ..self.clone() });
        }
        let mut rows = [&*self.rows, &*other.rows].concat();
        rows.sort_unstable();
        rows.dedup();
        let device = self.values.device();
        let place = |part: &Self, sum: Tensor| -> Result<Tensor> {
            // Every row of a part is in `rows`, so the search always finds it.
            let places: Vec<u32> = part
                .rows
                .iter()
                .map(|row| rows.partition_point(|other| other < row) as u32)
                .collect();
            Ok(sum.index_add(&Tensor::new(&*places, device)?, &part.values, 0)?)
        };
        let width = self.values.dim(1)?;
        let sum = Tensor::zeros((rows.len(), width), self.values.dtype(), device)?;
        let values = place(other, place(self, sum)?)?;
        Ok(Self::new(rows, values))
    }
}

impl Gradients {
    /// Adds the gradient of a table's rows, if it took part in the loss.
    #[must_use]
    pub fn with_rows(mut self, table: &str, gradient: Option<RowGradient>) -> Self {
        self.rows.extend(gradient.map(|gradient| (table.to_string(), gradient)));
        self
    }

    /// Adds the gradients under names that begin with `prefix`, with the parameters as numbers.
    pub(crate) fn snapshot<'a>(&'a self, prefix: &str, to: &mut Snapshot<'a>) -> Result<()> {
        to.fact(format!("{prefix}n_parameters"), &self.whole.len())?;
        for (i, gradient) in self.whole.iter().enumerate() {
            if let Some(gradient) = gradient {
                to.tensor(format!("{prefix}{i}"), gradient)?;
            }
        }
        for (table, RowGradient { rows, values, .. }) in &self.rows {
            to.fact(format!("{prefix}{ROWS}{table}"), rows)?;
            to.tensor(format!("{prefix}{ROWS}{table}"), values)?;
        }
        Ok(())
    }

    /// The gradients that [`snapshot`](Self::snapshot) saved.
    pub(crate) fn restored(prefix: &str, from: &mut Restored, device: &Device) -> Result<Self> {
        let n: usize = from.fact(&format!("{prefix}n_parameters"))?;
        let whole = (0..n)
            .map(|i| {
                let name = format!("{prefix}{i}");
                from.has(&name).then(|| from.tensor(&name, device)).transpose()
            })
            .collect::<Result<_>>()?;
        let mut rows = BTreeMap::new();
        for table in from.names(&format!("{prefix}{ROWS}")) {
            let name = format!("{prefix}{ROWS}{table}");
            let gradient = RowGradient::new(from.fact(&name)?, from.tensor(&name, device)?);
            rows.insert(table, gradient);
        }
        Ok(Self { whole, rows })
    }

    /// Euclidean norm of all gradients as one vector.
    ///
    /// # Errors
    /// If a device fails.
    pub fn norm(&self) -> Result<f64> {
        global_norm(self.tensors())
    }

    /// The same, found where the gradients are: on a device other than the CPU it stays there.
    pub(crate) fn norm_in_place(&self) -> Result<Scalar> {
        clip::norm(self.tensors())
    }

    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.whole.iter().flatten().chain(self.rows.values().map(|rows| &rows.values))
    }

    /// The sum of the gradients of two batches.
    ///
    /// # Errors
    /// If they belong to different parameters, or a device fails.
    pub fn plus(&self, other: &Self) -> Result<Self> {
        if self.whole.len() != other.whole.len() {
            let reason = "two gradients to be added belong to different parameters".to_string();
            return Err(Error::Gradient { reason });
        }
        let whole = self
            .whole
            .iter()
            .zip(&other.whole)
            .map(|(a, b)| {
                Ok(match (a, b) {
                    (Some(a), Some(b)) => Some((a + b)?),
                    (one, None) | (None, one) => one.clone(),
                })
            })
            .collect::<Result<_>>()?;
        let mut rows = self.rows.clone();
        for (name, gradient) in &other.rows {
            let sum = match rows.get(name) {
                Some(own) => own.plus(gradient)?,
                None => gradient.clone(),
            };
            rows.insert(name.clone(), sum);
        }
        Ok(Self { whole, rows })
    }
}
