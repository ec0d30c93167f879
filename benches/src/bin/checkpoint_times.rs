//! What a checkpoint of the notebook's training costs, in turn with writing as many plain bytes.
//!
//! Trains the notebook's network on the real reviews and saves its state after each of some steps; after each
//! checkpoint, a file of the same length is written and flushed beside it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use candle_core::Device;
use clap::Parser;
use classifier::folder::{Existing, OutputFolder};
use dataset::{ColumnChoice, DataFile, LabelOptions, ReadOptions};
use trainer::{
    Cache, Control, DataOrigin, DataRequest, Event, Observer, OwnSplits, Recipe, RecordPlan,
    RunAbout, RunFolder, RunRecorder, Session, Stamp, Stop, load,
};

/// Times checkpoints of a training, in turn with plain writes.
#[derive(Debug, Parser)]
struct Args {
    /// Checkpoints to time
    #[arg(long, value_name = "N", default_value = "9")]
    rounds: usize,

    /// Recipe
    #[arg(long, value_name = "NAME|FILE", default_value = "notebook")]
    recipe: String,

    /// The labelled reviews
    #[arg(long, value_name = "FILE", default_value = "data/imdb.parquet")]
    data: PathBuf,

    /// Folder for the files, on the disk to time [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Time for the disk between two writes.
const REST: Duration = Duration::from_secs(4);

/// Writes as many bytes as each checkpoint has, and remembers both times.
struct Rounds {
    folder: PathBuf,
    checkpoints: Vec<f64>,
    plain: Vec<f64>,
    n_bytes: u64,
}

impl Observer for Rounds {
    fn on(&mut self, _: &Stamp, event: &Event) -> trainer::Result<()> {
        if let Event::CheckpointSaved { seconds, .. } = event {
            self.checkpoints.push(*seconds);
            // Both writes begin on a disk that has had nothing to do for a while.
            thread::sleep(REST);
            let written = self
                .write_plain()
                .map_err(|error| trainer::Error::Observer { reason: error.to_string() })?;
            self.plain.push(written);
            thread::sleep(REST);
        }
        Ok(())
    }
}

impl Rounds {
    /// Seconds of a plain write of as many bytes as the newest checkpoint has.
    fn write_plain(&mut self) -> Result<f64> {
        let folder = self.folder.join("runs/m/checkpoints");
        let newest = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).max();
        let newest = newest.context("no checkpoint")?;
        let bytes = fs::read(&newest)?;
        self.n_bytes = bytes.len() as u64;
        let path = self.folder.join("plain");
        let started = Instant::now();
        let mut file = File::create(&path)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        let seconds = started.elapsed().as_secs_f64();
        fs::remove_file(path)?;
        Ok(seconds)
    }
}

/// Stops after so many questions.
struct StopAfter(std::cell::Cell<usize>);

impl Control for StopAfter {
    fn stop(&self) -> Option<Stop> {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        (left == 0).then_some(Stop::Interrupt)
    }
}

fn main() -> Result<()> {
    heap::keep_freed_memory();
    let args = Args::parse();
    ensure!(args.rounds > 0, "--rounds must be at least 1");
    let temporary = tempfile::tempdir()?;
    let folder = args.folder.unwrap_or_else(|| temporary.path().to_path_buf());
    let recipe = Recipe::load(&args.recipe, &[])?;
    let file = DataFile::open(&args.data)?;
    let (columns, labels, options) =
        (ColumnChoice::default(), LabelOptions::default(), ReadOptions::default());
    let plan = recipe.split_plan();
    let request = DataRequest {
        file: &file,
        others: OwnSplits::default(),
        columns: &columns,
        labels: &labels,
        options: &options,
        plan: &plan,
        preprocessing: &recipe.preprocessing,
        few_texts: recipe.training.few_texts,
    };
    let loaded = load(&request, Cache::of_user().as_ref())?;
    let origin = DataOrigin::new(
        &args.data,
        loaded.columns,
        (options.clone(), labels.clone()),
        loaded.fingerprint,
        plan,
        &loaded.data,
    );
    let model = folder.join("models/m");
    let output = OutputFolder::claim(&model, Existing::Replace)?;
    let run = RunFolder::beside(&model);
    run.create(&RunAbout::new(&recipe, &model, &origin, &Device::Cpu))?;
    let every_step = RecordPlan { checkpoint_every: Duration::ZERO, ..RecordPlan::default() };
    let mut recorder = RunRecorder::new(&run, every_step)?;
    let mut rounds = Rounds { folder, checkpoints: Vec::new(), plain: Vec::new(), n_bytes: 0 };
    // The first question is asked before the first batch.
    let control = StopAfter(std::cell::Cell::new(args.rounds + 1));
    let mut session =
        Session { observer: &mut rounds, control: &control, run: Some(&mut recorder) };
    recipe.job(&loaded.data, origin, &Device::Cpu, &output).run_in(&mut session)?;
    let Rounds { checkpoints, plain, n_bytes, .. } = rounds;
    let (checkpoint, plain) = (median(checkpoints), median(plain));
    println!(
        "{} MB: a checkpoint {:.0} ms, a plain write and flush {:.0} ms, ratio {:.2}; one a minute: {:.2} % of the time",
        n_bytes / 1_000_000,
        checkpoint * 1e3,
        plain * 1e3,
        checkpoint / plain,
        100.0 * checkpoint / 60.0
    );
    Ok(())
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
