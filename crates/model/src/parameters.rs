//! The network's parameters: names, shapes and seeded initial values.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarMap;
use recurrent::SeededRng;

use crate::config::ModelConfig;
use crate::error::Result;
use crate::pooling::PoolingPart;
use crate::recurrent_layer;
use crate::vocabularies::Vocabularies;

/// The name of the embedding's table, `[V, E]`.
pub const TABLE: &str = "embedding.weight";

/// The name of the linear path's table, `[n-grams, O]`.
pub const NGRAM_TABLE: &str = "ngrams.weight";

/// The name of the linear path's intercept, `[O]`.
pub const NGRAM_BIAS: &str = "ngrams.bias";

/// The name of attention's weight, `[1, F]`.
pub(crate) const ATTENTION: &str = "attention.weight";

pub(crate) fn attention_shape(config: &ModelConfig) -> Vec<usize> {
    vec![1, config.output_features()]
}

/// Scales applied to the logits of a network's two paths.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PathScales {
    /// Scale of the recurrent layers' logits.
    pub recurrent: f64,
    /// Scale of the linear path's logits, if there is one.
    pub linear: f64,
    /// Added to the logits of either path before they are scaled.
    pub shift: f64,
}

impl Default for PathScales {
    /// No change.
    fn default() -> Self {
        Self { recurrent: 1.0, linear: 1.0, shift: 0.0 }
    }
}

/// Runs `work` with the logits of a network's paths scaled, by scaling the weights and biases that
/// produce them; then restores the variables.
///
/// # Errors
/// If the device fails, or `work` does.
pub fn with_scaled_logits<R, E: From<candle_core::Error>>(
    variables: &VarMap,
    scales: PathScales,
    work: impl FnOnce() -> std::result::Result<R, E>,
) -> std::result::Result<R, E> {
    let PathScales { recurrent, linear, shift } = scales;
    let mut by_name = sorted(variables);
    let outputs = [
        ("fc.weight", recurrent, 0.0),
        ("fc.bias", recurrent, recurrent * shift),
        (NGRAM_TABLE, linear, 0.0),
        (NGRAM_BIAS, linear, linear * shift),
    ];
    let outputs = outputs
        .into_iter()
        .filter_map(|(name, scale, add)| by_name.remove(name).map(|var| (var, scale, add)));
    let saved: Vec<(Var, (f64, f64), Tensor)> = outputs
        .map(|(var, scale, add)| Ok((var.clone(), (scale, add), var.copy()?)))
        .collect::<candle_core::Result<_>>()?;
    for (var, (scale, add), weights) in &saved {
        var.set(&weights.affine(*scale, *add)?)?;
    }
    let result = work();
    for (var, _, weights) in &saved {
        var.set(weights)?;
    }
    result
}

/// Variables for every parameter, drawn from one seed in a fixed order.
pub(crate) fn init(
    config: &ModelConfig,
    vocabularies: &Vocabularies,
    seed: u64,
    device: &Device,
) -> Result<VarMap> {
    let mut rng = SeededRng::new(seed);
    let embedding =
        rng.standard_normal((vocabularies.n_ids, config.embedding_dim), DType::F32, device)?;
    let mut parameters = vec![(TABLE.to_string(), (embedding * config.embedding_std)?)];
    parameters.extend(recurrent_layer::initial_weights(config, &mut rng, device)?);
    let features = config.pooled_size();
    let bound = 1.0 / (features as f32).sqrt();
    for (name, shape) in
        [("fc.weight", vec![config.output_size, features]), ("fc.bias", vec![config.output_size])]
    {
        let values = rng.uniform((-bound, bound), shape, DType::F32, device)?;
        parameters.push((name.to_string(), values));
    }
    if config.pooling.has(PoolingPart::Attention) {
        let shape = attention_shape(config);
        let bound = 1.0 / (shape[1] as f32).sqrt();
        let values = rng.uniform((-bound, bound), shape, DType::F32, device)?;
        parameters.push((ATTENTION.to_string(), values));
    }
    let n_ngrams = vocabularies.n_ngrams(config)?;
    if n_ngrams > 0 {
        // Fitted, not trained: no initial values to draw.
        for (name, shape) in linear_path_shapes(config, n_ngrams) {
            parameters.push((name.to_string(), Tensor::zeros(shape, DType::F32, device)?));
        }
    }

    let variables = VarMap::new();
    {
        let mut by_name = variables.data().lock().unwrap_or_else(PoisonError::into_inner);
        for (name, values) in parameters {
            by_name.insert(name, Var::from_tensor(&values)?);
        }
    }
    Ok(variables)
}

/// A map's tensors sorted by name, so that saving, clipping and optimising visit them in the same order
/// in every run.
pub fn sorted(variables: &VarMap) -> BTreeMap<String, Var> {
    let by_name = variables.data().lock().unwrap_or_else(PoisonError::into_inner);
    by_name.iter().map(|(name, var)| (name.clone(), var.clone())).collect()
}

/// Name and shape of every parameter of a network.
///
/// # Errors
/// If the n-grams of a linear path are missing.
pub(crate) fn shapes(
    config: &ModelConfig,
    vocabularies: &Vocabularies,
) -> Result<BTreeMap<String, Vec<usize>>> {
    let mut shapes: BTreeMap<String, Vec<usize>> =
        recurrent_layer::parameter_shapes(config).into_iter().collect();
    shapes.insert(TABLE.to_string(), vec![vocabularies.n_ids, config.embedding_dim]);
    shapes.insert("fc.weight".to_string(), vec![config.output_size, config.pooled_size()]);
    shapes.insert("fc.bias".to_string(), vec![config.output_size]);
    if config.pooling.has(PoolingPart::Attention) {
        shapes.insert(ATTENTION.to_string(), attention_shape(config));
    }
    let n_ngrams = vocabularies.n_ngrams(config)?;
    if n_ngrams > 0 {
        let of_path = linear_path_shapes(config, n_ngrams);
        shapes.extend(of_path.map(|(name, shape)| (name.to_string(), shape)));
    }
    Ok(shapes)
}

fn linear_path_shapes(config: &ModelConfig, n_ngrams: usize) -> [(&'static str, Vec<usize>); 2] {
    let outputs = config.output_size;
    [(NGRAM_TABLE, vec![n_ngrams, outputs]), (NGRAM_BIAS, vec![outputs])]
}
