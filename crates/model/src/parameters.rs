//! The network's parameters: names, shapes and seeded initial values.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarMap;
use recurrent::{SeededRng, settings};

use crate::config::ModelConfig;
use crate::error::Result;
use crate::path_scaling::{LengthScales, Paths};
use crate::pooling::PoolingPart;
use crate::recurrent_layer;
use crate::vocabularies::Vocabularies;

/// The name of the embedding's table, `[V, E]`.
pub const TABLE: &str = "embedding.weight";

/// The name of the linear path's table, `[n-grams, O]`.
pub const NGRAM_TABLE: &str = "ngrams.weight";

/// The name of the linear path's intercept, `[O]`.
pub const NGRAM_BIAS: &str = "ngrams.bias";

/// The name of the fully connected layer's weight, `[O, pooled]`.
pub(crate) const FC_WEIGHT: &str = "fc.weight";

/// The name of its bias, `[O]`.
pub(crate) const FC_BIAS: &str = "fc.bias";

/// The name of the paths' scales by length, `[paths, 3]`: a row each for the recurrent layers, the linear path and the
/// log-count ratios, as far as the network has them, with the scales at 8, at 80 and at 800 steps.
pub const PATH_SCALES: &str = "paths.scales";

/// The name of what is added to the scaled logits of all paths, `[O]`.
pub const PATH_BIAS: &str = "paths.bias";

/// The names of the parameters that follow the recurrent layers: they are for certain classes.
pub const OUTPUT_PARAMETERS: [&str; 6] =
    [FC_WEIGHT, FC_BIAS, NGRAM_TABLE, NGRAM_BIAS, PATH_SCALES, PATH_BIAS];

/// The names of the parameters that receive no gradient: they are fitted by themselves.
pub const FITTED_PARAMETERS: [&str; 4] = [NGRAM_TABLE, NGRAM_BIAS, PATH_SCALES, PATH_BIAS];

/// The name of attention's weight, `[1, F]`.
pub(crate) const ATTENTION: &str = "attention.weight";

pub(crate) fn attention_shape(config: &ModelConfig) -> Vec<usize> {
    vec![1, config.output_features()]
}

/// How a network's weights start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InitConfig {
    /// Standard deviation of the embedding's normally distributed weights.
    pub embedding_std: f64,
    /// Decides every weight.
    pub seed: u64,
}

impl Default for InitConfig {
    fn default() -> Self {
        Self { embedding_std: 1.0, seed: 0 }
    }
}

/// Variables for every parameter, drawn from one seed in a fixed order.
pub(crate) fn init(
    config: &ModelConfig,
    vocabularies: &Vocabularies,
    init: InitConfig,
    device: &Device,
) -> Result<VarMap> {
    let InitConfig { embedding_std, seed } = init;
    settings::above_0("embedding_std", embedding_std)?;
    let mut rng = SeededRng::new(seed);
    let embedding =
        rng.standard_normal((vocabularies.n_ids, config.embedding_dim), DType::F32, device)?;
    let mut parameters = vec![(TABLE.to_string(), (embedding * embedding_std)?)];
    parameters.extend(recurrent_layer::initial_weights(config, &mut rng, device)?);
    let (outputs, features) = (config.outputs(), config.pooled_size());
    let bound = 1.0 / (features as f32).sqrt();
    for (name, shape) in [(FC_WEIGHT, vec![outputs, features]), (FC_BIAS, vec![outputs])] {
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
    if let Some(paths) = Paths::by_length(config, vocabularies)? {
        let scales = LengthScales::initial(paths).tensor(device)?;
        parameters.push((PATH_SCALES.to_string(), scales));
        let bias = Tensor::zeros(config.outputs(), DType::F32, device)?;
        parameters.push((PATH_BIAS.to_string(), bias));
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

/// The weights of a network by name.
pub type Weights = BTreeMap<String, Tensor>;

/// The current values of variables, which on the CPU share their memory with them.
pub fn weights(variables: &VarMap) -> Weights {
    let values = sorted(variables).into_iter();
    values.map(|(name, var)| (name, var.as_detached_tensor())).collect()
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
    shapes.insert(FC_WEIGHT.to_string(), vec![config.outputs(), config.pooled_size()]);
    shapes.insert(FC_BIAS.to_string(), vec![config.outputs()]);
    if config.pooling.has(PoolingPart::Attention) {
        shapes.insert(ATTENTION.to_string(), attention_shape(config));
    }
    let n_ngrams = vocabularies.n_ngrams(config)?;
    if n_ngrams > 0 {
        let of_path = linear_path_shapes(config, n_ngrams);
        shapes.extend(of_path.map(|(name, shape)| (name.to_string(), shape)));
    }
    if let Some(paths) = Paths::by_length(config, vocabularies)? {
        let (n_paths, n_scales) = paths.shape();
        shapes.insert(PATH_SCALES.to_string(), vec![n_paths, n_scales]);
        shapes.insert(PATH_BIAS.to_string(), vec![config.outputs()]);
    }
    Ok(shapes)
}

fn linear_path_shapes(config: &ModelConfig, n_ngrams: usize) -> [(&'static str, Vec<usize>); 2] {
    let outputs = config.outputs();
    [(NGRAM_TABLE, vec![n_ngrams, outputs]), (NGRAM_BIAS, vec![outputs])]
}
