//! The predictions of a run as a Parquet table, for its report and for other programs.

use std::ops::Range;
use std::path::Path;

use classifier::PathLogits;
use classifier::folder::ModelId;
use dataset::{EncodedSplit, ParquetFile, ParquetKind, ParquetValues, Targets};
use model::Task;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::evaluate::targets_of;
use crate::split_texts::SplitTexts;

/// The key of the description in the file's metadata.
const KEY: &str = "sentiment-rnn";
/// Increment it whenever a column or a key of the description changes its meaning.
const FORMAT: u32 = 1;
/// What the columns of any table hold.
const ROW: &str = "the row of the text's file, from 1, without the header; without a file, the number of the text";
const DIGEST: &str = "equal for texts that differ only in case, spaces and punctuation";
/// Logits of a column that are written at a time: 4 MiB.
const GROUP_LOGITS: usize = 1 << 20;
/// Rows that are written at a time.
const GROUP_ROWS: usize = 1 << 16;

/// What a model makes of a split.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Predictions<'a> {
    /// The name of the split, such as `validation`.
    pub(crate) name: &'a str,
    /// The split, N texts with their classes.
    pub(crate) split: &'a EncodedSplit,
    /// Where its texts come from.
    pub(crate) texts: &'a SplitTexts,
    /// What the model is asked.
    pub(crate) task: &'a Task,
    /// The logits of the model as it is saved, `[N·O]`, in the order of the split.
    pub(crate) logits: &'a PathLogits,
    /// The model.
    pub(crate) model_id: ModelId,
}

