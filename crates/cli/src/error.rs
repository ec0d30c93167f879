//! How errors are printed: the chain of causes on one line, then what to do.

use std::io;
use std::process::ExitCode;

use dataset::TaskKind;
use dataset::fetch::FetchError;
use trainer::Difference;

use crate::device;

const RESTART_ADVICE: &str =
    "To train anew in the same folders, add --restart to the command of the training.";
const DAMAGED_ADVICE: &str =
    "Copy the model folder again from its source, or train the model again.";

/// Prints an error and returns its exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if is_closed_pipe(error) {
        // The reader of our output needs no more of it: `sentiment predict ... | head`.
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {error:#}");
    if let Some(advice) = advice(error) {
        eprintln!("\n{advice}");
    }
    ExitCode::FAILURE
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io_error = match error.downcast_ref::<dataset::Error>() {
        Some(dataset::Error::Write { source, .. }) => Some(source),
        _ => error.downcast_ref::<io::Error>(),
    };
    io_error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// What to try next, unless the message itself says so.
fn advice(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(advice) = device::advice(cause) {
            return Some(advice.into());
        }
        if let Some(error) = cause.downcast_ref::<FetchError>() {
            return Some(error.advice());
        }
        if let Some(error) = cause.downcast_ref::<dataset::Error>() {
            return error.advice();
        }
        if let Some(advice) = cause.downcast_ref().and_then(advice_about_texts) {
            return Some(advice.into());
        }
        let of_training = cause.downcast_ref().map(|error| match error {
            trainer::Error::InFile { source, .. } => source,
            error => error,
        });
        let error = match of_training {
            Some(trainer::Error::Classifier(error)) => error,
            Some(trainer::Error::Data(error)) => return error.advice(),
            Some(trainer::Error::Text(error)) => {
                return advice_about_texts(error).map(str::to_owned);
            }
            Some(trainer::Error::OtherLabels { label, task, source, .. }) => {
                return Some(advice_about_labels(label.as_deref(), *task, source));
            }
            Some(trainer::Error::NothingLeft { .. }) => {
                return Some(
                    "Check that each file is the one of its split: no text may be in two of them.".into(),
                );
            }
            Some(trainer::Error::Report { .. }) => return Some(DAMAGED_ADVICE.into()),
            Some(trainer::Error::OtherTraining { differences, .. }) => {
                return Some(advice_about_differences(differences));
            }
            Some(trainer::Error::Checkpoint { .. }) => return Some(RESTART_ADVICE.into()),
            Some(trainer::Error::RunStopped { .. }) => {
                return Some(
                    "Check the disk space and your permissions, then run the same command again: it goes on where \
                     the training stopped."
                        .into(),
                );
            }
            _ => cause.downcast_ref::<classifier::Error>()?,
        };
        Some(match error {
            // The message already suggests a folder.
            classifier::Error::NoModel { meant, .. } if !meant.is_empty() => return None,
            classifier::Error::MissingFile { .. } | classifier::Error::NoModel { .. } => {
                "With --model DIR, pass the folder that `sentiment train` printed at the end."
                    .into()
            }
            classifier::Error::Damaged { .. }
            | classifier::Error::Mismatch { .. }
            | classifier::Error::Mixed { .. } => DAMAGED_ADVICE.into(),
            classifier::Error::InUse { .. } => {
                "Wait until it finishes, or choose another folder with --output DIR.".into()
            }
            classifier::Error::NotAModel { .. } => {
                "Choose another folder with --output DIR.".into()
            }
            classifier::Error::Io { .. } => {
                "Check the disk space and your permissions, or choose another folder.".into()
            }
            _ => return None,
        })
    })
}

fn advice_about_differences(differences: &[Difference]) -> String {
    match differences.iter().all(|difference| difference.is_minor) {
        true => format!(
            "To go on nevertheless, add --anyway: the result may then not be the one of an undisturbed training. \
             {RESTART_ADVICE}"
        ),
        false => format!("Use the settings and the data of the run. {RESTART_ADVICE}"),
    }
}

/// What to do about a label that is none of those of the model that a training starts from.
fn advice_about_labels(label: Option<&str>, task: TaskKind, error: &dataset::Error) -> String {
    let is_plain =
        |label: &&str| label.chars().all(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(&c));
    let first = match label.filter(is_plain) {
        Some(label) => format!(
            "Correct it, or leave out such rows with --labels \"{label}=skip\"; the name of a class in place of skip \
             makes it one of that class."
        ),
        None => error.advice().unwrap_or_default(),
    };
    let anew = format!(
        "If the classes of the file are to take the place of the model's, say so with --task {task}: its outputs are then \
         made anew."
    );
    format!("{first} {anew}").trim_start().to_owned()
}

fn advice_about_texts(error: &text_preprocessing::Error) -> Option<&'static str> {
    matches!(error, text_preprocessing::Error::NoWords { .. }).then_some(
        "Lower preprocessing.min_frequency with --set. If the texts have no spaces between words, use \
         --set preprocessing.scheme=bpe.",
    )
}
