//! `cargo xtask big-table`: answers a table of a million rows, watches the memory, and kills the program meanwhile.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::cargo::sentiment;
use crate::digest::digest;
use crate::random::Random;

/// Answers a large table made of repeated and cut texts, and checks that memory stays flat; then answers it again,
/// killing the program at random moments and starting the same command anew, until it is through: the result must be
/// the undisturbed one, byte for byte.
///
/// Linux only: memory is read from /proc.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask big-table --model models/quick --texts data/imdb.csv
  cargo xtask big-table --model models/quick --texts data/imdb.csv --rows 200000 --kills 5 --format parquet")]
pub(crate) struct Args {
    /// Folder of a trained model
    #[arg(long, value_name = "DIR")]
    model: PathBuf,

    /// CSV with a column named text, whose texts are repeated and cut
    #[arg(long, value_name = "FILE")]
    texts: PathBuf,

    /// Rows of the large table
    #[arg(long, value_name = "N", default_value = "1000000")]
    rows: usize,

    /// How often to kill the program
    #[arg(long, value_name = "N", default_value = "20")]
    kills: usize,

    /// Format of the output: csv, csv.gz, jsonl or parquet
    #[arg(long, value_name = "EXTENSION", default_value = "csv")]
    format: String,

    /// Seed of the random moments
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,

    /// An existing `sentiment` program, instead of this workspace's
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,

    /// Folder for the tables, about five times as large as they are [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Bytes of resident memory that a run may need above the size of its model.
const MAX_MEMORY: u64 = 300 << 20;
/// Memory at 90 % of a run may be larger than at 10 % by this factor.
const MAX_GROWTH: f64 = 1.15;
/// How often memory is read.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) fn run(args: &Args, user_folder: &Path) -> anyhow::Result<()> {
    ensure!(args.rows > 0, "--rows must be at least 1");
    ensure!(cfg!(target_os = "linux"), "`cargo xtask big-table` runs only on Linux");
    let temporary = tempfile::tempdir().context("cannot create a temporary folder")?;
    let folder = match &args.folder {
        Some(folder) => user_folder.join(folder),
        None => temporary.path().to_path_buf(),
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let program = match &args.program {
        Some(program) => user_folder.join(program),
        None => sentiment()?,
    };
    let table = folder.join("large.csv");
    make(&user_folder.join(&args.texts), args.rows, &table)?;
    let model = user_folder.join(&args.model);
    let task = Task { program, model, table, folder, format: args.format.clone() };
    let (expected, usual) = undisturbed(&task, args.rows)?;
    if args.kills > 0 {
        killed(&task, &expected, usual, (args.kills, &mut Random::new(args.seed)))?;
    }
    println!("big-table: no fault found");
    Ok(())
}

/// What is run again and again.
struct Task {
    program: PathBuf,
    model: PathBuf,
    table: PathBuf,
    folder: PathBuf,
    format: String,
}

impl Task {
    fn output(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.{}", self.format))
    }

