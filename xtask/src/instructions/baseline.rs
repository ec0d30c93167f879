//! The committed counts, and the compiler and target that they are for.

use std::fmt::{self, Write as _};
use std::fs;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// Where the baseline is.
pub(super) const FILE: &str = "xtask/instructions.toml";

const HEADER: &str = "\
# Instructions per timed run of `layer-times`, by `cargo xtask instructions --update`. In mode step a run is
# --steps steps. Each pass also gets --instructions avx2, and one thread.
";

/// The content of [`FILE`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Baseline {
    #[serde(flatten)]
    pub(super) build: Build,
    #[serde(rename = "pass")]
    pub(super) passes: Vec<Pass>,
}

/// What must be the same for counts to be comparable.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Build {
    /// The answer of `rustc --version`.
    rustc: String,
    target: String,
}

/// One pass of a network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pass {
    pub(super) name: String,
    /// Flags of `layer-times`, separated by spaces.
    pub(super) flags: String,
    /// The count; none if the pass is new.
    pub(super) instructions: Option<u64>,
}

impl Baseline {
    pub(super) fn read() -> anyhow::Result<Self> {
        let text = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}"))?;
        Self::parse(&text).with_context(|| format!("cannot read {FILE}"))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let baseline: Self = toml::from_str(text)?;
        ensure!(!baseline.passes.is_empty(), "it lists no passes");
        Ok(baseline)
    }

    pub(super) fn write(&self) -> anyhow::Result<()> {
        fs::write(FILE, self.to_toml()).with_context(|| format!("cannot write {FILE}"))
    }

    fn to_toml(&self) -> String {
        // For plain text, Rust's quotes are TOML's.
        let Build { rustc, target } = &self.build;
        let mut text = format!("{HEADER}rustc = {rustc:?}\ntarget = {target:?}\n");
        for Pass { name, flags, instructions } in &self.passes {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\n[[pass]]\nname = {name:?}\nflags = {flags:?}");
            if let Some(instructions) = instructions {
                let _ = writeln!(text, "instructions = {}", grouped(*instructions));
            }
        }
        text
    }
}

impl Build {
    /// The compiler that cargo runs here, and its own target.
    pub(super) fn current() -> anyhow::Result<Self> {
        let output = Command::new("rustc").arg("-vV").output().context("cannot run rustc -vV")?;
        ensure!(output.status.success(), "rustc -vV ended with {}", output.status);
        let answer = String::from_utf8_lossy(&output.stdout);
        Self::parse(&answer)
            .with_context(|| format!("cannot read the answer of rustc -vV: {answer}"))
    }

    /// Reads the version in the first line, and the line `host: TARGET`.
    fn parse(answer: &str) -> Option<Self> {
        let rustc = answer.lines().next()?.to_owned();
        let target = answer.lines().find_map(|line| line.strip_prefix("host: "))?.to_owned();
        Some(Self { rustc, target })
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.rustc, self.target)
    }
}

/// A number with an underscore before each group of three digits, as in TOML and Rust.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_file_is_as_update_writes_it() -> anyhow::Result<()> {
        let text = include_str!("../../instructions.toml");
        assert_eq!(Baseline::parse(text)?.to_toml(), text);
        Ok(())
    }

    #[test]
    fn a_new_pass_has_no_count() -> anyhow::Result<()> {
        let text =
            "rustc = \"r\"\ntarget = \"t\"\n[[pass]]\nname = \"n\"\nflags = \"--mode step\"\n";
        assert_eq!(Baseline::parse(text)?.passes[0].instructions, None);
        assert!(Baseline::parse(&format!("{text}count = 5\n")).is_err());
        assert!(Baseline::parse("rustc = \"r\"\ntarget = \"t\"\npass = []").is_err());
        Ok(())
    }

    #[test]
    fn the_compiler_says_its_version_and_target() {
        let answer =
            "rustc 1.95.0 (5980 2026-04-14)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\n";
        let build = Build::parse(answer).map(|build| build.to_string());
        let expected = "rustc 1.95.0 (5980 2026-04-14), x86_64-unknown-linux-gnu";
        assert_eq!(build.as_deref(), Some(expected));
        assert_eq!(Build::parse("rustc 1.95.0"), None);
    }
}
