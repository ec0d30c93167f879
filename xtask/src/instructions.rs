//! `cargo xtask instructions`: instruction counts of the recurrent layers, compared with a committed baseline.

mod baseline;
mod callgrind;
mod comparison;

use std::time::Instant;

use anyhow::{Context as _, bail, ensure};

use crate::cargo::{built, cargo_command};
use baseline::{Baseline, Build, FILE, Pass};
use comparison::{Comparison, TOLERANCE_PERCENT, Verdict};

/// Counts the instructions of the recurrent layers' main passes and compares them with a baseline.
///
/// Times on a busy machine vary by half; instruction counts of one program vary by less than 0.1 %. So they
/// show a kernel that does more work than before. They do not show cache misses, waiting threads, or anything
/// about AVX-512: each pass runs on one thread with the AVX2 kernels, under valgrind's callgrind.
///
/// The baseline, xtask/instructions.toml, lists the passes: the flags of `layer-times`, with small sizes because
/// valgrind is slow, and the count. A count is that of a process with three timed runs, minus that of a process
/// with one, divided by two: starting and preparing cancel out. So does what only the first run does, such as
/// packing weights for inference.
///
/// Fails if a pass needs over 2 % more instructions than in the baseline. Other compilers generate other code: if
/// the baseline is from another one, both counts are printed, but nothing fails.
///
/// Takes about 2 minutes, after a release build of `layer-times` that takes some minutes the first time. Needs
/// x86-64 Linux, a CPU with AVX2, and valgrind (`apt-get install valgrind`).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask instructions                  compare all passes
  cargo xtask instructions --only forward   only the passes with `forward` in their names
  cargo xtask instructions --update         after a change that is meant to cost or save something

To add a pass, add its name and flags to xtask/instructions.toml, then run --update. To see where
a pass spends its instructions, run `valgrind --tool=callgrind layer-times FLAGS` with its flags,
then callgrind_annotate.")]
pub(crate) struct Args {
    /// Count only passes whose names contain this text
    #[arg(long, value_name = "TEXT", conflicts_with = "update")]
    only: Option<String>,

    /// Write the new counts, the compiler and the target to the baseline
    #[arg(long)]
    update: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "`cargo xtask instructions` runs only on x86-64 Linux: it counts the AVX2 kernels under valgrind"
    );
    let baseline = Baseline::read()?;
    let passes = selected(&baseline.passes, args.only.as_deref())?;
    callgrind::check_installed()?;
    let build = Build::current()?;

    let mut command = cargo_command(&["build", "--release", "--locked", "--package", "benches"]);
    // Without the feature `pipeline` the build takes a tenth of the time.
    command.args(["--bin", "layer-times", "--no-default-features"]);
    // Flags such as `-C target-cpu=native` would change the counts.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let program = built(&mut command, "layer-times")?;

    let mut comparisons = Vec::new();
    for pass in passes {
        let started = Instant::now();
        let now = callgrind::instructions_per_run(&program, pass)
            .with_context(|| format!("cannot count the instructions of {:?}", pass.name))?;
        eprintln!("counted {} in {:.0} s", pass.name, started.elapsed().as_secs_f64());
        comparisons.push(Comparison { pass: pass.clone(), now });
    }
    println!("{}", comparison::table(&comparisons));

    if args.update {
        let passes = comparisons.into_iter().map(Comparison::into_pass).collect();
        Baseline { build, passes }.write()?;
        println!("\nwrote {FILE}");
        return Ok(());
    }
    if build != baseline.build {
        println!(
            "\nnot judged, because other compilers generate other code:\n  baseline: {}\n  now:      {build}",
            baseline.build
        );
        return Ok(());
    }
    judge(&comparisons)
}

/// The passes whose names contain `only`.
fn selected<'a>(passes: &'a [Pass], only: Option<&str>) -> anyhow::Result<Vec<&'a Pass>> {
    let is_wanted = |pass: &&Pass| only.is_none_or(|text| pass.name.contains(text));
    let selected: Vec<&Pass> = passes.iter().filter(is_wanted).collect();
    if let (true, Some(text)) = (selected.is_empty(), only) {
        let names: Vec<&str> = passes.iter().map(|pass| pass.name.as_str()).collect();
        bail!("no pass has {text:?} in its name; the passes are: {}", names.join(", "));
    }
    Ok(selected)
}

/// Fails if a pass needs more instructions; says so if one needs fewer.
fn judge(comparisons: &[Comparison]) -> anyhow::Result<()> {
    let count = |verdict| comparisons.iter().filter(|pass| pass.verdict() == verdict).count();
    let (n_more, n_fewer, n_new) =
        (count(Verdict::More), count(Verdict::Fewer), count(Verdict::New));
    if n_fewer > 0 {
        println!(
            "\nover {TOLERANCE_PERCENT} % fewer instructions than in {FILE}: {n_fewer} of {} passes; run \
             `cargo xtask instructions --update`, so that the gain is not lost unnoticed",
            comparisons.len()
        );
    }
    if n_new > 0 {
        println!(
            "\nwithout a count in {FILE}: {n_new} of {} passes; run `cargo xtask instructions --update`",
            comparisons.len()
        );
    }
    ensure!(
        n_more == 0,
        "over {TOLERANCE_PERCENT} % more instructions than in {FILE}: {n_more} of {} passes\n\nIf the \
         change is worth that, run `cargo xtask instructions --update` and commit the file.",
        comparisons.len()
    );
    println!("\ninstructions: no pass needs more than before");
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command};

    use super::*;

    #[test]
    fn the_flags_fit_together() {
        Args::augment_args(Command::new("instructions")).debug_assert();
    }

    fn comparison(baseline: Option<u64>, now: u64) -> Comparison {
        let pass = Pass { name: "step".to_owned(), flags: String::new(), instructions: baseline };
        Comparison { pass, now }
    }

    #[test]
    fn only_more_instructions_fail() {
        let (same, fewer, new) =
            (comparison(Some(1000), 1001), comparison(Some(1000), 900), comparison(None, 5));
        assert!(judge(&[same, fewer, new]).is_ok());
        let error = judge(&[comparison(Some(1000), 1000), comparison(Some(1000), 1021)]);
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("over 2 % more instructions"), "{error}");
        assert!(error.contains("1 of 2 passes"), "{error}");
    }

    #[test]
    fn an_unknown_pass_is_refused_with_the_known_ones() {
        let passes = [comparison(None, 1).pass];
        assert_eq!(selected(&passes, None).unwrap().len(), 1);
        assert_eq!(selected(&passes, Some("te")).unwrap().len(), 1);
        let error = selected(&passes, Some("gru")).unwrap_err().to_string();
        assert_eq!(error, "no pass has \"gru\" in its name; the passes are: step");
    }
}
