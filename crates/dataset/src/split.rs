//! Splits rows into training, validation and test, with the same share of each class in all three. Rows with any
//! number of classes are split by `iterative`, groups of rows by `grouped`.

use rand_chacha::ChaCha8Rng;

use crate::classes::Classes;
use crate::error::{Error, Result};
use crate::iterative;
use crate::shuffle::{Purpose, generator, shuffle};
use crate::split_parts::{Split, SplitConfig, check_fractions};
use crate::targets::Targets;
use crate::task_kind::TaskKind;

/// The fewest rows that can be split.
pub const MIN_ROWS: usize = 10;

impl Split {
    /// Splits rows by class, so that each part gets its share of each class to within one row.
    ///
    /// A class with few rows is in training before it is in another part, so that none is unknown to the
    /// model. Rows with any number of classes are split by iterative stratification (Sechidis, Tsoumakas
    /// and Vlahavas, "On the stratification of multi-label data", 2011), which keeps the shares of all
    /// classes as close as the rows allow.
    ///
    /// `targets`: of the whole table; `rows`: the rows to split, usually
    /// [`Deduplicated::kept`](crate::Deduplicated::kept).
    ///
    /// # Errors
    /// `Fractions` if they do not add up to 1, `TooFewRows` below [`MIN_ROWS`], `SingleClass` if all rows
    /// are of one class, `NoLabels`, `ClassOutOfRange`, `EmptyPart` if a requested part gets no row.
    ///
    /// # Panics
    /// If a row is past the end of `targets`, like a slice.
    pub fn stratified(
        targets: &Targets,
        classes: &Classes,
        rows: &[u32],
        config: &SplitConfig,
    ) -> Result<Self> {
        check_fractions(config)?;
        let by_class = by_class(targets, classes, rows)?;
        let mut rng = generator(config.seed, Purpose::Split);
        let split = match targets {
            Targets::OneOf(_) => Self::of_classes(by_class, config, &mut rng),
            Targets::AnyOf { .. } => {
                iterative::split(targets, classes.len(), rows.to_vec(), config, &mut rng)
            }
        };
        split.finished(rows.len(), config)
    }

    /// Shares the rows of each class among the parts.
    fn of_classes(by_class: Vec<Vec<u32>>, config: &SplitConfig, rng: &mut ChaCha8Rng) -> Self {
        let mut split = Self { train: Vec::new(), validation: Vec::new(), test: Vec::new() };
        let mut left_over = [0.0; 2];
        // Two classes have always been rounded on their own.
        let carries_over = by_class.len() > 2;
        for mut of_class in by_class {
            let n_rows = of_class.len();
            let exact = [config.test, config.validation].map(|fraction| n_rows as f64 * fraction);
            let rounded = |part: usize| share(exact[part], left_over[part]);
            let mut n_test = rounded(0).min(n_rows);
            let mut n_validation = rounded(1).min(n_rows - n_test);
            if n_test + n_validation == n_rows && n_rows > 0 {
                // The class stays in training; the larger part gives the row up.
                if n_test > n_validation { n_test -= 1 } else { n_validation -= 1 }
            }
            if carries_over {
                let given = [n_test, n_validation];
                for (part, rest) in left_over.iter_mut().enumerate() {
                    *rest = (exact[part] + *rest - given[part] as f64).clamp(-0.5, 1.0);
                }
            }
            shuffle(&mut of_class, rng);
            let (test, rest) = of_class.split_at(n_test);
            let (validation, train) = rest.split_at(n_validation);
            split.test.extend_from_slice(test);
            split.validation.extend_from_slice(validation);
            split.train.extend_from_slice(train);
        }
        split
    }
}

