//! `cargo xtask kill`: trainings killed at random moments, and what is found of their model then.
//!
//! What is checked is found out here, from the bytes on disk, and by the program itself, which must load the
//! model: neither trusts the other. The programs are those of this workspace; nothing else is killed.

mod folder;
mod program;
mod random;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use folder::{WholeModel, hidden_names, staged_beside};
use program::{Program, Training};
use random::Random;

/// Kills trainings that save and replace a model, at random moments, and trainings started two at once into
/// one folder, and checks after each that the folder holds a whole model (the older or the newer, never a
/// mixture, never none) and that nothing is left over after the next training. Then a model is read over and
/// over while trainings replace it.
///
/// Half of the kills fall anywhere in a training, half on the saves: as soon as a staged folder is seen, or
/// a moment later.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask kill
  cargo xtask kill --rounds 20 --seed 7")]
pub(crate) struct Args {
    /// How many kills, and a fifth as many pairs of trainings
    #[arg(long, value_name = "N", default_value = "200")]
    rounds: usize,

    /// Of the random moments
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,

    /// A built `sentiment` to kill, instead of this workspace's
    #[arg(long, value_name = "FILE")]
    program: Option<std::path::PathBuf>,
}

/// Rounds of killing for one of two trainings at once.
const ROUNDS_PER_PAIR: usize = 5;
/// Trainings that replace a model under a reader.
const N_READ_TRAININGS: usize = 5;
/// How long after a staged folder is seen a kill falls, at most.
const LONGEST_SAVE: Duration = Duration::from_millis(12);
/// How long one training may take at most: anything longer hangs.
const TOO_LONG: Duration = Duration::from_secs(120);

/// What was found after the kills.
#[derive(Debug, Default)]
struct Counts {
    n_older: usize,
    n_newer: usize,
    n_staged: usize,
    n_ended: usize,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(args.rounds > 0, "--rounds must be at least 1");
    ensure!(cfg!(unix), "killing is set up for Unix only");
    let place = tempfile::tempdir().context("cannot make a temporary folder")?;
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

/// Trainings over an older model, killed.
fn kills(program: &Program, n_rounds: usize, random: &mut Random) -> anyhow::Result<()> {
    let model = program.folder().join("model");
    let started = Instant::now();
    program.training("model", 0).start()?.ended_well()?;
    let usual = started.elapsed();
    println!(
        "kill: a training takes {:.2} s; {n_rounds} are killed, half of them while they save",
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
            // Some save among those of this training.
            wait_for_staging(&mut training, &model, usual.mul_f64(random.unit()))?;
            LONGEST_SAVE.mul_f64(random.unit() * random.unit())
        };
        std::thread::sleep(at);
        counts.n_ended += usize::from(training.kill()?);
        counts.n_staged += usize::from(!staged_beside(&model)?.is_empty());
        let now = WholeModel::read(&model)
            .and_then(|now| program.loads("model").map(|()| now))
            .with_context(|| format!("round {round}: the folder is not whole"))?;
        let is_older = now.id == before.id;
        ensure!(
            is_older || !ids.contains(&now.id),
            "round {round}: a model that had been replaced is there again"
        );
        if is_older {
            counts.n_older += 1;
        } else {
            counts.n_newer += 1;
        }
        ids.insert(now.id.clone());
        before = now;
    }
    // The next claim sweeps.
    program.training("model", u64::MAX >> 12).start()?.ended_well()?;
    let left = hidden_names(program.folder())?;
    ensure!(left.is_empty(), "left over after the next training: {left:?}");
    WholeModel::read(&model)?;
    let Counts { n_older, n_newer, n_staged, n_ended } = counts;
    println!(
        "kill: {n_older} kills found the model of before, {n_newer} a newer one; {n_staged} left a staged \
         folder, {n_ended} came after the end; the folder was whole every time"
    );
    ensure!(n_rounds < 100 || n_staged > 0, "no kill fell on a save: nothing was shown");
    Ok(())
}

