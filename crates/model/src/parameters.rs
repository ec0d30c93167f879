//! The network's parameters: names, shapes and seeded initial values.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarMap;
use recurrent::SeededRng;

use crate::config::ModelConfig;
use crate::error::Result;
use crate::recurrent_layer::RecurrentLayer;

/// The name of the embedding's table, `[V, E]`.
pub const TABLE: &str = "embedding.weight";

/// The name of the linear path's table, `[ngram_buckets, O]`.
pub const NGRAM_TABLE: &str = "ngrams.weight";

/// Divides the network's logits by a number while `work` looks at the variables, by dividing the
/// weights whose products are added up to logits; afterwards they are what they were.
///
/// # Errors
/// If the device fails, or `work` does.
pub fn with_scaled_logits<R, E: From<candle_core::Error>>(
    variables: &VarMap,
    divisor: f64,
    work: impl FnOnce() -> std::result::Result<R, E>,
) -> std::result::Result<R, E> {
    let mut by_name = sorted(variables);
    let outputs = ["fc.weight", "fc.bias", NGRAM_TABLE];
    let outputs = outputs.into_iter().filter_map(|name| by_name.remove(name));
    let saved: Vec<(Var, Tensor)> =
        outputs.map(|var| Ok((var.clone(), var.copy()?))).collect::<candle_core::Result<_>>()?;
    for (var, weights) in &saved {
        var.set(&(weights / divisor)?)?;
    }
    let result = work();
    for (var, weights) in &saved {
        var.set(weights)?;
    }
    result
}

/// Variables for every parameter, drawn from one seed in a fixed order.
pub(crate) fn init(
    config: &ModelConfig,
    vocab_size: usize,
    seed: u64,
    device: &Device,
) -> Result<VarMap> {
    let mut rng = SeededRng::new(seed);
    let embedding = rng.standard_normal((vocab_size, config.embedding_dim), DType::F32, device)?;
    let mut parameters = vec![(TABLE.to_string(), (embedding * config.embedding_std)?)];
    parameters.extend(RecurrentLayer::initial_weights(config, &mut rng, device)?);
    let features = config.pooled_size();
    let bound = 1.0 / (features as f32).sqrt();
    for (name, shape) in
        [("fc.weight", vec![config.output_size, features]), ("fc.bias", vec![config.output_size])]
    {
        let values = rng.uniform((-bound, bound), shape, DType::F32, device)?;
        parameters.push((name.to_string(), values));
    }

    if config.ngram_buckets > 0 {
        let shape = (config.ngram_buckets, config.output_size);
        parameters.push((NGRAM_TABLE.to_string(), Tensor::zeros(shape, DType::F32, device)?));
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

/// A map's tensors in the order of their names, so that whatever walks over them (saving,
/// clipping, optimising) does so alike in every run.
pub fn sorted(variables: &VarMap) -> BTreeMap<String, Var> {
    let by_name = variables.data().lock().unwrap_or_else(PoisonError::into_inner);
    by_name.iter().map(|(name, var)| (name.clone(), var.clone())).collect()
}

/// Name and shape of every parameter of a network.
pub(crate) fn shapes(config: &ModelConfig, vocab_size: usize) -> BTreeMap<String, Vec<usize>> {
    let mut shapes: BTreeMap<String, Vec<usize>> =
        RecurrentLayer::parameter_shapes(config).into_iter().collect();
    shapes.insert(TABLE.to_string(), vec![vocab_size, config.embedding_dim]);
    shapes.insert("fc.weight".to_string(), vec![config.output_size, config.pooled_size()]);
    shapes.insert("fc.bias".to_string(), vec![config.output_size]);
    if config.ngram_buckets > 0 {
        let shape = vec![config.ngram_buckets, config.output_size];
        shapes.insert(NGRAM_TABLE.to_string(), shape);
    }
    shapes
}
