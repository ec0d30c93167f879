//! The weights that a training starts from.

use candle_core::{Device, Tensor};
use model::{
    NGRAM_BIAS, NGRAM_TABLE, NgramStart, NgramVocabulary, OUTPUT_PARAMETERS, TABLE, Vocabularies,
    Weights,
};

use super::start_model::Start;
use crate::error::Result;

/// Where the linear path starts.
#[derive(Debug, Clone)]
pub(crate) struct LinearStart {
    /// `[n-grams, O]`; 0 for n-grams that the model does not have.
    pub(crate) weights: Vec<f32>,
    /// `[O]`.
    pub(crate) intercepts: Vec<f32>,
}

impl Start {
    /// The vocabularies of the network: n-grams of the model, and those of the new texts, `learned`, that it lacks. Of
    /// outputs that are made anew, the n-grams are those of the new texts alone.
    ///
    /// # Errors
    /// That of `learned`, unless it is only that the new texts have no n-grams.
    pub(crate) fn vocabularies(
        &self,
        learned: model::Result<Vocabularies>,
        max_ngrams: usize,
    ) -> Result<Vocabularies> {
        let Some(own) = self.model.ngrams().filter(|_| self.keeps_outputs) else {
            return Ok(learned?);
        };
        let ngrams = match learned {
            Ok(Vocabularies { ngrams: Some(new), .. }) => {
                own.grown(&new, self.renumbered(), max_ngrams)
            }
            Ok(_) | Err(model::Error::NoNgrams { .. }) => {
                own.grown(own, self.renumbered(), max_ngrams)
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Vocabularies { n_ids: self.n_ids, ngrams: Some(ngrams) })
    }

    /// The weights of a network with such n-grams as far as they are the model's, f32 on the CPU.
    ///
    /// # Errors
    /// If candle fails.
    pub(crate) fn weights(&self, ngrams: Option<&NgramVocabulary>) -> Result<Weights> {
        let mut weights = self.model.weights.clone();
        if let Some(table) = weights.get_mut(TABLE) {
            *table = self.table(table)?;
        }
        if !self.keeps_outputs {
            weights.retain(|name, _| !OUTPUT_PARAMETERS.contains(&name.as_str()));
        } else if let Some(ngrams) = ngrams
            && let Some(LinearStart { weights: table, .. }) = self.linear(ngrams)?
        {
            let shape = (ngrams.len(), table.len() / ngrams.len().max(1));
            let table = Tensor::from_vec(table, shape, &Device::Cpu)?;
            weights.insert(NGRAM_TABLE.to_string(), table);
        }
        Ok(weights)
    }

    /// The embedding's table with rows for new words, which start with the vector of the unknown word: the network
    /// reads a text as before, until it has learned more.
    fn table(&self, own: &Tensor) -> Result<Tensor> {
        let n_new = self.n_new_words();
        if n_new == 0 {
            return Ok(own.clone());
        }
        let (n_own, width) = own.dims2()?;
        let unknown = own.narrow(0, n_own.saturating_sub(1), 1)?;
        Ok(Tensor::cat(&[own, &unknown.broadcast_as((n_new, width))?.contiguous()?], 0)?)
    }

    /// How many of these n-grams of the network's linear path the model does not have; 0 if that path is made anew.
    pub(crate) fn n_new_ngrams(&self, ngrams: &NgramVocabulary) -> usize {
        let own = self.model.ngrams().filter(|_| self.keeps_outputs);
        own.map_or(0, |own| {
            let starts = own.starts_in(ngrams, self.renumbered());
            starts.iter().filter(|start| start.is_none()).count()
        })
    }

    /// Where the linear path over these n-grams starts; `None` if it is made anew.
    ///
    /// # Errors
    /// If candle fails.
    pub(crate) fn linear(&self, ngrams: &NgramVocabulary) -> Result<Option<LinearStart>> {
        let of = |name| self.model.weights.get(name);
        let (Some(own), Some(table), Some(bias), true) =
            (self.model.ngrams(), of(NGRAM_TABLE), of(NGRAM_BIAS), self.keeps_outputs)
        else {
            return Ok(None);
        };
        let (table, intercepts): (Vec<f32>, Vec<f32>) =
            (table.flatten_all()?.to_vec1()?, bias.to_vec1()?);
        let n_outputs = intercepts.len();
        let mut weights = vec![0f32; ngrams.len() * n_outputs];
        let starts = own.starts_in(ngrams, self.renumbered());
        for (start, weights) in starts.into_iter().zip(weights.chunks_exact_mut(n_outputs.max(1))) {
            let Some(NgramStart { row, factor }) = start else { continue };
            let of_model = &table[row as usize * n_outputs..][..n_outputs];
            weights.iter_mut().zip(of_model).for_each(|(to, weight)| *to = weight * factor);
        }
        Ok(Some(LinearStart { weights, intercepts }))
    }
}