/// Waits until a training stages a model, from a moment on.
fn wait_for_staging(training: &mut Training, model: &Path, from: Duration) -> anyhow::Result<()> {
    std::thread::sleep(from);
    let started = Instant::now();
    while staged_beside(model)?.is_empty() {
        if training.has_ended()? {
            return Ok(());
        }
        ensure!(started.elapsed() < TOO_LONG, "a training hangs");
        std::thread::yield_now();
    }
    Ok(())
}

/// Two trainings started at once into one folder.
fn pairs(program: &Program, n_rounds: usize, random: &mut Random) -> anyhow::Result<()> {
    let model = program.folder().join("shared");
    program.training("shared", 0).start()?.ended_well()?;
    let mut n_told = 0;
    for round in 0..n_rounds {
        let seed = 1000 + 2 * round as u64;
        let first = program.training("shared", seed).start()?;
        let second = program.training("shared", seed + 1).start()?;
        let ends = [first.ended()?, second.ended()?];
        let fault = format!("round {round} of two trainings at once");
        let n_refused = ends.iter().filter(|end| end.is_told_of_another("shared")).count();
        let n_well = ends.iter().filter(|end| end.code == Some(0)).count();
        // One after the other is right, too, if the first had ended before the second asked.
        ensure!(n_refused + n_well == 2 && n_well >= 1, "{fault}: they ended with {ends:?}");
        n_told += n_refused;
        WholeModel::read(&model).and_then(|_| program.loads("shared")).context(fault)?;
    }
    println!("kill: two at once, {n_rounds} times: {n_told} were told that another is at work");
    ensure!(n_told > 0, "no training was told of another: nothing was shown");

    // The first is killed: its lock goes with it, whatever it was doing.
    let mut n_told = 0;
    for round in 0..n_rounds {
        let seed = 5000 + 2 * round as u64;
        let mut first = program.training("shared", seed).start()?;
        std::thread::sleep(Duration::from_millis(200).mul_f64(random.unit()));
        let second = program.training("shared", seed + 1).start()?;
        std::thread::sleep(Duration::from_millis(200).mul_f64(random.unit()));
        first.kill()?;
        let end = second.ended()?;
        let fault = format!("round {round} of two trainings, the first killed");
        let is_told = end.is_told_of_another("shared");
        ensure!(is_told || end.code == Some(0), "{fault}: the second ended with {end:?}");
        n_told += usize::from(is_told);
        WholeModel::read(&model).and_then(|_| program.loads("shared")).context(fault.clone())?;
        // Nobody is at work any more.
        program.training("shared", seed).start()?.ended_well().context(fault)?;
    }
    println!(
        "kill: first of two killed, {n_rounds} times: {n_told} had been told, the others went on"
    );
    let left = hidden_names(program.folder())?;
    ensure!(left.is_empty(), "left over: {left:?}");
    Ok(())
}

/// Two trainings at once without a folder's name get different folders.
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
    ensure!(names == [recipe.to_string(), format!("{recipe}-2")], "two unnamed made {names:?}");
    for name in &names {
        WholeModel::read(&models.join(name))?;
    }
    println!("kill: two without a name at once got {}", names.join(" and "));
    Ok(())
}

/// A model is read over and over while trainings replace it.
fn reader(program: &Program) -> anyhow::Result<()> {
    let mut n_read = 0;
    let mut ids = BTreeSet::new();
    for seed in 0..N_READ_TRAININGS {
        let mut training = program.training("model", 9000 + seed as u64).start()?;
        while !training.has_ended()? {
            program
                .loads("model")
                .with_context(|| format!("reading {n_read} of a replaced model"))?;
            if let Ok(model) = WholeModel::read(&program.folder().join("model")) {
                ids.insert(model.id);
            }
            n_read += 1;
        }
        training.ended_well()?;
    }
    if n_read == 0 {
        bail!("the trainings were too short to read anything");
    }
    println!(
        "kill: {n_read} readings while {N_READ_TRAININGS} trainings replaced the model, {} models seen: no \
         error",
        ids.len()
    );
    Ok(())
}
