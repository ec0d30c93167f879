//! A list of settings, each trained with the same seeds and compared with the first.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use super::compare::{difference, mean_and_deviation};
use super::seed::{Figures, Plan, train};

/// A list, as TOML.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    /// The recipe of all.
    recipe: String,
    /// Seeds are counted from 0.
    seeds: u64,
    /// Other labelled texts on which choices may be made.
    #[serde(default)]
    also: Vec<String>,
    /// What is tried, the base of all comparisons first.
    #[serde(rename = "try")]
    tries: Vec<Try>,
}

/// One of the settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Try {
    name: String,
    #[serde(default)]
    settings: Vec<String>,
}

/// A line of the results: one training.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    name: String,
    recipe: String,
    settings: Vec<String>,
    seed: u64,
    figures: Figures,
}

/// Runs what the results, a file beside the list, do not have yet, then prints a table.
pub(super) fn run(path: &Path) -> anyhow::Result<()> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let list: List =
        toml::from_str(&text).with_context(|| format!("{} is no list", path.display()))?;
    list.check()?;
    let results = path.with_extension("jsonl");
    let mut lines = read(&results)?;
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    // Seed by seed, so that a list that is stopped can be compared.
    for seed in 0..list.seeds {
        for tried in &list.tries {
            if lines.iter().any(|line| line.is_of(&list, tried, seed)) {
                continue;
            }
            println!("{}, seed {seed}", tried.name);
            let (recipe, settings) = (&*list.recipe, &*tried.settings);
            let plan = Plan { recipe, settings, seed, also: &list.also, tests: false };
            let figures = train(&plan, &folder.path().join("model"))?;
            let line = Line {
                name: tried.name.clone(),
                recipe: list.recipe.clone(),
                settings: tried.settings.clone(),
                seed,
                figures,
            };
            append(&results, &line)?;
            lines.push(line);
        }
    }
    print!("{}", list.table(&lines));
    Ok(())
}

impl Line {
    fn is_of(&self, list: &List, tried: &Try, seed: u64) -> bool {
        self.seed == seed && self.recipe == list.recipe && self.settings == tried.settings
    }
}

impl List {
    fn check(&self) -> anyhow::Result<()> {
        ensure!(self.seeds > 0, "seeds must be at least 1");
        ensure!(!self.tries.is_empty(), "nothing is tried");
        for (idx, tried) in self.tries.iter().enumerate() {
            if self.tries[..idx].iter().any(|other| other.settings == tried.settings) {
                bail!("{} has the settings of another one", tried.name);
            }
        }
        Ok(())
    }

    /// Markdown: a row for each of the settings, a column for each figure, with the difference from the first.
    fn table(&self, lines: &[Line]) -> String {
        let of = |tried: &Try| -> BTreeMap<u64, &Figures> {
            let lines = lines.iter();
            let found =
                lines.filter(|line| (0..self.seeds).any(|seed| line.is_of(self, tried, seed)));
            found.map(|line| (line.seed, &line.figures)).collect()
        };
        let base = of(&self.tries[0]);
        let mut names: Vec<&str> = Vec::new();
        for figures in base.values() {
            names.extend(figures.keys().map(String::as_str));
        }
        names.sort_unstable();
        names.dedup();
        // Writing to a string cannot fail.
        let mut table = format!(
            "| what | seeds | {} |\n|{}\n",
            names.join(" | "),
            "---|".repeat(names.len() + 2)
        );
        for tried in &self.tries {
            let figures = of(tried);
            let _ = write!(table, "| {} | {} |", tried.name, figures.len());
            for name in &names {
                let values: Vec<f64> =
                    figures.values().filter_map(|of| of.get(*name)).copied().collect();
                let (mean, deviation) = mean_and_deviation(values.iter().copied());
                let pairs = base.iter().filter_map(|(seed, before)| {
                    Some((*before.get(*name)?, *figures.get(seed)?.get(*name)?))
                });
                let pairs: Vec<(f64, f64)> = pairs.collect();
                let is_count = ["train_s", "parameters", "bytes"].contains(name);
                let _ = match difference(&pairs) {
                    _ if values.is_empty() => write!(table, " |"),
                    _ if is_count => write!(table, " {mean:.0} |"),
                    Some(of) if tried.settings != self.tries[0].settings => write!(
                        table,
                        " {mean:.4} ± {deviation:.4} ({:+.4} ± {:.4}, p {:.2}) |",
                        of.mean, of.error, of.p
                    ),
                    _ => write!(table, " {mean:.4} ± {deviation:.4} |"),
                };
            }
            table.push('\n');
        }
        table
    }
}

fn read(path: &PathBuf) -> anyhow::Result<Vec<Line>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let line = |(number, line): (usize, &str)| {
        serde_json::from_str(line)
            .with_context(|| format!("{}: line {} is no result", path.display(), number + 1))
    };
    text.lines().enumerate().map(line).collect()
}

fn append(path: &Path, line: &Line) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let mut file = File::options().append(true).create(true).open(path).with_context(failed)?;
    let text = format!("{}\n", serde_json::to_string(line)?);
    file.write_all(text.as_bytes()).with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> List {
        let text = r#"
            recipe = "quick"
            seeds = 2
            [[try]]
            name = "as it is"
            [[try]]
            name = "slow"
            settings = ["training.learning_rate=0.001"]
        "#;
        toml::from_str(text).unwrap()
    }

    fn line(list: &List, tried: usize, seed: u64, accuracy: f64) -> Line {
        Line {
            name: list.tries[tried].name.clone(),
            recipe: list.recipe.clone(),
            settings: list.tries[tried].settings.clone(),
            seed,
            figures: [("validation accuracy".to_string(), accuracy)].into(),
        }
    }

    #[test]
    fn settings_are_compared_with_the_first_seed_by_seed() {
        let list = list();
        let lines = [
            line(&list, 0, 0, 0.8),
            line(&list, 1, 0, 0.9),
            line(&list, 0, 1, 0.7),
            line(&list, 1, 1, 0.8),
        ];
        let table = list.table(&lines);
        assert!(table.contains("| as it is | 2 | 0.7500 ± 0.0707 |"), "{table}");
        assert!(
            table.contains("| slow | 2 | 0.8500 ± 0.0707 (+0.1000 ± 0.0000, p 0.50) |"),
            "{table}"
        );
    }

    #[test]
    fn a_list_with_the_same_settings_twice_is_refused() {
        let mut list = list();
        assert!(list.check().is_ok());
        list.tries[1].settings.clear();
        assert!(list.check().unwrap_err().to_string().contains("slow has the settings of another"));
    }

    #[test]
    fn results_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        assert!(read(&path).unwrap().is_empty());
        let list = list();
        append(&path, &line(&list, 1, 3, 0.5)).unwrap();
        let lines = read(&path).unwrap();
        assert!(
            lines[0].is_of(&list, &list.tries[1], 3) && !lines[0].is_of(&list, &list.tries[1], 2)
        );
    }
}