/// The rows of each class, `[n_classes]`; fails if there are too few rows, or nothing to tell apart.
pub(crate) fn by_class(
    targets: &Targets,
    classes: &Classes,
    rows: &[u32],
) -> Result<Vec<Vec<u32>>> {
    let n_rows = rows.len();
    if n_rows < MIN_ROWS {
        return Err(Error::TooFewRows { n_rows, needed: MIN_ROWS });
    }
    let n_classes = classes.len();
    let mut by_class = vec![Vec::new(); n_classes];
    for &row in rows {
        for &class in targets.of_row(row as usize) {
            let of_class = by_class.get_mut(class as usize);
            let outside = Error::ClassOutOfRange { row: row as usize + 1, class, n_classes };
            of_class.ok_or(outside)?.push(row);
        }
    }
    let first = rows.first().map_or(&[][..], |&row| targets.of_row(row as usize));
    if by_class.iter().all(Vec::is_empty) {
        return Err(Error::NoLabels { n_rows });
    }
    if rows.iter().all(|&row| targets.of_row(row as usize) == first) {
        let names: Vec<&str> = first.iter().map(|&class| classes.name(class as usize)).collect();
        // Of any number of classes, one is enough: some texts have it and some do not.
        let n_classes = if classes.task == TaskKind::AnyOf { 0 } else { n_classes };
        return Err(Error::SingleClass { label: names.join(", "), n_rows, n_classes });
    }
    Ok(by_class)
}

