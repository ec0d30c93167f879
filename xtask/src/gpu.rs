//! `cargo xtask gpu`: builds and packs what a machine with an NVIDIA GPU needs to test and time this project.

mod build;
mod bundle;
mod links;
mod rehearsal;
mod toolkit;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::wheel::target_folder;
use links::Links;
use toolkit::{Source, Toolkit};

/// The folder of the bundle, which git ignores.
const FOLDER: &str = "gpu-run";
/// The reviews that the bundle's programs train on.
const REVIEWS: &str = "data/imdb.parquet";

/// Builds and packs all that a machine with an NVIDIA GPU needs to test and time this project: one file,
/// gpu-run/bundle.tar.xz.
///
/// That machine needs no Rust and no network, only an NVIDIA driver and Python with PyTorch for CUDA 13, whose CUDA
/// libraries our programs use, too. The file has about 35 MB, and never more than 60 MB: our programs, built for CUDA,
/// their tests, the reviews, PyTorch's scripts, and run.sh, which needs at most 9 minutes there for tests, comparisons
/// with the CPU, trainings, and times beside PyTorch's. benches/gpu/README.md says how to read them.
///
/// No GPU is needed here, nor a driver. Needs Linux, a C compiler, tar, xz, and the reviews (`cargo xtask fetch-data`).
/// CUDA's compiler comes from the toolkit that CUDA_HOME or CUDA_PATH names; without one, from PyPI into the cache of
/// the user (1.2 GB to download, 2.3 GB on disk, once).
///
/// The first build takes about 16 minutes on 2 cores, most of it for candle's kernels, and 3 GB in target/cuda; later
/// ones build only what has changed. Packing takes about 2 minutes and 3 GB of memory.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask gpu                    build and pack, for an H100 or newer
  cargo xtask gpu --rehearse         the same, but try run.sh before packing
  cargo xtask gpu --compute-cap 80   for an A100 or newer
  cargo xtask gpu --toolkit pypi     with PyPI's compiler, whatever is installed

Next, on the machine with the GPU:
  tar -xJf bundle.tar.xz && ./run.sh RESULTS
writes RESULTS/results.tar.gz. `./run.sh RESULTS tests parity` takes only these steps.")]
pub(crate) struct Args {
    /// Origin of CUDA's compiler and libraries
    #[arg(long, value_enum, default_value = "installed")]
    toolkit: Source,

    /// Oldest GPU for which to build, as its compute capability without the point: 80 is an A100, 89 an L4, 90 an H100
    ///
    /// Newer GPUs run the same programs; their driver compiles the kernels again at the first start.
    #[arg(long, value_name = "N", default_value = "90", value_parser = clap::value_parser!(u32).range(75..=129))]
    compute_cap: u32,

    /// Before packing, run run.sh here with a stand-in for the driver, as far as it goes without a GPU
    ///
    /// All programs start, all scripts and flags are read, and only what needs the GPU fails. Fails if a step fails for
    /// another reason. PyTorch's flags are tried only if `python3` has PyTorch, with or without CUDA. Takes about a
    /// minute.
    #[arg(long)]
    rehearse: bool,

    /// Folder for the build, apart from that of other builds, which have other features [default: target/cuda]
    #[arg(long, value_name = "DIR")]
    target_dir: Option<PathBuf>,

    /// Python interpreter that installs the toolkit from PyPI
    #[arg(long, default_value = "python3", value_name = "PROGRAM")]
    python: String,
}

pub(crate) fn run(args: &Args, user_folder: &Path) -> anyhow::Result<()> {
    ensure!(cfg!(target_os = "linux"), "`cargo xtask gpu` runs only on Linux: it builds for Linux");
    // Without these, a build of a quarter of an hour would be in vain.
    bundle::check_tools()?;
    ensure!(
        Path::new(REVIEWS).is_file(),
        "there is no {REVIEWS}, on which the bundle's programs train; run `cargo xtask fetch-data` first"
    );
    let target = match &args.target_dir {
        Some(folder) => user_folder.join(folder),
        None => target_folder()?.join("cuda"),
    };

    let toolkit = Toolkit::find(args.toolkit, &args.python)?;
    println!("gpu: CUDA {} in {}", toolkit.release()?, toolkit.home.display());
    let links = Links::make(&toolkit, &target.join("links"))?;
    let programs = build::programs(&toolkit, &links, &target, args.compute_cap)?;
    let trace = build::trace(&toolkit, &target)?;

    let contents = Path::new(FOLDER).join("bundle");
    bundle::assemble(&contents, &programs, trace.as_deref(), Path::new(REVIEWS))
        .with_context(|| format!("cannot fill {}", contents.display()))?;
    if args.rehearse {
        rehearsal::run(&contents, &links)?;
    }
    let packed = Path::new(FOLDER).join("bundle.tar.xz");
    let bytes = bundle::pack(&contents, &packed)?;
    println!(
        "gpu: {} has {:.1} MB; next, on a machine with an NVIDIA GPU:\n  tar -xJf bundle.tar.xz && ./run.sh RESULTS",
        packed.display(),
        bytes as f64 / 1e6
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn parsed(flags: &[&str]) -> Result<Args, clap::Error> {
        let matches = Args::augment_args(Command::new("gpu")).try_get_matches_from(flags)?;
        Args::from_arg_matches(&matches)
    }

    #[test]
    fn flags_fit_together() {
        Args::augment_args(Command::new("gpu")).debug_assert();
        let args = parsed(&["gpu"]).expect("no flag is needed");
        assert_eq!((args.toolkit, args.compute_cap), (Source::Installed, 90));
        let args = parsed(&["gpu", "--toolkit", "pypi", "--compute-cap", "80", "--rehearse"]);
        assert_eq!(args.expect("flags").toolkit, Source::Pypi);
    }

    #[test]
    fn capabilities_that_cuda_13_does_not_build_for_are_refused() {
        for wrong in ["70", "9.0", "sm_90", "900"] {
            assert!(parsed(&["gpu", "--compute-cap", wrong]).is_err(), "{wrong}");
        }
    }
}
