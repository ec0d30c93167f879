//! The weights that a training starts from.

use candle_core::{Device, Tensor};
use model::{
    NGRAM_BIAS, NGRAM_TABLE, NgramStart, NgramVocabulary, OUTPUT_PARAMETERS, PATH_BIAS,
    PATH_SCALES, TABLE, Vocabularies, Weights,
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
        // Scales by length are fitted anew at each validation, on the logits of the paths as they are.
        weights.retain(|name, _| name != PATH_SCALES && name != PATH_BIAS);
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use model::RecurrentClassifier;

    use crate::from_model::{StartModel, prepare_from};
    use crate::observer::{Never, Silent};
    use crate::prepare::SplitPlan;
    use crate::small_runs::{cases, table};

    fn trained(parent: &Path) -> Arc<StartModel> {
        let [_, every_phase, ..] = cases();
        every_phase.run(parent, None, &Never, &mut Silent).unwrap();
        Arc::new(StartModel::load(&parent.join("models/m")).unwrap())
    }

    #[test]
    fn the_network_starts_with_the_logits_of_the_model_also_where_words_are_new() {
        let parent = tempfile::tempdir().unwrap();
        let model = trained(parent.path());
        // Words that the model does not know, often enough for an id of their own.
        let texts: Vec<String> = table()
            .texts()
            .enumerate()
            .map(|(i, text)| format!("{text} new{} rare{i}", i % 3))
            .collect();
        let new = dataset::LabelledTexts::with_targets(
            &texts,
            table().targets().clone(),
            table().classes().clone(),
        );
        let data = prepare_from(&new.unwrap(), &SplitPlan::default(), &model).unwrap();
        let start = data.start.clone().unwrap();
        assert_eq!((start.n_new_words(), start.keeps_outputs), (3, true));
        let no_ngrams = Err(model::Error::NoNgrams { min_texts: 2 });
        let vocabularies = start.vocabularies(no_ngrams, usize::MAX).unwrap();
        let weights = start.weights(vocabularies.ngrams.as_ref()).unwrap();
        let config = model.classifier.network().config();
        let network = RecurrentClassifier::frozen(config, vocabularies, &weights).unwrap();

        let texts: Vec<&str> = vec!["w2 w4 w12", "w9 nobody w16 knows w4", "", "w6 unheard w8 of"];
        let logits = |network: &RecurrentClassifier, encoder: &text_preprocessing::TextEncoder| {
            let ids = encoder.encode_batch(&texts).unwrap();
            let rows: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
            let of_paths = network.path_logits_of_rows(&rows, 24).unwrap();
            [of_paths.recurrent, of_paths.linear.unwrap()]
                .map(|logits| logits.flatten_all().unwrap().to_vec1::<f32>().unwrap())
        };
        let before = logits(model.classifier.network(), model.encoder());
        let now = logits(&network, &data.encoder);
        assert_ne!(model.encoder().unknown_id(), data.encoder.unknown_id());
        for (before, now) in before.iter().zip(&now) {
            // The share of a path that is of little use is small, and so are its logits.
            let largest = before.iter().fold(0f32, |most, logit| most.max(logit.abs()));
            assert!(before.iter().any(|logit| (logit - before[0]).abs() > 0.01 * largest));
            for (before, now) in before.iter().zip(now) {
                assert!((before - now).abs() < 1e-5 * largest, "{before} {now} {largest}");
            }
        }
    }
}