/// A share of a class with what earlier classes left over, to the nearest row; at most one row more than
/// the share.
fn share(exact: f64, left_over: f64) -> usize {
    (exact + left_over).round().clamp(0.0, exact.floor() + 1.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_rows(labels: &[u8]) -> Vec<u32> {
        (0..labels.len() as u32).collect()
    }

    fn stratified(labels: &[u8], config: &SplitConfig) -> Result<Split> {
        let targets = Targets::from(labels.to_vec());
        Split::stratified(&targets, &Classes::binary(), &all_rows(labels), config)
    }

    fn message(labels: &[u8], config: &SplitConfig) -> String {
        stratified(labels, config).unwrap_err().to_string()
    }

    fn many(n_classes: usize) -> Classes {
        Classes::new(TaskKind::OneOf, (0..n_classes).map(|class| format!("c{class}")).collect())
    }

    /// A change here changes every user's test rows: models trained before and after it cannot be
    /// compared. `tests/pinned_split.py` computes the same rows without this code.
    #[test]
    fn the_split_of_a_seed_never_changes() {
        let labels: Vec<u8> = (0..40).map(|row| u8::from(row % 3 == 0)).collect();
        let config = SplitConfig { seed: 42, ..SplitConfig::default() };
        let split = stratified(&labels, &config).unwrap();
        assert_eq!(split.test, [6, 11, 13, 35]);
        assert_eq!(split.validation, [1, 15, 29, 31]);
        assert_eq!(split.train.len(), 32);
    }

    #[test]
    fn even_the_fewest_rows_fill_every_part() {
        for n_positive in 1..MIN_ROWS {
            let labels: Vec<u8> = (0..MIN_ROWS).map(|row| u8::from(row < n_positive)).collect();
            let split = stratified(&labels, &SplitConfig::default()).unwrap();
            assert!(!split.validation.is_empty() && !split.test.is_empty(), "{n_positive}");
        }
    }

    #[test]
    fn a_part_without_a_share_is_empty() {
        let labels = [0, 1].repeat(10);
        let config = SplitConfig { train: 0.9, validation: 0.1, test: 0.0, seed: 3 };
        let split = stratified(&labels, &config).unwrap();
        assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (18, 2, 0));
    }

    #[test]
    fn what_cannot_be_split_is_refused() {
        let default = SplitConfig::default();
        assert_eq!(
            message(&[0, 1, 0], &default),
            "3 rows are too few to split; at least 10 are needed"
        );
        assert_eq!(
            message(&[1; 20], &default),
            "all 20 rows are labelled positive; a classifier needs both classes"
        );
        assert_eq!(
            message(&[0; 20], &default),
            "all 20 rows are labelled negative; a classifier needs both classes"
        );
        assert_eq!(
            message(&[0, 1].repeat(10), &SplitConfig { train: 0.89, test: 0.01, ..default }),
            "20 rows are too few: a fraction of 0.01 leaves test empty"
        );
        let mut one_positive = vec![0; 19];
        one_positive.push(1);
        let half = SplitConfig { train: 0.4, validation: 0.0, test: 0.6, seed: 0 };
        assert!(stratified(&one_positive, &half).unwrap().train.contains(&19));
        assert_eq!(
            message(&[0, 1, 2].repeat(10), &default),
            "row 3: class 2 is not one of 2, numbered from 0"
        );
    }

    #[test]
    fn rare_classes_are_in_training_and_parts_are_not_empty_because_classes_are_small() {
        for (n_classes, n_each) in [(3usize, 5usize), (77, 3), (200, 2), (5, 40)] {
            let n_rows = n_classes * n_each;
            let labels: Vec<u32> = (0..n_rows).map(|row| (row % n_classes) as u32).collect();
            let targets = Targets::OneOf(labels.clone());
            let rows: Vec<u32> = (0..n_rows as u32).collect();
            let classes = many(n_classes);
            let config = SplitConfig::default();
            let split = Split::stratified(&targets, &classes, &rows, &config).unwrap();
            let counts = |rows: &[u32]| targets.select(rows).counts(n_classes);
            assert!(counts(&split.train).iter().all(|&count| count > 0), "{n_classes}");
            for (part, fraction) in [(&split.validation, 0.1), (&split.test, 0.1)] {
                let share = n_each as f64 * fraction;
                let near = |&count: &usize| (count as f64 - share).abs() <= 1.0 + 1e-9;
                assert!(counts(part).iter().all(near), "{n_classes}");
                let off = part.len() as f64 - n_rows as f64 * fraction;
                assert!(off.abs() <= 1.0, "{n_classes} {off}");
            }
        }
    }

    /// As for two classes; `tests/pinned_split.py` computes the same rows without this code.
    #[test]
    fn the_split_of_many_classes_never_changes() {
        let targets = Targets::OneOf((0..60).map(|row| row * row % 7).collect());
        let rows: Vec<u32> = (0..60).collect();
        let config = SplitConfig { seed: 5, ..SplitConfig::default() };
        let split = Split::stratified(&targets, &many(7), &rows, &config).unwrap();
        assert_eq!(split.test, [1, 35, 38, 40, 41, 54]);
        assert_eq!(split.validation, [10, 13, 19, 48, 49, 58]);
    }

    #[test]
    fn a_thousand_classes_of_one_row_stay_in_training() {
        let targets = Targets::OneOf((0..1000).collect());
        let rows: Vec<u32> = (0..1000).collect();
        let config = SplitConfig::default();
        let refused = Split::stratified(&targets, &many(1000), &rows, &config).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "1000 rows are too few: a fraction of 0.1 leaves validation empty"
        );
        let all = SplitConfig { train: 1.0, validation: 0.0, test: 0.0, seed: 0 };
        let split = Split::stratified(&targets, &many(1000), &rows, &all).unwrap();
        assert_eq!(split.train, rows);
        // One larger class fills the other parts.
        let larger = Targets::OneOf((0..1000).chain([1000; 50]).collect());
        let rows: Vec<u32> = (0..1050).collect();
        let split = Split::stratified(&larger, &many(1001), &rows, &config).unwrap();
        assert!((0..1000).all(|row| split.train.contains(&row)));
    }

    #[test]
    fn classes_that_no_row_has_are_no_obstacle_and_one_class_is() {
        let targets = Targets::OneOf([0, 2].repeat(10));
        let rows: Vec<u32> = (0..20).collect();
        let config = SplitConfig::default();
        assert!(Split::stratified(&targets, &many(4), &rows, &config).is_ok());
        let targets = Targets::OneOf(vec![2; 20]);
        let refused = Split::stratified(&targets, &many(4), &rows, &config).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "all 20 rows are labelled c2; a classifier needs at least two classes"
        );
    }

    #[test]
    fn fractions_must_make_a_whole() {
        let labels = [0, 1].repeat(10);
        for (train, validation, test) in
            [(0.8, 0.1, 0.2), (0.0, 0.5, 0.5), (1.1, -0.1, 0.0), (f64::NAN, 0.1, 0.1)]
        {
            let config = SplitConfig { train, validation, test, seed: 0 };
            assert!(
                message(&labels, &config).starts_with("split fractions must not be negative"),
                "{config:?}"
            );
        }
        let nearly = SplitConfig { train: f64::from(0.8f32), ..SplitConfig::default() };
        assert!(stratified(&labels, &nearly).is_ok());
    }
}
