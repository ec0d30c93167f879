//! `cargo xtask kill`: kills training runs at random moments and checks the model left on disk.
//!
//! This module inspects the bytes on disk, and the program itself must load the model: two independent
//! checks. It runs and kills only the programs of this workspace.

mod folder;
mod program;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

pub(crate) use folder::hidden_names;
use folder::{WholeModel, staged_beside};
use program::Program;

use crate::random::Random;
use crate::training::Training;

/// Kills training runs at random moments while they save and replace a model, alone and in pairs that
/// write to the same folder. Checks after each kill that the folder holds a complete model (the older or
/// the newer, never a mixture, never none) and that the next training run leaves nothing behind. Then
/// reads a model repeatedly while training runs replace it.
///
/// Half of the kills happen anywhere in a training run, half during a save: as soon as a staged folder
/// appears, or a moment later.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask kill
  cargo xtask kill --rounds 20 --seed 7")]
pub(crate) struct Args {
    /// Number of kills; a fifth as many pairs of training runs
    #[arg(long, value_name = "N", default_value = "200")]
    rounds: usize,

    /// Seed of the random moments
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,

    /// An existing `sentiment` program to kill, instead of this workspace's
    #[arg(long, value_name = "FILE")]
    program: Option<std::path::PathBuf>,
}

/// Kill rounds per round of two concurrent training runs.
const ROUNDS_PER_PAIR: usize = 5;
/// Number of training runs that replace a model while it is read.
const N_READ_TRAININGS: usize = 5;
/// Maximum delay between the appearance of a staged folder and a kill.
const LONGEST_SAVE: Duration = Duration::from_millis(12);
/// Time after which a training run counts as hung.
const TOO_LONG: Duration = Duration::from_secs(120);

/// Counts of what was found after the kills.
#[derive(Debug, Default)]
struct Counts {
    n_older: usize,
    n_newer: usize,
    n_staged: usize,
    n_ended: usize,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(args.rounds > 0, "--rounds must be at least 1");
    ensure!(cfg!(unix), "`cargo xtask kill` runs only on Unix");
    let place = tempfile::tempdir().context("cannot create a temporary folder")?;
    let program = match &args.program {
        Some(program) => Program::at(program, place.path())?,
        None => Program::built(place.path())?,
    };
    let mut random = Random::new(args.seed);
    kills(&program, args.rounds, &mut random)?;
    pairs(&program, args.rounds.div_ceil(ROUNDS_PER_PAIR), &mut random)?;
    free_names(&program)?;
    reader(&program)?;
    println!("kill: no fault found");
    Ok(())
}

/// Kills training runs that replace an older model.
fn kills(program: &Program, n_rounds: usize, random: &mut Random) -> anyhow::Result<()> {
    let model = program.folder().join("model");
    let started = Instant::now();
    program.training("model", 0).start()?.ended_well()?;
    let usual = started.elapsed();
    println!(
        "kill: a training run takes {:.2} s; killing {n_rounds}, half of them during a save",
        usual.as_secs_f64()
    );
    let mut before = WholeModel::read(&model)?;
    let mut counts = Counts::default();
    let mut ids = BTreeSet::from([before.id.clone()]);
    for round in 0..n_rounds {
        let mut training = program.training("model", 1 + round as u64).start()?;
        let at = if round % 2 == 0 {
            usual.mul_f64(random.unit())
        } else {
            // One of this training run's saves.
            wait_for_staging(&mut training, &model, usual.mul_f64(random.unit()))?;
            LONGEST_SAVE.mul_f64(random.unit() * random.unit())
        };
        std::thread::sleep(at);
        counts.n_ended += usize::from(training.kill()?);
        counts.n_staged += usize::from(!staged_beside(&model)?.is_empty());
        let now = WholeModel::read(&model)
            .and_then(|now| program.loads("model").map(|()| now))
            .with_context(|| format!("round {round}: the folder does not hold a complete model"))?;
        let is_older = now.id == before.id;
        ensure!(
            is_older || !ids.contains(&now.id),
            "round {round}: a replaced model has reappeared"
        );
        if is_older {
            counts.n_older += 1;
        } else {
            counts.n_newer += 1;
        }
        ids.insert(now.id.clone());
        before = now;
    }
    // The next claim cleans up.
    program.training("model", u64::MAX >> 12).start()?.ended_well()?;
    let left = hidden_names(program.folder())?;
    ensure!(left.is_empty(), "files left over after the next training run: {left:?}");
    WholeModel::read(&model)?;
    let Counts { n_older, n_newer, n_staged, n_ended } = counts;
    println!(
        "kill: after {n_older} kills the older model was there, after {n_newer} a newer one; {n_staged} \
         left a staged folder, {n_ended} came after the end; the model was complete every time"
    );
    ensure!(
        n_rounds < 100 || n_staged > 0,
        "no kill hit a save, so the test proves nothing; raise --rounds"
    );
    Ok(())
}

