//! Networks and trainings on a GPU give what they give on the CPU. Needs the feature `cuda` and a CUDA device.
//!
//! The largest deviation of each comparison is printed: run with `--nocapture` to see them.
#![cfg(feature = "cuda")]
#![allow(clippy::panic, clippy::unwrap_used)] // What cannot be set up is a failure of the test.

mod parity;
mod small_runs;

use std::path::Path;
use std::sync::Arc;

use candle_core::cuda::gemm_reduced_precision_f32;
use candle_core::{DType, Device, Tensor, Var};
use classifier::Classifier;
use classifier::folder::{Existing, OutputFolder};
use dataset::{BatchPadding, Loader, LoaderConfig, Order, Targets};
use model::{
    DeviceChoice, InitConfig, ModelConfig, NGRAM_BIAS, NGRAM_TABLE, NgramChoice, Padding,
    PathLogits, PoolingPart, RecurrentClassifier, TABLE, Task, TaskKind, TextClasses, Tokens,
    Vocabularies, Weights,
};
use parity::{Faults, Named, made_up_split, made_up_texts};
use recurrent::{SeededRng, State as _};
use small_runs::{Case, cases, table};
use trainer::{
    BatchOrder, ClassWeights, Event, Never, Objective, Observer, Recipe, Result, Session, Stamp,
    StepPlan, TrainingReport, TrainingStep, global_norm, logits,
};

/// Sums of f32 in two orders.
const ROUNDING: f64 = 1e-5;
/// Networks of up to 128 hidden units run in cuDNN's persistent kernels, which approximate the exponential function. 2.1e-5
/// was seen, in the small logits of an untrained network.
const PERSISTENT: f64 = 5e-5;

fn device() -> Device {
    let opened = DeviceChoice::Cuda.open();
    let device = opened.unwrap_or_else(|e| panic!("this test needs a CUDA device: {e}"));
    assert!(!gemm_reduced_precision_f32(), "TF32 is on: its products are too coarse for this test");
    device
}

// One pass of a network.

/// Texts in a batch, and steps of the longest.
const N_TEXTS: usize = 24;
const N_STEPS: usize = 200;
/// Ids of a network that runs once.
const N_IDS: usize = 5_000;
/// Where a feature's two largest outputs are closer than this, rounding may decide which of them gets the gradient of
/// max pooling.
const TIE: f32 = 1e-6;

/// A network with its task.
struct Network {
    name: &'static str,
    recipe: Recipe,
    config: ModelConfig,
    task: Task,
}

impl Network {
    fn new(name: &'static str, recipe: &str, settings: &[&str], task: Task) -> Self {
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        let recipe = Recipe::load(recipe, &settings).unwrap();
        let config = recipe.model.for_task(&task).unwrap();
        Self { name, recipe, config, task }
    }

    /// All that run here, in the sizes of the recipes.
    fn all() -> Vec<Self> {
        let binary = |name, recipe, settings| Self::new(name, recipe, settings, Task::binary());
        let five = Task::new(TaskKind::OneOf, ["a", "b", "c", "d", "e"]).unwrap();
        vec![
            binary("notebook", "notebook", &[]),
            binary("default", "default", &[]),
            binary("quick", "quick", &[]),
            binary("accurate", "accurate", &[]),
            binary("LSTM", "default", &["model.cell=lstm"]),
            binary(
                "two layers of a GRU",
                "default",
                &["model.num_layers=2", "regularization.layer_dropout=0.4"],
            ),
            binary("RNN", "default", &["model.cell=rnn-tanh"]),
            binary("attention", "default", &["model.pooling=attention"]),
            binary("last and mean", "default", &["model.pooling=last-mean"]),
            Self::new("five classes", "quick", &[], five),
        ]
    }

    fn init(&self, texts: &Texts, device: &Device) -> Result<(RecurrentClassifier, Weights, Vars)> {
        let training = &self.recipe.training;
        let init = InitConfig { embedding_std: training.embedding_std, seed: training.seed };
        let vocabularies = texts.vocabularies.clone();
        let regularization = &self.recipe.regularization;
        let (network, variables) =
            RecurrentClassifier::init(&self.config, regularization, vocabularies, init, device)?;
        let trained = model::sorted(&variables).into_iter();
        let trained =
            trained.filter(|(name, _)| ![TABLE, NGRAM_TABLE, NGRAM_BIAS].contains(&&**name));
        Ok((network, model::weights(&variables), trained.collect()))
    }
}

/// The variables that the loss has gradients for, by name; the embedding's are those of its rows.
type Vars = Vec<(String, Var)>;

