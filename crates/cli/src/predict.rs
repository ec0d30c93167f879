//! `sentiment predict`.

use std::io::{BufRead as _, IsTerminal as _, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use classifier::{Classifier, Task, folder};
use dataset::{AnswerColumn, AnswerValues, ColumnChoice, DataFile, Existing, TextTable};
use trainer::TrainingReport;

use crate::answer::{Answer, Showing};
use crate::device::DeviceName;
use crate::progress::scoring_bar;
use crate::reading::{ReadingArgs, tell_guess, tell_notes};
use crate::understanding::Understanding;

/// A byte order mark, which some shells put at the start of a pipe.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Classifies texts, with the probability of the predicted class; of two classes, that of the positive one.
///
/// Texts come from the command line, from a table (--input), or line by line from standard input.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sentiment predict --model models/default \"What a film!\" \"I left early.\"
  cat lines.txt | sentiment predict --model models/default --json
  sentiment predict --model models/default --input reviews.csv --output answers.csv
  sentiment predict --model models/topics --top 3 --abstain 0.6 \"Parliament votes on the budget\"
  zcat old.csv.gz | sentiment predict --model models/default --input - --format csv \\
      --encoding windows-1252 --output answers.parquet

Put -- before a text that begins with a dash: predict --model models/default -- \"-5 stars\"

--output writes all columns of the input, then predicted_label and probability: of the positive class where there are two, else of the predicted one. Where a text may have several labels, there is a column probability_of_LABEL for each, and predicted_label holds those predicted (a line has - if there are none). --top K adds top_1_label, top_1_probability and so on. If the input has columns of these names, the new ones are predicted_label_2 and probability_2, and so on.")]
pub(crate) struct Args {
    /// Folder of a trained model
    #[arg(long, value_name = "DIR")]
    model: PathBuf,

    /// Texts to classify [default: the lines of standard input]
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    texts: Vec<String>,

    /// Table of texts: .parquet, .csv, .tsv or .jsonl, also with .gz or .zst; - for standard input
    #[arg(long, value_name = "FILE", requires = "output")]
    input: Option<PathBuf>,

    /// Output table, or - for standard output: the input plus columns of predictions (see below)
    #[arg(long, value_name = "FILE", requires = "input")]
    output: Option<PathBuf>,

    /// Also give the K most probable classes, whatever the model's thresholds decide
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..))]
    top: Option<u16>,

    /// Predict nothing where the predicted class is less probable than this, so that a person can decide (a line
    /// has ? then, a table an empty cell)
    #[arg(long, value_name = "BELOW", value_parser = probability)]
    abstain: Option<f32>,

    /// Replace the output file if it exists
    #[arg(long, requires = "output")]
    force: bool,

    /// Column with the texts [default: the one used in training, or guessed by name]
    #[arg(long, value_name = "NAME", requires = "input")]
    text_column: Option<String>,

    /// Print one JSON object per text
    #[arg(long, conflicts_with = "input")]
    json: bool,

    /// Device to compute on
    #[arg(long, value_enum, default_value_t, value_name = "DEVICE")]
    device: DeviceName,

    #[command(flatten)]
    reading: ReadingArgs,
}

/// Between the labels of a text where training was told no separator (`--label-separator`).
const SEPARATOR: char = '|';

/// A probability on the command line.
fn probability(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(probability) if (0.0..=1.0).contains(&probability) => Ok(probability),
        _ => Err("expected a probability from 0 to 1".to_string()),
    }
}

impl Args {
    fn showing(&self, separator: Option<char>) -> Showing {
        let top = self.top.map(usize::from);
        Showing { top, abstain: self.abstain, separator: separator.unwrap_or(SEPARATOR) }
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if let (Some(input), Some(output)) = (&args.input, &args.output) {
        return predict_table(args, input, output);
    }
    if args.output.is_some() || args.text_column.is_some() || !args.reading.is_default() {
        bail!("--output, --text-column and the options for reading tables need --input FILE");
    }
    let device = model::DeviceChoice::from(args.device).open()?;
    let trained = Classifier::open(&args.model, &device)?;
    let mut understanding = Understanding::default();
    let mut out = std::io::stdout().lock();
    let showing = args.showing(None);
    if !args.texts.is_empty() {
        let texts: Vec<&str> = args.texts.iter().map(String::as_str).collect();
        let answers = answers(&trained, &texts, showing, (&mut understanding, &mut |_| {}))?;
        for (text, answer) in texts.into_iter().zip(answers) {
            answer.print(&mut out, (text, args.json), showing)?;
        }
    } else {
        answer_lines(&trained, (args.json, showing), &mut out, &mut understanding)?;
    }
    understanding.tell(&trained);
    Ok(())
}

/// Classifies each line of standard input before reading the next.
fn answer_lines(
    trained: &Classifier,
    (is_json, showing): (bool, Showing),
    out: &mut impl Write,
    understanding: &mut Understanding,
) -> anyhow::Result<()> {
    if std::io::stdin().is_terminal() {
        eprintln!("reading texts from standard input, one per line; press Ctrl-D to end");
    }
    for (index, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.with_context(|| {
            format!(
                "cannot read line {} of standard input as UTF-8 text (convert it first, for example with \
                 iconv -f windows-1252 -t utf-8)",
                index + 1
            )
        })?;
        // It occurs in the middle where files were concatenated.
        let text = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line);
        for answer in answers(trained, &[text], showing, (understanding, &mut |_| {}))? {
            answer.print(out, (text, is_json), showing)?;
        }
        // Print each prediction at once, even into a pipe.
        out.flush()?;
    }
    Ok(())
}

