//! `sentiment predict`: texts from the command line, lines of standard input, or tables.

mod args;
mod columns;
mod inputs;
mod lines;
mod pipeline;
mod stages;
mod table;

use std::process::ExitCode;

use anyhow::bail;
use classifier::Classifier;

pub(crate) use self::args::Args;
use crate::answer::Answer;
use crate::understanding::Understanding;

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let (Some(output), false) = (&args.output, args.input.is_empty()) {
        return table::run(args, output);
    }
    if args.output.is_some() || args.text_column.is_some() || !args.reading.is_default() {
        bail!("--output, --text-column and the options for reading tables need --input FILE");
    }
    let device = args.device.open()?;
    let classifier = Classifier::open(&args.model, &device)?;
    let mut out = std::io::stdout().lock();
    let (showing, mut understanding) = (args.showing(None), Understanding::default());
    if args.texts.is_empty() {
        lines::answer(&classifier, (args.json, showing), &mut out, &mut understanding)?;
    } else {
        let predictions = classifier.predict(&args.texts)?;
        understanding.add(&predictions);
        for (text, prediction) in args.texts.iter().zip(predictions) {
            let answer = Answer::new(classifier.task(), prediction, showing);
            answer.print(&mut out, (text, args.json), showing)?;
        }
    }
    understanding.tell(&classifier, None);
    Ok(ExitCode::SUCCESS)
}