/// A batch of made-up texts.
struct Texts {
    rows: Vec<Vec<u32>>,
    targets: Targets,
    vocabularies: Vocabularies,
}

impl Texts {
    fn new(network: &Network, lengths: &[usize], seed: u64) -> Self {
        let (rows, _) = made_up_texts(lengths.iter().copied(), N_IDS, seed);
        let n_classes = network.task.classes().len();
        // Three quarters have the first class: where all classes are equally frequent, the gradients of the texts nearly
        // cancel, and their sums consist of rounding.
        let class = |row: usize| match row.is_multiple_of(4) {
            true => 1 + row / 4 % (n_classes - 1),
            false => 0,
        };
        let classes: Vec<u32> = (0..rows.len()).map(|row| class(row) as u32).collect();
        let choice =
            NgramChoice { order: network.config.ngram_order, min_texts: 1, max_ngrams: None };
        let of_texts = TextClasses::OneOf(&classes);
        let vocabularies = Vocabularies::learn(N_IDS, &rows, of_texts, n_classes, choice).unwrap();
        Self { rows, targets: Targets::OneOf(classes), vocabularies }
    }

    /// Texts without ties in the network's max pooling.
    fn without_ties(network: &Network, lengths: &[usize], dropout: Option<u64>) -> Self {
        let texts = (0..100).map(|seed| Self::new(network, lengths, seed));
        let has_ties = |texts: &Self| -> Result<bool> {
            let Input { network, tokens, x, mut dropout, .. } =
                Input::new(network, texts, dropout, &Device::Cpu)?;
            if !network.config().pooling.has(PoolingPart::Max) {
                return Ok(false);
            }
            let outputs = network.outputs(&x, &tokens, dropout.as_mut())?.to_vec3::<f32>()?;
            Ok(outputs.iter().zip(tokens.lengths()).any(|(steps, &length)| {
                (0..steps[0].len()).any(|feature| {
                    let mut values: Vec<f32> =
                        steps[..length].iter().map(|step| step[feature]).collect();
                    values.sort_by(|a, b| b.total_cmp(a));
                    values.get(1).is_some_and(|second| values[0] - second < TIE)
                })
            }))
        };
        let mut without = texts.filter(|texts| !has_ties(texts).unwrap());
        without.next().unwrap()
    }

    fn rows(&self) -> Vec<&[u32]> {
        self.rows.iter().map(Vec::as_slice).collect()
    }
}

/// A network, and the embedded texts that it is about to read.
struct Input {
    network: RecurrentClassifier,
    weights: Weights,
    variables: Vars,
    tokens: Tokens,
    x: Var,
    dropout: Option<SeededRng>,
}

impl Input {
    fn new(
        network: &Network,
        texts: &Texts,
        dropout: Option<u64>,
        device: &Device,
    ) -> Result<Self> {
        let (network, weights, variables) = network.init(texts, device)?;
        let mut tokens = network.tokens_of_rows(&texts.rows(), N_STEPS)?;
        let mut dropout = dropout.map(SeededRng::new);
        if let Some(rng) = &mut dropout {
            let rate = network.regularization().word_dropout;
            tokens = tokens.with_word_dropout(rate, N_IDS as u32 - 1, rng);
        }
        let x = network.embed_distinct(&tokens, &network.distinct(&tokens)?)?;
        let x = Var::from_tensor(&x.detach())?;
        Ok(Self { network, weights, variables, tokens, x, dropout })
    }
}

/// Initial weights; and logits, loss, final states and every gradient.
fn passes(
    network: &Network,
    texts: &Texts,
    dropout: Option<u64>,
    device: &Device,
) -> Result<[Named; 2]> {
    let task = &network.task;
    let Input { network, weights, variables, tokens, x, mut dropout } =
        Input::new(network, texts, dropout, device)?;
    let reading = network.read(&x, &tokens, None, dropout.as_mut())?;
    let logits = network.classify(&reading, &tokens, dropout.as_mut())?;
    let objective = Objective::new(task, 0.0, &ClassWeights::None, None)?;
    let loss = objective.loss(&logits, &texts.targets, None)?;
    let gradients = loss.backward()?;
    let of = |var: &Var| gradients.get(var).cloned().map_or_else(|| var.zeros_like(), Ok);

    let d_x = of(&x)?;
    let rows = network.row_gradient(&d_x, &network.distinct(&tokens)?)?;
    let named = |name: &str, tensor| (name.to_string(), tensor);
    let mut all = vec![named("logits", logits.detach()), named("loss", loss.detach())];
    for (index, state) in reading.state.tensors().into_iter().enumerate() {
        all.push((format!("final state {index}"), state.detach()));
    }
    all.push(named("gradient of the embedded texts", d_x));
    all.push(named("gradient of the table's rows", rows));
    for (name, var) in &variables {
        all.push((format!("gradient of {name}"), of(var)?));
    }
    Ok([weights.into_iter().collect(), all])
}