/// Waits until a training run stages a model, starting at `from`.
fn wait_for_staging(training: &mut Training, model: &Path, from: Duration) -> anyhow::Result<()> {
    std::thread::sleep(from);
    let started = Instant::now();
    while staged_beside(model)?.is_empty() {
        if training.has_ended()? {
            return Ok(());
        }
        ensure!(started.elapsed() < TOO_LONG, "a training run hangs");
        std::thread::yield_now();
    }
    Ok(())
}

/// Starts two training runs at once that write to one folder.
fn pairs(program: &Program, n_rounds: usize, random: &mut Random) -> anyhow::Result<()> {
    let model = program.folder().join("shared");
    program.training("shared", 0).start()?.ended_well()?;
    let mut n_told = 0;
    for round in 0..n_rounds {
        let seed = 1000 + 2 * round as u64;
        let first = program.training("shared", seed).start()?;
        let second = program.training("shared", seed + 1).start()?;
        let ends = [first.ended()?, second.ended()?];
        let fault = format!("round {round} of two concurrent training runs");
        let n_refused = ends.iter().filter(|end| end.is_told_of_another("shared")).count();
        let n_well = ends.iter().filter(|end| end.code == Some(0)).count();
        // Both may succeed if the first ended before the second tried to claim the folder.
        ensure!(n_refused + n_well == 2 && n_well >= 1, "{fault}: they ended with {ends:?}");
        n_told += n_refused;
        WholeModel::read(&model).and_then(|_| program.loads("shared")).context(fault)?;
    }
    println!(
        "kill: two at once, {n_rounds} times: {n_told} were refused because another was running"
    );
    ensure!(n_told > 0, "no training run was refused, so the test proves nothing; raise --rounds");

    // Kill the first: its lock must disappear with it, whatever it was doing.
    let mut n_told = 0;
    for round in 0..n_rounds {
        let seed = 5000 + 2 * round as u64;
        let mut first = program.training("shared", seed).start()?;
        std::thread::sleep(Duration::from_millis(200).mul_f64(random.unit()));
        let second = program.training("shared", seed + 1).start()?;
        std::thread::sleep(Duration::from_millis(200).mul_f64(random.unit()));
        first.kill()?;
        let end = second.ended()?;
        let fault = format!("round {round} of two training runs, the first killed");
        let is_told = end.is_told_of_another("shared");
        ensure!(is_told || end.code == Some(0), "{fault}: the second ended with {end:?}");
        n_told += usize::from(is_told);
        WholeModel::read(&model).and_then(|_| program.loads("shared")).context(fault.clone())?;
        // Nothing is running any more.
        program.training("shared", seed).start()?.ended_well().context(fault)?;
    }
    println!(
        "kill: first of two killed, {n_rounds} times: {n_told} were refused, the others trained"
    );
    let left = hidden_names(program.folder())?;
    ensure!(left.is_empty(), "files left over: {left:?}");
    Ok(())
}

/// Two concurrent training runs without --output get different folders.
fn free_names(program: &Program) -> anyhow::Result<()> {
    let (first, second) = (program.unnamed().start()?, program.unnamed().start()?);
    first.ended_well()?;
    second.ended_well()?;
    let models = program.folder().join("models");
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&models).context("cannot read models/")? {
        let name = entry.context("cannot read models/")?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    let recipe = program::RECIPE;
    ensure!(
        names == [recipe.to_string(), format!("{recipe}-2")],
        "two training runs without --output wrote {names:?}"
    );
    for name in &names {
        WholeModel::read(&models.join(name))?;
    }
    println!("kill: two at once without --output wrote {}", names.join(" and "));
    Ok(())
}

/// Reads a model repeatedly while training runs replace it.
fn reader(program: &Program) -> anyhow::Result<()> {
    let mut n_read = 0;
    let mut ids = BTreeSet::new();
    for seed in 0..N_READ_TRAININGS {
        let mut training = program.training("model", 9000 + seed as u64).start()?;
        while !training.has_ended()? {
            program
                .loads("model")
                .with_context(|| format!("read {n_read} of a model being replaced"))?;
            if let Ok(model) = WholeModel::read(&program.folder().join("model")) {
                ids.insert(model.id);
            }
            n_read += 1;
        }
        training.ended_well()?;
    }
    if n_read == 0 {
        bail!("the training runs were too short to read anything");
    }
    println!(
        "kill: {n_read} reads while {N_READ_TRAININGS} training runs replaced the model, {} models seen: no \
         error",
        ids.len()
    );
    Ok(())
}
