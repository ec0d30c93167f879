//! Recipes are made for thousands of texts. Of some hundreds, an epoch has a handful of steps, and a word that occurs
//! once is worth its row of the vocabulary.

use serde::{Deserialize, Serialize};
use text_preprocessing::PreprocessingConfig;

use crate::config::TrainingConfig;
use crate::prepare::SplitPlan;

/// What becomes of settings that were made for many texts when there are few.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FewTexts {
    /// Nothing.
    #[default]
    Keep,
    /// They follow the number of training texts. The batch size shrinks, so that an epoch has about 100 steps, but not
    /// below 8. With fewer than 2,000 texts, words that occur once are known, there are three times as many epochs, at
    /// least 12, and no windows: teachers of so few texts know little of them.
    Adapt,
}

/// The number of training texts that settings follow, of splits of these sizes: in a cross-validation one for all folds,
/// whose sizes may differ, so that all are trained with the same settings.
pub(crate) fn counted(plan: &SplitPlan, [n_train, n_validation, n_test]: [usize; 3]) -> usize {
    let Some(fold) = plan.fold else { return n_train };
    let outside = 1.0 - 1.0 / fold.of() as f64;
    let for_training = plan.shares.train / (plan.shares.train + plan.shares.validation);
    ((n_train + n_validation + n_test) as f64 * outside * for_training).round() as usize
}

/// Fewer training texts than these are few.
const MANY: usize = 2000;
/// Batches of an epoch, below which the batch size shrinks.
const STEPS: usize = 100;
/// The batch size does not shrink below this, unless there are fewer texts.
const SMALLEST_BATCH: usize = 8;
/// How many times the recipe's epochs few texts are gone through.
const TIMES_EPOCHS: usize = 3;
/// At least so often: a recipe that is quick with many texts would be over before it begins.
const FEWEST_EPOCHS: usize = 12;

impl FewTexts {
    /// How `n_train` training texts become ids.
    pub(crate) fn preprocessing(
        self,
        config: &PreprocessingConfig,
        n_train: usize,
    ) -> PreprocessingConfig {
        let min_frequency = match self {
            Self::Adapt if n_train < MANY => 1,
            _ => config.min_frequency,
        };
        PreprocessingConfig { min_frequency, ..config.clone() }
    }

    /// How a network is trained on `n_train` texts.
    pub(crate) fn training(config: &TrainingConfig, n_train: usize) -> TrainingConfig {
        let mut training = config.clone();
        if config.few_texts == Self::Adapt {
            let batch = (n_train / STEPS).max(SMALLEST_BATCH).min(n_train.max(1));
            training.batch_size = training.batch_size.min(batch);
            if n_train < MANY {
                training.epochs = training.epochs.saturating_mul(TIMES_EPOCHS).max(FEWEST_EPOCHS);
                training.windows = 0;
            }
        }
        training
    }
}

#[cfg(test)]
mod tests {
    use dataset::Fold;

    use super::*;

    fn adapted(epochs: usize, n_train: usize) -> (usize, usize, u64) {
        let config = TrainingConfig {
            few_texts: FewTexts::Adapt,
            batch_size: 50,
            epochs,
            ..TrainingConfig::default()
        };
        let training = FewTexts::training(&config, n_train);
        let words = PreprocessingConfig { min_frequency: 3, ..PreprocessingConfig::default() };
        let preprocessing = config.few_texts.preprocessing(&words, n_train);
        (training.batch_size, training.epochs, preprocessing.min_frequency)
    }

    #[test]
    fn settings_follow_the_number_of_texts() {
        for (n_train, expected) in [
            (5, (5, 15, 1)),
            (240, (8, 15, 1)),
            (1500, (15, 15, 1)),
            (2000, (20, 5, 3)),
            (5000, (50, 5, 3)),
            (20_000, (50, 5, 3)),
        ] {
            assert_eq!(adapted(5, n_train), expected, "{n_train}");
        }
        assert_eq!(adapted(2, 1500).1, 12);
        let windows = |n_train| {
            let few_texts = FewTexts::Adapt;
            let config = TrainingConfig { few_texts, windows: 2, ..TrainingConfig::default() };
            FewTexts::training(&config, n_train).windows
        };
        assert_eq!((windows(1999), windows(2000)), (0, 2));
    }

    #[test]
    fn all_folds_have_the_settings_of_one_number_of_texts() {
        let of_fold = |number, sizes| {
            counted(&SplitPlan { fold: Fold::new(number, 5), ..SplitPlan::default() }, sizes)
        };
        // Folds of 563 and of 562 texts, on both sides of a limit.
        assert_eq!(of_fold(1, [1999, 250, 563]), of_fold(5, [2000, 250, 562]));
        assert_eq!(of_fold(1, [1999, 250, 563]), 2000);
        assert_eq!(counted(&SplitPlan::default(), [1999, 250, 563]), 1999);
    }

    #[test]
    fn settings_are_kept_unless_they_are_to_follow() {
        let config = TrainingConfig::default();
        assert_eq!(FewTexts::training(&config, 10), config);
        let words = PreprocessingConfig { min_frequency: 3, ..PreprocessingConfig::default() };
        assert_eq!(FewTexts::Keep.preprocessing(&words, 10), words);
    }
}