/// What the frozen network answers, with weights of the n-grams that are not 0.
fn answers(network: &Network, texts: &Texts, device: &Device) -> Result<Named> {
    let (_, mut weights, _) = network.init(texts, &Device::Cpu)?;
    let mut rng = SeededRng::new(3);
    for name in [NGRAM_TABLE, NGRAM_BIAS] {
        if let Some(weight) = weights.get_mut(name) {
            *weight = rng.standard_normal(weight.shape(), DType::F32, &Device::Cpu)?;
        }
    }
    for weight in weights.values_mut() {
        *weight = weight.to_device(device)?;
    }
    let vocabularies = texts.vocabularies.clone();
    let frozen = RecurrentClassifier::frozen(&network.config, vocabularies, &weights)?;
    let PathLogits { recurrent, linear } = frozen.path_logits_of_rows(&texts.rows(), N_STEPS)?;
    let padded: Vec<u32> = (texts.rows.iter())
        .flat_map(|row| std::iter::repeat_n(&0, N_STEPS - row.len()).chain(row).copied())
        .collect();
    let padded = Tensor::from_vec(padded, (texts.rows.len(), N_STEPS), device)?;
    let (of_padded, _) = frozen.logits(&padded, None, None)?;
    let mut all = vec![("logits".to_string(), recurrent), ("of padded".to_string(), of_padded)];
    all.extend(linear.map(|linear| ("of the linear path".to_string(), linear)));
    Ok(all)
}

#[test]
fn outputs_and_gradients_of_a_network_equal_the_cpus() {
    let (device, cpu) = (device(), Device::Cpu);
    let mut rng = SeededRng::new(9);
    let full = vec![N_STEPS; N_TEXTS];
    let mut mixed: Vec<usize> = (0..N_TEXTS).map(|_| 1 + rng.below(N_STEPS)).collect();
    (mixed[1], mixed[2]) = (1, N_STEPS);
    let mut with_empty = mixed.clone();
    with_empty[0] = 0;
    let all_lengths =
        [("full texts", full), ("mixed texts", mixed), ("with an empty text", with_empty)];

    let mut faults = Faults::default();
    for network in Network::all() {
        let is_persistent = network.config.hidden_dim <= 128;
        let tolerance = if is_persistent { PERSISTENT } else { ROUNDING };
        for (of_lengths, lengths) in &all_lengths {
            for dropout in [None, Some(5)] {
                let texts = Texts::without_ties(&network, lengths, dropout);
                let on = if dropout.is_some() { "on" } else { "off" };
                let what = format!("{}, {of_lengths}, dropout {on}", network.name);
                let [weights, expected] = passes(&network, &texts, dropout, &cpu).unwrap();
                let there = passes(&network, &texts, dropout, &device);
                if let Some([weights_there, got]) = faults.value(&what, there) {
                    let of_weights = format!("{what}: initial weights");
                    faults.compare(&of_weights, ROUNDING, &weights_there, &weights);
                    faults.compare(&format!("{what}: passes"), tolerance, &got, &expected);
                }
                if dropout.is_some() {
                    continue;
                }
                let expected = answers(&network, &texts, &cpu).unwrap();
                if let Some(got) = faults.value(&what, answers(&network, &texts, &device)) {
                    faults.compare(&format!("{what}: answers"), tolerance, &got, &expected);
                }
            }
        }
    }
    faults.assert_none();
}

// The norm of gradients.

/// Of norms whose gradients are the same.
const NORM: f64 = 1e-6;

