//! Runs `layer-times` under valgrind's callgrind, which counts instructions.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use super::baseline::Pass;

/// Timed runs of the two processes whose difference is the count.
const FEW_RUNS: u64 = 1;
const MORE_RUNS: u64 = 3;

/// Says how to install valgrind if it is missing.
pub(super) fn check_installed() -> anyhow::Result<()> {
    match Command::new("valgrind").arg("--version").output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => bail!("valgrind --version ended with {}", output.status),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("valgrind is not installed\n\nInstall it, for example: apt-get install valgrind")
        }
        Err(error) => Err(error).context("cannot run valgrind"),
    }
}

/// The instructions of one timed run.
pub(super) fn instructions_per_run(program: &Path, pass: &Pass) -> anyhow::Result<u64> {
    // Both at the same time, as each uses one core.
    let (few, more) = (start(program, pass, FEW_RUNS)?, start(program, pass, MORE_RUNS)?);
    let (few, more) = (total(few), total(more));
    let (few, more) = (few?, more?);
    let difference = more.checked_sub(few).with_context(|| {
        format!(
            "runs: {FEW_RUNS}, instructions: {few}; but runs: {MORE_RUNS}, instructions: {more}"
        )
    })?;
    Ok(difference / (MORE_RUNS - FEW_RUNS))
}

fn start(program: &Path, pass: &Pass, runs: u64) -> anyhow::Result<Child> {
    Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(pass.flags.split_whitespace())
        .args(["--instructions", "avx2", "--warmup", "0", "--runs", &runs.to_string()])
        .envs([("RAYON_NUM_THREADS", "1"), ("CANDLE_NUM_THREADS", "1")])
        // Freed blocks wait in a cache for the next request of their size. Without it, glibc splits and
        // merges them, and the seeds of hash maps, which decide the order in which blocks are freed, made
        // the counts of short passes vary by 0.3 %.
        .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=1000")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run valgrind")
}

fn total(child: Child) -> anyhow::Result<u64> {
    let output = child.wait_with_output().context("cannot wait for valgrind")?;
    let messages = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "layer-times under valgrind ended with {}:\n{}",
        output.status,
        of_the_program(&messages)
    );
    parse_total(&messages).with_context(|| format!("callgrind printed no total:\n{messages}"))
}

/// The number in the line `==PID== Collected : NUMBER`.
fn parse_total(messages: &str) -> Option<u64> {
    messages.lines().find_map(|line| {
        let (_, number) = line.strip_prefix("==")?.split_once("== Collected : ")?;
        number.trim().parse().ok()
    })
}

/// What the program itself wrote to standard error.
fn of_the_program(messages: &str) -> String {
    let lines: Vec<&str> = messages.lines().filter(|line| !line.starts_with("==")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = "\
==75== Callgrind, a call-graph generating cache profiler
==75== Command: layer-times --mode step
==75==
error: no such device
==75==
==75== Events    : Ir
==75== Collected : 34180448
==75==
==75== I   refs:      34,180,448
";

    #[test]
    fn the_total_is_found_among_the_messages() {
        assert_eq!(parse_total(MESSAGES), Some(34_180_448));
        assert_eq!(parse_total("Collected : 5\n==75== Collected : none\n"), None);
    }

    #[test]
    fn valgrinds_own_lines_are_left_out_of_errors() {
        assert_eq!(of_the_program(MESSAGES), "error: no such device");
    }
}
