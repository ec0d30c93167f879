//! A list of settings, each trained with the same seeds and compared with the first.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use measures::Spread;

use super::compare::{MOST, difference};
use super::inputs::Inputs;
use super::seed::{Figures, Plan, train};

/// A list, as TOML.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    /// The recipe of all.
    recipe: String,
    /// Seeds are counted from 0; at most [`MOST`].
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
    /// What it was trained with; absent in lines of earlier versions, which are not used again.
    #[serde(default)]
    inputs: Option<Inputs>,
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
    let inputs = list.inputs()?;
    let (mut lines, others): (Vec<Line>, Vec<Line>) =
        read(&results)?.into_iter().partition(|line| line.inputs.as_ref() == Some(&inputs));
    if !others.is_empty() {
        println!(
            "{}: {} results are not used, as they are of another recipe or program, or of other texts",
            results.display(),
            others.len()
        );
    }
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
            ensure!(
                list.inputs()? == inputs,
                "the recipe, the program's sources or the texts were changed during the training, so its figures are not \
                 kept; run the list again"
            );
            let line = Line {
                name: tried.name.clone(),
                recipe: list.recipe.clone(),
                settings: tried.settings.clone(),
                seed,
                inputs: Some(inputs.clone()),
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
        ensure!(
            self.seeds <= MOST as u64,
            "seeds must be at most {MOST}: all signs of the differences are tried"
        );
        ensure!(!self.tries.is_empty(), "nothing is tried");
        for (idx, tried) in self.tries.iter().enumerate() {
            if self.tries[..idx].iter().any(|other| other.settings == tried.settings) {
                bail!("{} has the settings of another one", tried.name);
            }
        }
        Ok(())
    }

    fn inputs(&self) -> anyhow::Result<Inputs> {
        // The folder that every task runs in.
        Inputs::now(Path::new(""), &self.recipe, &self.also)
    }

    /// Markdown: a row for each of the settings, a column for each figure, with the difference from the first. The number
    /// of seeds is said of a figure that not all trainings of the row have, or not both of a pair.
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
                let Some(Spread { mean, deviation, .. }) = Spread::of(&values) else {
                    table.push_str(" |");
                    continue;
                };
                let pairs = base.iter().filter_map(|(seed, before)| {
                    Some((*before.get(*name)?, *figures.get(seed)?.get(*name)?))
                });
                let pairs: Vec<(f64, f64)> = pairs.collect();
                let is_count = ["train_s", "parameters", "bytes"].contains(name);
                let _ = match is_count {
                    true => write!(table, " {mean:.0}"),
                    false => write!(table, " {mean:.4} ± {deviation:.4}"),
                };
                if values.len() != figures.len() {
                    let _ = write!(table, ", of {}", seeds(values.len()));
                }
                let is_base = tried.settings == self.tries[0].settings;
                if let Some(of) = difference(&pairs).filter(|_| !is_base && !is_count) {
                    let _ = write!(table, " ({:+.4} ± {:.4}, p {:.2}", of.mean, of.error, of.p);
                    if of.n != values.len() {
                        let _ = write!(table, ", of {}", seeds(of.n));
                    }
                    table.push(')');
                }
                table.push_str(" |");
            }
            table.push('\n');
        }
        table
    }
}

fn seeds(n: usize) -> String {
    format!("{n} seed{}", if n == 1 { "" } else { "s" })
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
            inputs: None,
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
    fn the_number_of_seeds_is_said_where_figures_have_fewer() {
        let list = list();
        let mut lines = [
            line(&list, 0, 0, 0.8),
            line(&list, 1, 0, 0.9),
            line(&list, 0, 1, 0.7),
            line(&list, 1, 1, 0.8),
        ];
        let figure = |x| ("ECE".to_string(), x);
        lines[0].figures.extend([figure(0.1)]);
        lines[1].figures.extend([figure(0.2)]);
        lines[3].figures.extend([figure(0.4)]);
        let table = list.table(&lines);
        assert!(table.contains("| as it is | 2 | 0.1000 ± 0.0000, of 1 seed |"), "{table}");
        assert!(
            table.contains("| slow | 2 | 0.3000 ± 0.1414 (+0.1000 ± 0.0000, p 1.00, of 1 seed) |"),
            "{table}"
        );
        let table = list.table(&lines[..3]);
        assert!(
            table.contains("| slow | 1 | 0.2000 ± 0.0000 (+0.1000 ± 0.0000, p 1.00) |"),
            "{table}"
        );
    }

    #[test]
    fn more_seeds_than_are_compared_are_refused() {
        let mut list = list();
        list.seeds = 20;
        assert!(list.check().is_ok());
        list.seeds = 21;
        assert!(list.check().unwrap_err().to_string().contains("seeds must be at most 20"));
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
        let inputs = Inputs::now(Path::new(".."), "quick", &[]).unwrap();
        let written = Line { inputs: Some(inputs.clone()), ..line(&list, 1, 3, 0.5) };
        append(&path, &written).unwrap();
        let older = r#"{"name":"a","recipe":"quick","settings":[],"seed":0,"figures":{}}"#;
        let text = fs::read_to_string(&path).unwrap() + older;
        fs::write(&path, text).unwrap();
        let lines = read(&path).unwrap();
        assert_eq!((&lines[0].inputs, &lines[1].inputs), (&Some(inputs), &None));
        assert!(
            lines[0].is_of(&list, &list.tries[1], 3) && !lines[0].is_of(&list, &list.tries[1], 2)
        );
    }
}