#[test]
fn the_norm_of_gradients_is_that_of_f64_sums() {
    let (device, mut rng) = (device(), SeededRng::new(4));
    let mut square = 0.0;
    let mut gradients = Vec::new();
    for shape in [vec![], vec![1], vec![1000], vec![1_000_003], vec![300, 700]] {
        let gradient = rng.standard_normal(shape, DType::F32, &Device::Cpu).unwrap();
        let numbers = gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let of_gradient: f64 = numbers.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        square += of_gradient;
        let gradient = gradient.to_device(&device).unwrap();
        let alone = global_norm([&gradient]).unwrap();
        let expected = of_gradient.sqrt();
        assert!((alone - expected).abs() <= NORM * expected, "{alone} is not {expected}");
        // In another order in memory, too.
        gradients.push(match gradient.rank() {
            2 => gradient.t().unwrap(),
            _ => gradient,
        });
    }
    let [norm, again] = [(); 2].map(|()| global_norm(&gradients).unwrap());
    let expected = square.sqrt();
    assert!((norm - expected).abs() <= NORM * expected, "{norm} is not {expected}");
    assert_eq!(norm.to_bits(), again.to_bits());
    // One of another type goes the way of other devices.
    gradients[1] = gradients[1].to_dtype(DType::F64).unwrap();
    let other = global_norm(&gradients[1..3]).unwrap();
    gradients[1] = gradients[1].to_dtype(DType::F32).unwrap();
    let norm = global_norm(&gradients[1..3]).unwrap();
    assert!((norm - other).abs() <= NORM * other, "{norm} is not {other}");
}

// Steps of a training.

/// Ids of a network that is trained.
const N_TRAINED_IDS: usize = 20_000;
const N_TRAINING_STEPS: usize = 20;
const N_HELD_OUT: usize = 200;
/// Of losses.
const LOSSES: f64 = 1e-4;
/// Of norms, and of logits and weights after some steps. Adam divides gradients by their size, and so enlarges the rounding of small
/// ones; and where two steps tie in max pooling, rounding decides which of them gets the gradient.
const AFTER_STEPS: f64 = 1e-3;

/// The recipes that are trained, without a linear path, which is not part of the steps.
fn trained_recipes() -> [Recipe; 2] {
    ["default", "notebook"].map(|name| Recipe::load(name, &["model.ngram_order=0".into()]).unwrap())
}

/// What a training left.
struct Left {
    losses: Vec<f64>,
    norms: Vec<f64>,
    weights: Named,
    /// Of texts that were not trained on.
    logits: Vec<f64>,
}

fn train(recipe: &Recipe, device: &Device) -> Result<Left> {
    let Recipe { model, regularization, training, preprocessing, .. } = recipe;
    let (seed, seq_len) = (training.seed, preprocessing.seq_len);
    let task = Task::binary();
    let plan = StepPlan { task: &task, model, regularization, training };
    let mut step = TrainingStep::new(plan, None, N_TRAINED_IDS, device)?;
    step.start_epoch();
    let n_texts = N_TRAINING_STEPS * training.batch_size;
    let split = Arc::new(made_up_split(n_texts, seq_len, N_TRAINED_IDS, 1));
    let order = match training.batches {
        BatchOrder::Shuffled => Order::Shuffled { seed, epoch: 0 },
        BatchOrder::LengthBuckets => Order::LengthBuckets { seed, epoch: 0 },
    };
    let padding = match model.padding {
        Padding::Skip => BatchPadding::Longest,
        Padding::Compute => BatchPadding::Fixed(seq_len),
    };
    let config = LoaderConfig { batch_size: training.batch_size, padding, order };
    let mut outcomes = Vec::new();
    for batch in Loader::new(split, &config)? {
        outcomes.push(step.run(&batch?, training.learning_rate)?.unwrap());
    }
    let (mut losses, mut norms) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        losses.push(outcome.loss.read()?);
        norms.push(outcome.norm.unwrap().read()?);
    }
    let weights = step.weights()?;
    let network = RecurrentClassifier::frozen(&model.for_task(&task)?, N_TRAINED_IDS, &weights)?;
    let held_out = made_up_split(N_HELD_OUT, seq_len, N_TRAINED_IDS, 100);
    let logits = logits(&network, &held_out, seq_len, &mut |_| ())?;
    let logits = logits.into_iter().map(f64::from).collect();
    Ok(Left { losses, norms, weights: weights.into_iter().collect(), logits })
}

#[test]
fn twenty_steps_give_the_cpus_logits() {
    let device = device();
    let mut faults = Faults::default();
    for recipe in trained_recipes() {
        let expected = train(&recipe, &Device::Cpu).unwrap();
        assert_eq!(expected.losses.len(), N_TRAINING_STEPS);
        let name = &recipe.name;
        let Some(got) = faults.value(name, train(&recipe, &device)) else { continue };
        for (of_what, tolerance, got, expected) in [
            ("losses", LOSSES, &got.losses, &expected.losses),
            ("norms", AFTER_STEPS, &got.norms, &expected.norms),
            ("logits of held-out texts", AFTER_STEPS, &got.logits, &expected.logits),
        ] {
            faults.compare_numbers(&format!("{name}: {of_what}"), tolerance, got, expected);
        }
    }
    faults.assert_none();
}