fn predict_table(args: &Args, input: &Path, output: &Path) -> anyhow::Result<()> {
    let existing = if args.force { Existing::Replace } else { Existing::Refuse };
    // Fail before reading and scoring if the table cannot be written.
    dataset::check_output(output, existing)?;
    let device = model::DeviceChoice::from(args.device).open()?;
    let (trained, records) = folder::load_with_records(&args.model, &device)?;
    let report = TrainingReport::of(&records, &args.model)?;
    let choice = ColumnChoice {
        text: args.text_column.clone(),
        known_text: Some(report.data.text_column),
        ..ColumnChoice::default()
    };
    let table = TextTable::read(&DataFile::open(input)?, &choice, &args.reading.options())?;
    tell_notes(input, table.notes());
    tell_guess(input, "text", table.text_column());
    table.check_output(output, existing)?;

    let texts: Vec<&str> = table.texts().collect();
    let bar = scoring_bar("predicting", texts.len());
    let mut understanding = Understanding::default();
    let mut on_rows = |n_rows| bar.inc(n_rows as u64);
    let showing = args.showing(report.data.labels.separator);
    let answers = answers(&trained, &texts, showing, (&mut understanding, &mut on_rows))?;
    bar.finish_and_clear();
    let columns = Columns::of(&answers, trained.task(), showing);
    let names = table.write_answers(output, &columns.as_answers(), existing)?;
    let place = match output.to_str() {
        Some("-") => "standard output".into(),
        _ => output.display().to_string(),
    };
    eprintln!("{place}: {} texts with columns {}", texts.len(), named(&names.names));
    let n_abstained = answers.iter().filter(|answer| answer.is_abstention()).count();
    if let Some(below) = showing.abstain {
        let texts = if n_abstained == 1 { "text" } else { "texts" };
        eprintln!(
            "{place}: no label for {n_abstained} {texts}, about which the model is less certain than {below}"
        );
    }
    for change in &names.changes {
        eprintln!("{place}: {change}");
    }
    understanding.tell(&trained);
    Ok(())
}

/// The answer for each text.
fn answers<'a>(
    trained: &'a Classifier,
    texts: &[&str],
    showing: Showing,
    (understanding, on_rows): (&mut Understanding, &mut dyn FnMut(usize)),
) -> anyhow::Result<Vec<Answer<'a>>> {
    let mut on_texts = |n_texts| {
        on_rows(n_texts);
        ControlFlow::Continue(())
    };
    let predictions = trained.predict_with(texts, &mut on_texts)?;
    understanding.add(&predictions);
    let task = trained.task();
    Ok(predictions.into_iter().map(|prediction| Answer::new(task, prediction, showing)).collect())
}

/// The columns of answers beside a table.
struct Columns {
    words: Vec<(String, Vec<Option<String>>)>,
    numbers: Vec<(String, Vec<f32>)>,
}

impl Columns {
    fn of(answers: &[Answer<'_>], task: &Task, showing: Showing) -> Self {
        let labels = answers.iter().map(|answer| answer.label(showing.separator)).collect();
        let mut columns =
            Self { words: vec![("predicted_label".to_string(), labels)], numbers: Vec::new() };
        match task {
            Task::AnyOf(classes) => {
                for (class, name) in classes.iter().enumerate() {
                    let of_class = answers
                        .iter()
                        .map(|answer| answer.prediction().probabilities[class])
                        .collect();
                    columns.numbers.push((format!("probability_of_{name}"), of_class));
                }
            }
            _ => {
                let probabilities = answers.iter().map(Answer::probability).collect();
                columns.numbers.push(("probability".to_string(), probabilities));
            }
        }
        let n_top = showing.top.unwrap_or(0).min(task.classes().len());
        let top: Vec<Vec<usize>> =
            answers.iter().map(|answer| answer.most_probable(n_top)).collect();
        for place in 0..n_top {
            let names = top.iter().map(|classes| Some(task.classes()[classes[place]].clone()));
            columns.words.push((format!("top_{}_label", place + 1), names.collect()));
            let of_place = answers.iter().zip(&top);
            let of_place = of_place
                .map(|(answer, top)| answer.prediction().probabilities[top[place]])
                .collect();
            columns.numbers.push((format!("top_{}_probability", place + 1), of_place));
        }
        columns
    }

    /// The predicted label and its probability first, then all others.
    fn as_answers(&self) -> Vec<AnswerColumn<'_>> {
        let words = self.words.iter().map(|(name, words)| AnswerColumn {
            name: name.clone(),
            values: AnswerValues::Words(words),
        });
        let numbers = self.numbers.iter().map(|(name, numbers)| AnswerColumn {
            name: name.clone(),
            values: AnswerValues::Numbers(numbers),
        });
        let mut columns: Vec<AnswerColumn<'_>> = words.chain(numbers).collect();
        // Each place's label beside its probability.
        columns.sort_by_key(|column| place_of(&column.name));
        columns
    }
}

/// The place of `top_3_label`; 0 for other columns.
fn place_of(name: &str) -> usize {
    let place = name.strip_prefix("top_").and_then(|rest| rest.split('_').next());
    place.and_then(|place| place.parse().ok()).unwrap_or(0)
}

/// `"a", "b" and 18 more`.
fn named(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("{name:?}")).collect();
    match (names.len().saturating_sub(SHOWN), shown.as_slice()) {
        (0, [first @ .., last]) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        (0, _) => shown.concat(),
        (n_more, _) => format!("{} and {n_more} more", shown.join(", ")),
    }
}
