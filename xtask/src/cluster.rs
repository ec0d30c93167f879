//! `cargo xtask cluster`: proves that Spark and Ray answer a large table as `sentiment predict` does.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::cargo::{check, sentiment};
use crate::environment::environment;
use crate::wheel;

const TESTS: &str = "crates/python/tests";

/// Answers 200,000 texts with Spark (`local-cluster`, two executors, one of which is killed on the way) and with Ray
/// (two actors), and compares every row with `sentiment predict`; also runs the Python tests that need Spark and Ray.
///
/// Needs Java 17, and downloads PySpark and Ray (about 600 MB) once. Takes several minutes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  cargo xtask cluster --model models/quick --reviews reviews.csv")]
pub(crate) struct Args {
    /// Folder of a model with two classes
    #[arg(long, value_name = "DIR")]
    model: PathBuf,

    /// CSV with a column named text, whose texts are repeated and cut
    #[arg(long, value_name = "FILE")]
    reviews: PathBuf,

    /// Rows of the table
    #[arg(long, value_name = "N", default_value = "200000")]
    rows: usize,

    /// Python interpreter that makes the environment
    #[arg(long, default_value = "python3", value_name = "PROGRAM")]
    python: String,
}

pub(crate) fn run(args: &Args, user_folder: &Path) -> anyhow::Result<()> {
    let target = wheel::target_folder()?;
    let folder = target.join("cluster");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let tests = env::current_dir().context("cannot determine the current folder")?.join(TESTS);
    let proofs = tests.join("cluster");

    let wheel = wheel::built(&args.python, false)?;
    let requirements = proofs.join("requirements.txt");
    let python = environment(&args.python, &folder.join("environment"), &requirements)?;
    wheel::install(&python, &wheel)?;

    let model = user_folder.join(&args.model);
    let (table, expected) = (folder.join("table.parquet"), folder.join("expected.parquet"));
    let script = |name: &str| {
        let mut command = Command::new(&python);
        command.current_dir(&folder).arg(proofs.join(name));
        command
    };
    let mut make = script("make_table.py");
    make.arg("--reviews").arg(user_folder.join(&args.reviews)).arg("--output").arg(&table);
    check(make.arg("--rows").arg(args.rows.to_string()))?;
    let mut predict = Command::new(sentiment()?);
    predict.arg("predict").arg("--model").arg(&model).arg("--input").arg(&table);
    check(predict.arg("--output").arg(&expected).arg("--force"))?;
    let mut prove = script("prove.py");
    prove.arg("--model").arg(&model).arg("--table").arg(&table).arg("--expected").arg(&expected);
    check(&mut prove)?;

    let mut pytest = Command::new(&python);
    pytest.current_dir(&folder).args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "-c"]);
    pytest.arg(tests.join("../pyproject.toml"));
    for name in ["test_spark_unit.py", "test_examples.py", "test_cluster_comparison.py"] {
        pytest.arg(tests.join(name));
    }
    check(&mut pytest)
}
