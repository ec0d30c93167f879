//! The linear path beside the recurrent layers: for each output, a weight for each n-gram of a text and an
//! intercept, added to the logits (wide and deep learning, Cheng et al. 2016).
//!
//! It runs on the CPU, where the ids are: a text has a few hundred n-grams, and each costs one
//! multiplication for each output.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use rayon::prelude::*;
use recurrent::numbers_of;

use crate::config::ModelConfig;
use crate::error::Result;
use crate::ngrams::NgramVocabulary;
use crate::parameters::{NGRAM_BIAS, NGRAM_TABLE};
use crate::path_scaling::ScaledPaths;
use crate::tokens::Tokens;
use crate::vocabularies::Vocabularies;

/// A linear model over n-grams.
#[derive(Debug, Clone)]
pub(crate) struct LinearPath {
    vocabulary: NgramVocabulary,
    /// `[n-grams, O]`, f32, on the CPU.
    table: Tensor,
    /// `[O]`, f32, on the CPU.
    bias: Tensor,
}

impl LinearPath {
    /// Loads the parameters from `vb`; `None` if the configuration has no such path.
    pub(crate) fn new(
        config: &ModelConfig,
        vocabularies: &Vocabularies,
        vb: &VarBuilder,
    ) -> Result<Option<Self>> {
        let n_ngrams = vocabularies.n_ngrams(config)?;
        let Some(vocabulary) = vocabularies.ngrams.clone().filter(|_| n_ngrams > 0) else {
            return Ok(None);
        };
        let on_cpu = |tensor: Tensor| {
            tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.detach().contiguous()
        };
        let table = on_cpu(vb.get((n_ngrams, config.outputs()), NGRAM_TABLE)?)?;
        let bias = on_cpu(vb.get(config.outputs(), NGRAM_BIAS)?)?;
        Ok(Some(Self { vocabulary, table, bias }))
    }

    /// The logits of this path, `[B, O]`, f32, on `device`. `scaled`: scales by length, with which the log-count ratios
    /// and the bias are added, too.
    pub(crate) fn logits(
        &self,
        tokens: &Tokens,
        scaled: Option<&ScaledPaths>,
        device: &Device,
    ) -> Result<Tensor> {
        let n_outputs = self.bias.dim(0)?;
        let bias: Vec<f32> = self.bias.to_vec1()?;
        let storage = self.table.storage_and_layout();
        let weights: &[f32] = numbers_of(&storage)?;
        let mut logits = bias.repeat(tokens.n_rows());
        logits
            .par_chunks_exact_mut(n_outputs)
            .zip(tokens.ids.par_chunks_exact(tokens.steps.max(1)))
            .zip(&tokens.lengths)
            .for_each(|((logits, ids), &length)| {
                let (ngrams, values) = self.vocabulary.of_text(&ids[..length]);
                for (&ngram, value) in ngrams.iter().zip(values) {
                    let row = &weights[ngram as usize * n_outputs..][..n_outputs];
                    logits.iter_mut().zip(row).for_each(|(sum, weight)| *sum += value * weight);
                }
                if let Some(scaled) = scaled {
                    let ratio =
                        scaled.scales.ratios.map(|_| self.vocabulary.ratio_of_rows(&ngrams));
                    scaled.of_linear(logits, length, ratio.unwrap_or(0.0));
                }
            });
        Ok(Tensor::from_vec(logits, (tokens.n_rows(), n_outputs), device)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::config::Padding;
    use crate::ngrams::{NgramChoice, TextClasses};

    #[test]
    fn logits_are_the_weighted_values_of_the_ngrams_plus_the_intercept() -> Result<()> {
        let texts = [[0u32, 7, 8, 7, 8], [0, 0, 0, 0, 0], [0, 0, 7, 9, 9]];
        let choice = NgramChoice { order: 2, min_texts: 1, max_ngrams: None };
        let vocabulary = NgramVocabulary::learn(&texts, TextClasses::OneOf(&[1, 0, 0]), 2, choice);
        assert_eq!(vocabulary.len(), 7);
        let config = ModelConfig { ngram_order: 2, output_size: Some(2), ..ModelConfig::default() };
        let numbers: Vec<f32> = (0..14).map(|i| (i as f32).sin()).collect();
        let table = Tensor::from_vec(numbers.clone(), (7, 2), &Device::Cpu)?;
        let bias = Tensor::new(&[0.25f32, -3.0], &Device::Cpu)?;
        let tensors = [(NGRAM_TABLE, table), (NGRAM_BIAS, bias)];
        let tensors: HashMap<_, _> =
            tensors.into_iter().map(|(name, tensor)| (name.to_string(), tensor)).collect();
        let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let vocabularies = Vocabularies { n_ids: 10, ngrams: Some(vocabulary.clone()) };
        let path = LinearPath::new(&config, &vocabularies, &vb)?;
        for padding in [Padding::Compute, Padding::Skip] {
            let tokens = Tokens::new(&Tensor::new(&texts, &Device::Cpu)?, padding, 10)?;
            let logits = path.as_ref().map(|path| path.logits(&tokens, None, &Device::Cpu));
            let logits: Vec<Vec<f32>> = logits.transpose()?.map_or(Ok(vec![]), |l| l.to_vec2())?;
            for (text, got) in texts.iter().zip(&logits) {
                let (ngrams, values) = vocabulary.of_text(text);
                for (output, (got, bias)) in got.iter().zip([0.25, -3.0]).enumerate() {
                    let weight = |ngram: &u32| f64::from(numbers[*ngram as usize * 2 + output]);
                    let products =
                        ngrams.iter().zip(&values).map(|(n, v)| weight(n) * f64::from(*v));
                    let expected = products.sum::<f64>() + bias;
                    assert!((f64::from(*got) - expected).abs() < 1e-5, "{got} {expected}");
                }
            }
            assert_eq!(logits[1], [0.25, -3.0]);
        }
        Ok(())
    }
}
