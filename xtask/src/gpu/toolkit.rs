//! CUDA's compiler, headers and libraries: an installed toolkit, or packages from PyPI.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::environment::large_environment;

/// The packages of a toolkit from PyPI.
const REQUIREMENTS: &str = "benches/gpu/requirements.txt";
/// Variables that name the folder of an installed toolkit, in the order in which they are asked.
const VARIABLES: [&str; 2] = ["CUDA_HOME", "CUDA_PATH"];

/// Where a toolkit comes from.
#[derive(Debug, Clone, Copy, PartialEq, clap::ValueEnum)]
pub(crate) enum Source {
    /// The folder that CUDA_HOME or CUDA_PATH names, if it has nvcc; else PyPI
    Installed,
    /// CUDA 13.0 from PyPI, installed once into the user's cache
    Pypi,
}

/// A CUDA toolkit.
#[derive(Debug)]
pub(crate) struct Toolkit {
    /// The folder with `bin/nvcc`.
    pub(crate) home: PathBuf,
    /// Folders that may hold its libraries and cuDNN's, the likeliest first.
    pub(crate) libraries: Vec<PathBuf>,
}

impl Toolkit {
    /// The installed toolkit, or that from PyPI, which is installed if it is not there.
    pub(crate) fn find(source: Source, python: &str) -> anyhow::Result<Self> {
        if source == Source::Installed {
            for variable in VARIABLES {
                let Some(home) = env::var_os(variable).map(PathBuf::from) else { continue };
                if nvcc(&home).is_file() {
                    return Self::at(&home);
                }
                println!("gpu: {variable} is {}, which has no bin/nvcc", home.display());
            }
            println!("gpu: no toolkit is installed; taking CUDA's compiler from PyPI");
        }
        Self::from_pypi(python)
    }

    fn at(home: &Path) -> anyhow::Result<Self> {
        let home = std::path::absolute(home).context("cannot find the toolkit")?;
        let mut libraries: Vec<PathBuf> =
            env::var_os("CUDNN_LIB").map(PathBuf::from).into_iter().collect();
        let own = ["lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"];
        libraries.extend(own.map(|folder| home.join(folder)));
        // cuDNN is beside the other packages of PyPI; installed ones put it among the system's libraries.
        libraries.push(home.join("../cudnn/lib"));
        let system = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"];
        libraries.extend(system.map(PathBuf::from));
        libraries.retain(|folder| folder.is_dir());
        Ok(Self { home, libraries })
    }

    fn from_pypi(python: &str) -> anyhow::Result<Self> {
        let cache =
            dirs::cache_dir().context("there is no folder for the user's cache; set HOME")?;
        let folder = cache.join("sentiment-rnn").join("cuda-13.0");
        println!(
            "gpu: PyPI's toolkit is kept in {} (1.2 GB to download, 2.3 GB on disk, once)",
            folder.display()
        );
        let requirements = Path::new(REQUIREMENTS);
        let interpreter = large_environment(python, &folder, requirements).with_context(|| {
            format!(
                "cannot install CUDA's compiler from PyPI; this needs {python} with venv and pip (Debian: apt-get \
                 install python3-venv; --python names another interpreter), a connection to PyPI, and 5 GB on the disk \
                 of {}; the next call begins anew, but pip keeps most of what it has downloaded",
                cache.display()
            )
        })?;
        let home = packages(&interpreter)?.join("nvidia").join("cu13");
        ensure!(
            nvcc(&home).is_file(),
            "there is no nvcc in {}, although the packages of {REQUIREMENTS} are installed; remove {} and try again",
            home.display(),
            folder.display()
        );
        Self::at(&home)
    }

    /// The release of its compiler, such as 13.0.
    pub(crate) fn release(&self) -> anyhow::Result<String> {
        let nvcc = nvcc(&self.home);
        let output = Command::new(&nvcc).arg("--version").output();
        let output = output.with_context(|| format!("cannot run {}", nvcc.display()))?;
        ensure!(
            output.status.success(),
            "{} --version ended with {}",
            nvcc.display(),
            output.status
        );
        let text = String::from_utf8_lossy(&output.stdout);
        let release = release_in(&text);
        release
            .map(str::to_string)
            .with_context(|| format!("{} gives no release: {text}", nvcc.display()))
    }

    /// Folders that may hold the headers of CUDA and CUPTI.
    pub(crate) fn headers(&self) -> [PathBuf; 2] {
        ["include", "extras/CUPTI/include"].map(|folder| self.home.join(folder))
    }
}

fn nvcc(home: &Path) -> PathBuf {
    home.join("bin").join("nvcc")
}

/// The folder of an environment's packages.
fn packages(interpreter: &Path) -> anyhow::Result<PathBuf> {
    let mut command = Command::new(interpreter);
    command.args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]);
    let output =
        command.output().with_context(|| format!("cannot run {}", interpreter.display()))?;
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end()))
}

/// The release in what `nvcc --version` prints.
fn release_in(text: &str) -> Option<&str> {
    text.split("release ").nth(1)?.split([',', '\n']).next().filter(|release| !release.is_empty())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_release_is_what_nvcc_says() {
        let text = "nvcc: NVIDIA (R) Cuda compiler driver\nCuda compilation tools, release 13.0, V13.0.88\nBuild";
        assert_eq!(release_in(text), Some("13.0"));
        assert_eq!(release_in("nothing"), None);
    }

    #[test]
    fn libraries_are_looked_for_only_where_there_are_folders() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().join("cu13");
        fs::create_dir_all(home.join("lib")).expect("a folder");
        fs::create_dir_all(folder.path().join("cudnn/lib")).expect("a folder");
        let toolkit = Toolkit::at(&home).expect("a toolkit");
        assert!(toolkit.libraries.contains(&home.join("lib")));
        assert!(toolkit.libraries.contains(&home.join("../cudnn/lib")));
        assert!(!toolkit.libraries.contains(&home.join("lib64")));
    }
}