#[test]
fn two_runs_with_one_seed_agree_bit_for_bit() {
    let device = device();
    let mut faults = Faults::default();
    for recipe in trained_recipes() {
        let name = &recipe.name;
        let runs = [(); 2].map(|()| faults.value(name, train(&recipe, &device)));
        let [Some(first), Some(second)] = runs else { continue };
        faults.compare_bits(name, &second.weights, &first.weights);
        for (of_what, second, first) in [
            ("loss", &second.losses, &first.losses),
            ("norm", &second.norms, &first.norms),
            ("logit of held-out texts", &second.logits, &first.logits),
        ] {
            let mut pairs = second.iter().zip(first).enumerate();
            if let Some((at, (b, a))) = pairs.find(|(_, (b, a))| a.to_bits() != b.to_bits()) {
                faults.add(format!("{name}: from {of_what} {} on, {b:e} is not {a:e}", at + 1));
            }
        }
    }
    faults.assert_none();
}

// Whole trainings.

/// So low that nearly every step is clipped.
const CLIP_NORM: f64 = 0.05;

/// Losses and norms of a training's batches.
#[derive(Default)]
struct Heard {
    losses: Vec<f64>,
    norms: Vec<f64>,
}

impl Observer for Heard {
    fn on(&mut self, _: &Stamp, event: &Event) -> Result<()> {
        if let Event::Step { loss, norm, .. } = event {
            self.losses.push(*loss);
            self.norms.extend(norm);
        }
        Ok(())
    }
}

fn run(case: &Case, folder: &Path, device: &Device) -> Result<(TrainingReport, Heard)> {
    let ((data, origin), mut heard) = (case.data(), Heard::default());
    let folder = OutputFolder::claim(folder, Existing::Replace)?;
    let job = case.recipe.job(&data, origin, device, &folder);
    let mut session = Session { observer: &mut heard, control: &Never, run: None };
    let report = job.run_and_test_in(true, &mut session)?;
    Ok((report, heard))
}

/// The probabilities of all texts.
fn probabilities(folder: &Path, device: &Device) -> Result<Vec<f64>> {
    let (table, model) = (table(), Classifier::open(folder, device)?);
    let predictions = model.predict(&table.texts().collect::<Vec<_>>())?;
    Ok(predictions.iter().flat_map(|answer| &answer.probabilities).map(|&p| f64::from(p)).collect())
}

#[test]
fn losses_norms_weights_and_answers_of_whole_trainings_are_the_cpus() {
    let device = device();
    let mut faults = Faults::default();
    for mut case in cases() {
        case.recipe.training.clip_norm = CLIP_NORM;
        case.recipe.pretraining.clip_norm = CLIP_NORM;
        let (name, parent) = (case.name, tempfile::tempdir().unwrap());
        let [here, there] = ["cpu", "cuda"].map(|device| parent.path().join(device));
        let (expected, expected_heard) = run(&case, &here, &Device::Cpu).unwrap();
        let Some((got, heard)) = faults.value(name, run(&case, &there, &device)) else { continue };
        let of_history = |report: &TrainingReport| -> Vec<f64> {
            let losses = report.history.iter();
            losses.flat_map(|record| [record.train_loss, record.validation.loss()]).collect()
        };
        for (of_what, tolerance, got, expected) in [
            ("losses", LOSSES, &heard.losses, &expected_heard.losses),
            ("norms", AFTER_STEPS, &heard.norms, &expected_heard.norms),
            ("losses of validations", LOSSES, &of_history(&got), &of_history(&expected)),
        ] {
            faults.compare_numbers(&format!("{name}: {of_what}"), tolerance, got, expected);
        }
        let weights = |folder: &Path| -> Result<Named> {
            let file = folder.join("model.safetensors");
            let mut tensors: Named =
                candle_core::safetensors::load(file, &Device::Cpu)?.into_iter().collect();
            tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
            Ok(tensors)
        };
        if let Some(got) = faults.value(name, weights(&there)) {
            faults.compare(
                &format!("{name}: weights"),
                AFTER_STEPS,
                &got,
                &weights(&here).unwrap(),
            );
        }
        let on = |device| probabilities(&there, device);
        if let Some(got) = faults.value(name, on(&device))
            && let Some(expected) = faults.value(name, on(&Device::Cpu))
        {
            let what = format!("{name}: answers of the model trained on the GPU");
            faults.compare_numbers(&what, PERSISTENT, &got, &expected);
        }
    }
    faults.assert_none();
}
