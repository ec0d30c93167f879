//! Checks that the crates depend on one another as ARCHITECTURE.md says, and on nothing forbidden.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

const MAP: &str = "ARCHITECTURE.md";
const HEADING: &str = "## Layers";

/// A crate, packages that it must not pull in, and a dependency through which it still may.
struct Forbidden {
    of: &'static str,
    prefixes: &'static [&'static str],
    except_through: Option<&'static str>,
}

const FORBIDDEN: [Forbidden; 3] = [
    Forbidden { of: "text-preprocessing", prefixes: &["candle"], except_through: None },
    // candle-core itself depends on tokenizers; that is not ours to change.
    Forbidden {
        of: "recurrent",
        prefixes: &["tokenizers", "polars"],
        except_through: Some("candle-core"),
    },
    // Whoever only wants answers builds nothing of training, tables or downloads.
    Forbidden {
        of: "classifier",
        prefixes: &["polars", "dataset", "trainer", "ureq", "rustls", "clap"],
        except_through: None,
    },
];

/// A crate that starts no threads of its own, and crates with which it could.
const WITHOUT_THREADS: (&str, [&str; 4]) =
    ("classifier", ["rayon", "rayon-core", "tokio", "threadpool"]);

/// Names of each package's normal dependencies, by package name.
type Dependencies = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn check() -> anyhow::Result<()> {
    let map = fs::read_to_string(MAP).with_context(|| format!("cannot read {MAP}"))?;
    let layers = layers_of(&map)?;
    let mut folders = BTreeSet::new();
    for entry in fs::read_dir("crates").context("cannot read crates/")? {
        folders.insert(
            entry.context("cannot read crates/")?.file_name().to_string_lossy().into_owned(),
        );
    }
    let listed: BTreeSet<String> = layers.iter().cloned().collect();
    ensure!(listed == folders, "{MAP} lists the layers {listed:?}, but crates/ holds {folders:?}");
    let dependencies = dependencies()?;
    let mut faults = order_faults(&layers, &dependencies);
    for forbidden in &FORBIDDEN {
        faults.extend(forbidden_faults(forbidden, &dependencies));
    }
    faults.extend(thread_faults(&dependencies));
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(())
}

/// The numbered list under [`HEADING`]: "1. `name`: ...".
fn layers_of(map: &str) -> anyhow::Result<Vec<String>> {
    let section = map.split(HEADING).nth(1).with_context(|| format!("{MAP} has no {HEADING:?}"))?;
    let section = section.split("\n## ").next().unwrap_or(section);
    let layers: Vec<String> = section
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|line| line.split('`').nth(1).map(str::to_string))
        .collect();
    ensure!(!layers.is_empty(), "{MAP} lists no layers under {HEADING:?}");
    Ok(layers)
}

fn order_faults(layers: &[String], dependencies: &Dependencies) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        for later in &layers[index..] {
            if dependencies.get(layer).is_some_and(|of_layer| of_layer.contains(later)) {
                faults.push(format!("{layer} depends on {later}, which {MAP} puts below it"));
            }
        }
    }
    faults
}

/// Follows dependencies from a crate to find every forbidden package.
fn forbidden_faults(forbidden: &Forbidden, dependencies: &Dependencies) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    let mut paths = vec![vec![forbidden.of.to_string()]];
    while let Some(path) = paths.pop() {
        let Some(last) = path.last() else { continue };
        if forbidden.prefixes.iter().any(|prefix| last.starts_with(prefix)) {
            faults.push(format!("{} pulls in {last}: {}", forbidden.of, path.join(" → ")));
            continue;
        }
        if !seen.insert(last.clone()) || forbidden.except_through == Some(last) {
            continue;
        }
        for next in dependencies.get(last).into_iter().flatten() {
            paths.push([path.clone(), vec![next.clone()]].concat());
        }
    }
    faults
}

/// Crates for threads that [`WITHOUT_THREADS`] names itself.
fn thread_faults(dependencies: &Dependencies) -> Vec<String> {
    let (name, pools) = WITHOUT_THREADS;
    let of_crate = dependencies.get(name);
    let has = |pool: &&&str| of_crate.is_some_and(|of_crate| of_crate.contains(**pool));
    pools
        .iter()
        .filter(has)
        .map(|pool| format!("{name} starts threads of its own with {pool}"))
        .collect()
}

/// Reads dependencies from cargo; merges different versions of one package.
fn dependencies() -> anyhow::Result<Dependencies> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .context("cannot run cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .context("cannot parse the output of cargo metadata")?;
    parse(&metadata).context("cargo metadata's output lacks an expected field")
}

fn parse(metadata: &Value) -> Option<Dependencies> {
    let mut names = BTreeMap::new();
    for package in metadata["packages"].as_array()? {
        names.insert(package["id"].as_str()?, package["name"].as_str()?);
    }
    let mut dependencies = Dependencies::new();
    for node in metadata["resolve"]["nodes"].as_array()? {
        let of_node = dependencies.entry(names.get(node["id"].as_str()?)?.to_string()).or_default();
        for dependency in node["deps"].as_array()? {
            let kinds = dependency["dep_kinds"].as_array()?;
            if kinds.iter().any(|kind| kind["kind"].is_null()) {
                of_node.insert(names.get(dependency["pkg"].as_str()?)?.to_string());
            }
        }
    }
    Some(dependencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependencies(edges: &[(&str, &str)]) -> Dependencies {
        let mut dependencies = Dependencies::new();
        for (from, to) in edges {
            dependencies.entry((*from).to_string()).or_default().insert((*to).to_string());
        }
        dependencies
    }

    #[test]
    fn an_edge_downwards_is_a_fault() {
        let layers = ["top", "middle", "bottom"].map(String::from);
        assert!(order_faults(&layers, &dependencies(&[("bottom", "top")])).is_empty());
        let faults = order_faults(&layers, &dependencies(&[("top", "bottom")]));
        assert_eq!(faults, ["top depends on bottom, which ARCHITECTURE.md puts below it"]);
    }

    #[test]
    fn a_forbidden_package_is_found_at_any_depth_and_its_way_named() {
        let edges = [("recurrent", "a"), ("a", "b"), ("b", "polars-core")];
        let faults = forbidden_faults(&FORBIDDEN[1], &dependencies(&edges));
        assert_eq!(faults, ["recurrent pulls in polars-core: recurrent → a → b → polars-core"]);
        let edges = [("recurrent", "candle-core"), ("candle-core", "tokenizers")];
        assert!(forbidden_faults(&FORBIDDEN[1], &dependencies(&edges)).is_empty());
    }

    #[test]
    fn a_pool_of_threads_is_found_where_there_should_be_none() {
        let below = [("classifier", "candle-core"), ("candle-core", "rayon")];
        assert!(thread_faults(&dependencies(&below)).is_empty());
        let faults = thread_faults(&dependencies(&[("classifier", "rayon")]));
        assert_eq!(faults, ["classifier starts threads of its own with rayon"]);
    }

    #[test]
    fn the_map_is_read_as_a_numbered_list() -> anyhow::Result<()> {
        let map =
            "# Map\n## Layers\nWords.\n1. `a`: first\n2. `b`: second, on `a`\n## Else\n3. `c`";
        assert_eq!(layers_of(map)?, ["a", "b"]);
        Ok(())
    }
}