impl Predictions<'_> {
    /// Writes a row for each text, in the order of the split, to a file in a folder that exists. The complete file
    /// replaces an older one. The columns:
    ///
    /// - `row`: the row of the file that the text is in, from 1; of texts from memory, the number of the text;
    /// - `digest`: the text's digest, 16 hexadecimal digits;
    /// - `label`: the name of its class; a list of names for [`Task::AnyOf`];
    /// - `recurrent`, `linear` and `final`: the logits of the two paths and their sum, in single precision. For
    ///   [`Task::Binary`] one, of the second class, otherwise a list of one for each class. A network without a linear
    ///   path has no column `linear`.
    ///
    /// The file's metadata have the key `sentiment-rnn`, with JSON that says of which split, model, task and classes
    /// the table is, and what its columns hold (in Python `pyarrow.parquet.read_metadata(path).metadata`). Equal
    /// predictions are equal bytes. At most a few MiB of a column are copied at a time.
    ///
    /// # Errors
    /// [`Error::NoLabels`] if the split has none, or those of another task; `ColumnLength` and `ClassOutOfRange` if
    /// split, texts, logits and task do not belong together; `Write` if the system refuses.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let targets = self.checked()?;
        let description = self.description().to_string();
        let mut file = ParquetFile::create(path, &self.columns(), &[(KEY, &description)])?;
        let n_texts = self.split.len();
        let n_rows = (GROUP_LOGITS / self.logits.n_outputs.max(1)).clamp(1, GROUP_ROWS);
        for start in (0..n_texts).step_by(n_rows) {
            self.write_rows(start..n_texts.min(start + n_rows), targets, &mut file)?;
        }
        Ok(file.finish()?)
    }

    /// The classes of the texts, once all parts are known to be of the same texts and classes.
    fn checked(&self) -> Result<&Targets> {
        let Self { split, texts, task, logits, .. } = self;
        let targets = targets_of(split)?;
        if matches!(targets, Targets::AnyOf { .. }) != matches!(task, Task::AnyOf(_)) {
            return Err(Error::NoLabels);
        }
        targets.check(task.n_classes())?;
        let n_texts = split.len();
        let n_logits = n_texts * task.n_outputs();
        let linear = logits.linear.as_ref().map_or(n_logits, Vec::len);
        let lengths = [
            ("row", n_texts, texts.rows.len()),
            ("digest", n_texts, texts.digests.len()),
            ("recurrent", n_logits, logits.recurrent.len()),
            ("linear", n_logits, linear),
            // Of one text.
            ("final", task.n_outputs(), logits.n_outputs),
        ];
        match lengths.into_iter().find(|(_, expected, got)| expected != got) {
            None => Ok(targets),
            Some((column, expected, got)) => {
                let column = column.to_string();
                Err(dataset::Error::ColumnLength { column, expected, got }.into())
            }
        }
    }

    /// The columns and what they hold, in the order of the values of [`write_rows`](Self::write_rows).
    fn columns(&self) -> Vec<(&'static str, ParquetKind)> {
        let (label, logits) = match self.task {
            Task::Binary(_) => (ParquetKind::Words, ParquetKind::Numbers),
            Task::OneOf(_) => (ParquetKind::Words, ParquetKind::NumberLists),
            Task::AnyOf(_) => (ParquetKind::WordLists, ParquetKind::NumberLists),
        };
        let mut columns =
            vec![("row", ParquetKind::Counts), ("digest", ParquetKind::Words), ("label", label)];
        columns.push(("recurrent", logits));
        columns.extend(self.logits.linear.is_some().then_some(("linear", logits)));
        columns.push(("final", logits));
        columns
    }

    /// What the table is of, and what its columns hold.
    fn description(&self) -> Value {
        let Self { name, task, model_id, .. } = self;
        let (label, logits) = match task {
            Task::AnyOf(_) => ("the classes of the text", "logits"),
            Task::OneOf(_) => ("the class of the text", "logits"),
            Task::Binary(_) => ("the class of the text", "logit"),
        };
        let of = match task {
            Task::Binary(_) => format!("for the class {:?}", task.classes()[1]),
            Task::OneOf(_) | Task::AnyOf(_) => "for the classes in their order".to_string(),
        };
        let has_linear = self.logits.linear.is_some();
        let meaning = |column| match column {
            "row" => ROW.to_string(),
            "digest" => DIGEST.to_string(),
            "label" => label.to_string(),
            "recurrent" => format!("{logits} of the recurrent layers, {of}"),
            "linear" => format!("{logits} of the linear path, {of}"),
            _ if has_linear => "recurrent + linear".to_string(),
            _ => "the same as recurrent".to_string(),
        };
        let columns = self.columns().into_iter();
        let columns: Map<String, Value> =
            columns.map(|(column, _)| (column.to_string(), meaning(column).into())).collect();
        json!({
            "format": FORMAT,
            "split": name,
            "model_id": model_id,
            "task": task,
            "columns": columns,
        })
    }

    /// Writes some rows.
    fn write_rows(
        &self,
        rows: Range<usize>,
        targets: &Targets,
        file: &mut ParquetFile,
    ) -> Result<()> {
        let Self { texts, task, logits, .. } = self;
        let digests = texts.digests[rows.clone()].iter().map(|digest| format!("{digest:016x}"));
        let digests: Vec<String> = digests.collect();
        let digests: Vec<&str> = digests.iter().map(String::as_str).collect();

        let classes =
            |row| targets.of_row(row).iter().map(|&class| &*task.classes()[class as usize]);
        let (mut words, mut lists) = (Vec::new(), Vec::new());
        let labels = if let Task::AnyOf(_) = task {
            lists.extend(rows.clone().map(|row| classes(row).collect()));
            ParquetValues::WordLists(&lists)
        } else {
            words.extend(rows.clone().flat_map(classes));
            ParquetValues::Words(&words)
        };

        let width = logits.n_outputs;
        let numbers = |numbers| match task {
            Task::Binary(_) => ParquetValues::Numbers(numbers),
            Task::OneOf(_) | Task::AnyOf(_) => ParquetValues::NumberLists { numbers, width },
        };
        let of_rows = rows.start * width..rows.end * width;
        let recurrent = &logits.recurrent[of_rows.clone()];
        let linear = logits.linear.as_ref().map(|linear| &linear[of_rows]);
        let sums: Option<Vec<f32>> =
            linear.map(|linear| recurrent.iter().zip(linear).map(|(a, b)| a + b).collect());

        let mut values = vec![
            ParquetValues::Counts(&texts.rows[rows.clone()]),
            ParquetValues::Words(&digests),
            labels,
            numbers(recurrent),
        ];
        values.extend(linear.map(numbers));
        values.push(numbers(sums.as_deref().unwrap_or(recurrent)));
        Ok(file.write(rows.len(), &values)?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::ops::ControlFlow;

    use candle_core::Device;
    use classifier::Classifier;
    use model::TaskKind;
    use polars::prelude::{Column, DataFrame, ParquetReader, SerReader};
    use polars_parquet::read::read_metadata;

    use super::*;
    use crate::evaluate::path_logits;
    use crate::observer::{Never, Silent};
    use crate::run_folder::RecordPlan;

    /// N texts of a task with made-up classes and logits.
    struct Made {
        task: Task,
        split: EncodedSplit,
        texts: SplitTexts,
        logits: PathLogits,
    }

    fn made(kind: TaskKind, n_classes: usize, n_texts: usize, has_linear: bool) -> Made {
        let task = Task::new(kind, (0..n_classes).map(|class| format!("class {class}"))).unwrap();
        let class = |row: usize| (row * 7 % n_classes) as u32;
        let targets = match kind {
            TaskKind::Binary | TaskKind::OneOf => Targets::OneOf((0..n_texts).map(class).collect()),
            // None, one, or two.
            TaskKind::AnyOf => Targets::any_of(
                (0..n_texts).map(|row| (row..row + row % 3).map(class).collect::<Vec<_>>()),
            ),
        };
        let split = EncodedSplit::with_targets(vec![[1]; n_texts], targets).unwrap();
        let numbers = 0..n_texts as u64;
        let texts = SplitTexts {
            rows: numbers.clone().map(|row| 1 + row as u32 * 3).collect(),
            digests: numbers.map(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect(),
        };
        let n_outputs = task.n_outputs();
        let of =
            |seed: f32| (0..n_texts * n_outputs).map(|i| (i as f32 * seed).sin() * 9.0).collect();
        let logits =
            PathLogits { recurrent: of(0.7), linear: has_linear.then(|| of(1.3)), n_outputs };
        Made { task, split, texts, logits }
    }

    fn model_id() -> ModelId {
        serde_json::from_value("00123456789abcde".into()).unwrap()
    }

    impl Made {
        fn predictions(&self) -> Predictions<'_> {
            let Self { task, split, texts, logits } = self;
            let model_id = model_id();
            Predictions { name: "validation", split, texts, task, logits, model_id }
        }

        fn error(&self) -> String {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.parquet");
            let error = self.predictions().write(&path).unwrap_err();
            assert!(!path.exists());
            error.to_string()
        }
    }

    fn read(path: &Path) -> DataFrame {
        ParquetReader::new(File::open(path).unwrap()).finish().unwrap()
    }

    fn description(path: &Path) -> Value {
        let metadata = read_metadata(&mut File::open(path).unwrap()).unwrap();
        let pairs = metadata.key_value_metadata.unwrap();
        let pair = pairs.iter().find(|pair| pair.key == KEY).unwrap();
        serde_json::from_str(pair.value.as_ref().unwrap()).unwrap()
    }

    fn words(column: &Column) -> Vec<&str> {
        column.str().unwrap().iter().map(Option::unwrap).collect()
    }

    /// Numbers, of lists one after another, each of `width`.
    fn bits(column: &Column, width: Option<usize>) -> Vec<u32> {
        let numbers = match width {
            None => column.clone(),
            Some(width) => {
                let lists = column.list().unwrap();
                let lengths = lists.series_iter().map(|list| list.unwrap().len());
                assert!(lengths.into_iter().all(|length| length == width));
                lists.get_inner().into()
            }
        };
        numbers.f32().unwrap().iter().map(|number| number.unwrap().to_bits()).collect()
    }

    fn bits_of(numbers: &[f32]) -> Vec<u32> {
        numbers.iter().map(|number| number.to_bits()).collect()
    }

    #[test]
    fn what_a_validation_says_of_each_path_the_saved_model_says_too() {
        for mut case in [crate::small_runs::every_phase(), crate::small_runs::by_length()] {
            case.recipe.training.refit = false;
            let folder = tempfile::tempdir().unwrap();
            case.run(folder.path(), Some(RecordPlan::default()), &Never, &mut Silent).unwrap();
            let said = read(&folder.path().join("runs/m/predictions/validation.parquet"));
            let model = folder.path().join("models/m");
            let saved = Classifier::open(model, &Device::Cpu).unwrap();
            let (texts, seq_len) = (case.data().0.validation, saved.encoder().config().seq_len);
            let go_on = &mut |_| ControlFlow::Continue(());
            let logits = path_logits(saved.network(), &texts, seq_len, go_on).unwrap();
            let (linear, sum) = (logits.linear.clone().unwrap(), logits.sum());
            for (name, got) in
                [("recurrent", &logits.recurrent), ("linear", &linear), ("final", &sum)]
            {
                let said = bits(said.column(name).unwrap(), None);
                assert_eq!(said.len(), got.len());
                for (said, got) in said.into_iter().map(f32::from_bits).zip(got) {
                    let tolerance = 1e-5 * said.abs().max(1.0);
                    assert!((said - got).abs() < tolerance, "{} {name}: {said} {got}", case.name);
                }
            }
        }
    }

    #[test]
    fn every_text_of_every_task_comes_back_with_its_class_and_logits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("validation.parquet");
        let cases = [
            (TaskKind::Binary, 2, 70_000),
            (TaskKind::OneOf, 2, 5),
            // Several groups, of which the last is not full.
            (TaskKind::OneOf, 700, 3_100),
            (TaskKind::AnyOf, 1, 4),
            (TaskKind::AnyOf, 5, 300),
            (TaskKind::AnyOf, 3, 0),
        ];
        for (kind, n_classes, n_texts) in cases {
            for has_linear in [false, true] {
                let made = made(kind, n_classes, n_texts, has_linear);
                made.predictions().write(&path).unwrap();
                let frame = read(&path);
                let column = |name| frame.column(name).unwrap();
                let names = if has_linear {
                    &["row", "digest", "label", "recurrent", "linear", "final"][..]
                } else {
                    &["row", "digest", "label", "recurrent", "final"]
                };
                assert!(
                    frame
                        .columns()
                        .iter()
                        .map(|column| column.name().as_str())
                        .eq(names.iter().copied())
                );
                assert_eq!(frame.height(), n_texts);

                let rows: Vec<u32> = column("row").u32().unwrap().iter().flatten().collect();
                assert_eq!(rows, made.texts.rows);
                let digests = words(column("digest")).into_iter();
                let digests = digests.map(|word| u64::from_str_radix(word, 16).unwrap());
                assert_eq!(digests.collect::<Vec<_>>(), made.texts.digests);
                assert!(words(column("digest")).iter().all(|digest| digest.len() == 16));

                let targets = made.split.targets().unwrap();
                let expected = |row| {
                    let classes = targets.of_row(row).iter();
                    classes.map(|class| format!("class {class}")).collect::<Vec<_>>()
                };
                if kind == TaskKind::AnyOf {
                    let lists = column("label").list().unwrap();
                    for row in 0..n_texts {
                        let list = lists.get_as_series(row).unwrap().into();
                        assert_eq!(words(&list), expected(row));
                    }
                } else {
                    let labels = words(column("label"));
                    assert!((0..n_texts).all(|row| expected(row) == [labels[row]]));
                }

                let width = (kind != TaskKind::Binary).then_some(n_classes);
                let PathLogits { recurrent, linear, .. } = &made.logits;
                assert!(bits(column("recurrent"), width) == bits_of(recurrent));
                if let Some(linear) = linear {
                    assert!(bits(column("linear"), width) == bits_of(linear));
                }
                assert!(bits(column("final"), width) == bits_of(&made.logits.sum()));
            }
        }
    }

    #[test]
    fn the_file_says_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("validation.parquet");
        let made = made(TaskKind::Binary, 2, 5, true);
        made.predictions().write(&path).unwrap();
        let description = description(&path);
        assert_eq!(description["format"], FORMAT);
        assert_eq!(description["split"], "validation");
        assert_eq!(description["model_id"], "00123456789abcde");
        assert_eq!(serde_json::from_value::<Task>(description["task"].clone()).unwrap(), made.task);
        let columns = description["columns"].as_object().unwrap();
        let frame = read(&path);
        assert_eq!(columns.len(), frame.width());
        assert!(frame.columns().iter().all(|column| columns.contains_key(column.name().as_str())));
        let recurrent = "logit of the recurrent layers, for the class \"class 1\"";
        assert_eq!(columns["recurrent"], recurrent);
        assert_eq!(columns["final"], "recurrent + linear");
    }

    #[test]
    fn equal_predictions_are_equal_bytes_that_replace_the_older_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("validation.parquet");
        let bytes = || {
            made(TaskKind::AnyOf, 40, 2_000, true).predictions().write(&path).unwrap();
            fs::read(&path).unwrap()
        };
        fs::write(&path, "older").unwrap();
        let first = bytes();
        assert!(first == bytes() && first == bytes());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn parts_that_do_not_belong_together_are_refused() {
        let good = || made(TaskKind::OneOf, 3, 4, true);
        let error = |change: fn(&mut Made)| {
            let mut made = good();
            change(&mut made);
            made.error()
        };
        let length = "column \"row\": expected 4 values, got 3";
        assert_eq!(error(|made| made.texts.rows.truncate(3)), length);
        let length = "column \"digest\": expected 4 values, got 3";
        assert_eq!(error(|made| made.texts.digests.truncate(3)), length);
        let length = "column \"recurrent\": expected 12 values, got 11";
        assert_eq!(error(|made| made.logits.recurrent.truncate(11)), length);
        let length = "column \"linear\": expected 12 values, got 13";
        assert_eq!(
            error(|made| made.logits.linear.iter_mut().for_each(|all| all.push(0.0))),
            length
        );
        let length = "column \"final\": expected 3 values, got 6";
        assert_eq!(error(|made| made.logits.n_outputs = 6), length);
        let class = "row 3: class 2 is not one of 2, numbered from 0";
        assert_eq!(
            error(|made| made.task = Task::new(TaskKind::OneOf, ["a", "b"]).unwrap()),
            class
        );
        let labels = Error::NoLabels.to_string();
        let task = Task::new(TaskKind::AnyOf, ["a", "b", "c"]).unwrap();
        assert_eq!(Made { task, ..good() }.error(), labels);
        let split = EncodedSplit::unlabelled(vec![[1]; 4]).unwrap();
        assert_eq!(Made { split, ..good() }.error(), labels);
    }
}