    fn start(&self, output: &Path) -> anyhow::Result<Child> {
        let mut command = Command::new(&self.program);
        command.arg("predict").arg("--model").arg(&self.model).arg("--input").arg(&self.table);
        command.arg("--output").arg(output).stdin(Stdio::null()).stderr(Stdio::inherit());
        command.spawn().context("cannot start sentiment predict")
    }
}

/// A table whose rows are the texts in turn, each time cut after another number of words.
fn make(texts: &Path, n_rows: usize, to: &Path) -> anyhow::Result<()> {
    let mut reader = csv::Reader::from_path(texts)
        .with_context(|| format!("cannot read {}", texts.display()))?;
    let at = reader.headers()?.iter().position(|name| name == "text");
    let at = at.with_context(|| format!("{} has no column named text", texts.display()))?;
    let texts: Vec<String> = reader
        .records()
        .map(|record| Ok(record?.get(at).unwrap_or_default().to_string()))
        .collect::<Result<_, csv::Error>>()
        .with_context(|| format!("cannot read {}", texts.display()))?;
    ensure!(!texts.is_empty(), "there are no texts to repeat");
    let file = File::create(to).with_context(|| format!("cannot write {}", to.display()))?;
    let mut writer = csv::Writer::from_writer(BufWriter::new(file));
    writer.write_record(["id", "text"])?;
    for row in 0..n_rows {
        let text = &texts[row % texts.len()];
        // The first time whole, then shorter and shorter, then whole again.
        let round = row / texts.len() % 8;
        let n_words = text.split(' ').count() * (8 - round) / 8;
        let cut: Vec<&str> = text.split(' ').take(n_words.max(1)).collect();
        writer.write_record([row.to_string(), cut.join(" ")])?;
    }
    writer.flush()?;
    let bytes = fs::metadata(to)?.len();
    println!("big-table: made {n_rows} rows, {} MB", bytes >> 20);
    Ok(())
}

/// Runs through once. Returns the digest of the result, and how long it took.
fn undisturbed(task: &Task, n_rows: usize) -> anyhow::Result<(String, Duration)> {
    let output = task.output("undisturbed");
    let started = Instant::now();
    let mut child = task.start(&output)?;
    let mut samples = Vec::new();
    let status = loop {
        if let Some(status) = child.try_wait().context("cannot query the program")? {
            break status;
        }
        samples.extend(resident_memory(child.id()));
        thread::sleep(PAUSE);
    };
    ensure!(status.success(), "sentiment predict ended with {status}");
    let seconds = started.elapsed().as_secs_f64();
    println!("big-table: {n_rows} rows in {seconds:.1} s, {:.0} rows/s", n_rows as f64 / seconds);
    let model = folder_bytes(&task.model)?;
    let most = samples.iter().copied().max().unwrap_or_default();
    let at =
        |share: f64| samples.get((samples.len() as f64 * share) as usize).copied().unwrap_or(most);
    let [early, middle, late] = [0.1, 0.5, 0.9].map(at);
    println!(
        "big-table: resident memory {} MB at 10 %, {} MB at 50 %, {} MB at 90 % of the time, at most {} MB; the \
         model has {} MB",
        early >> 20,
        middle >> 20,
        late >> 20,
        most >> 20,
        model >> 20
    );
    ensure!(
        most <= model + MAX_MEMORY,
        "memory reached {} MB, more than {} MB above the model's size",
        most >> 20,
        MAX_MEMORY >> 20
    );
    ensure!(
        late as f64 <= MAX_GROWTH * early as f64,
        "memory grew from {} to {} MB",
        early >> 20,
        late >> 20
    );
    Ok((digest(&output)?, started.elapsed()))
}

/// Kills the program again and again until it is through.
fn killed(
    task: &Task,
    expected: &str,
    usual: Duration,
    (n_kills, random): (usize, &mut Random),
) -> anyhow::Result<()> {
    let output = task.output("killed");
    let mut n_killed = 0;
    // Moments of one run each; on average each gets an equal share of the way.
    let longest = usual.mul_f64(1.5 / n_kills as f64);
    let give_up = 4 * n_kills;
    for start in 0.. {
        ensure!(start < give_up, "not through after {start} starts");
        let mut child = task.start(&output)?;
        // After the last kill, let it end.
        let moment =
            if n_killed < n_kills { longest.mul_f64(random.unit()) } else { Duration::MAX };
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().context("cannot query the program")? {
                break Some(status);
            }
            if started.elapsed() >= moment {
                break None;
            }
            thread::sleep(Duration::from_millis(2));
        };
        match status {
            Some(status) if status.success() => break,
            Some(status) => bail!("start {start} ended with {status}"),
            None => {
                child.kill().context("cannot kill the program")?;
                child.wait().context("cannot wait for the program")?;
                n_killed += 1;
                ensure!(!output.exists(), "the output is there although the run was killed");
            }
        }
    }
    ensure!(
        n_killed == n_kills,
        "it was through after {n_killed} of {n_kills} kills; use more --rows"
    );
    let got = digest(&output)?;
    ensure!(
        got == expected,
        "after {n_killed} kills the result differs: SHA-256 {got}, not {expected}"
    );
    let left: Vec<_> = fs::read_dir(&task.folder)?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.contains("parts") || name.starts_with('.'))
        .collect();
    ensure!(left.is_empty(), "left over: {left:?}");
    println!(
        "big-table: killed {n_killed} times; the result is the undisturbed one, byte for byte"
    );
    Ok(())
}

/// Resident memory of a process, with what it has mapped; `None` once it has ended.
fn resident_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}

fn folder_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
