//! Properties of bootstrap intervals.
#![allow(clippy::unwrap_used)] // A set that cannot be measured is a failure of the test.

use measures::{
    AnyOf, Binary, Bootstrap, Intervals, LabelSets, OneOf, intervals_any_of, intervals_binary,
    intervals_one_of,
};
use serde_json::Value;

/// A generator of made texts, other than the one that draws them.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// The upper 53 bits of xorshift64* (Vigna 2016, <https://doi.org/10.1145/2845077>).
    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    /// In 0 to 1.
    fn unit(&mut self) -> f64 {
        self.bits() as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, n: u32) -> u32 {
        (self.unit() * f64::from(n)) as u32
    }

    /// About standard normal.
    fn noise(&mut self) -> f32 {
        ((0..12).map(|_| self.unit()).sum::<f64>() - 6.0) as f32
    }
}

struct Set {
    logits: Vec<f32>,
    labels: Vec<u32>,
    n_classes: usize,
}

/// Texts of classes that are equally frequent, with logits that are higher for their own.
fn made(n_rows: usize, n_classes: usize, seed: u64) -> Set {
    let mut random = Random::new(seed);
    let labels: Vec<u32> = (0..n_rows).map(|_| random.below(n_classes as u32)).collect();
    let mut logits = Vec::new();
    for &label in &labels {
        for class in 0..n_classes {
            let is_own = f32::from(u8::from(class == label as usize));
            logits.push(0.8 * is_own + random.noise());
        }
    }
    Set { logits, labels, n_classes }
}

/// Texts of two classes.
fn made_binary(n_rows: usize, seed: u64) -> Set {
    let mut set = made(n_rows, 2, seed);
    set.logits = set.logits.chunks(2).map(|pair| pair[1] - pair[0]).collect();
    set
}

impl Set {
    /// Each text has its class as a label, and every third also the last class.
    fn label_sets(&self) -> (Vec<usize>, Vec<u32>) {
        let (mut starts, mut classes) = (vec![0], Vec::new());
        let last = self.n_classes as u32 - 1;
        for (text, &label) in self.labels.iter().enumerate() {
            classes.push(label);
            classes.extend((text % 3 == 0 && label != last).then_some(last));
            starts.push(classes.len());
        }
        (starts, classes)
    }

    fn one_of(&self, config: Bootstrap) -> Intervals {
        intervals_one_of(&self.logits, self.n_classes, &self.labels, None, config).unwrap()
    }

    fn any_of(&self, config: Bootstrap) -> Intervals {
        let (starts, classes) = self.label_sets();
        let targets = LabelSets { starts: &starts, classes: &classes };
        intervals_any_of(&self.logits, self.n_classes, targets, None, config).unwrap()
    }

    /// Metrics as JSON, and intervals, of each task; for the first, with logits of its own.
    fn of_each_task(&self, binary: &Self, config: Bootstrap) -> [(Value, Intervals); 3] {
        let Self { logits, labels, n_classes, .. } = self;
        let (starts, classes) = self.label_sets();
        let targets = LabelSets { starts: &starts, classes: &classes };
        let of_two = Binary::of_logits(&binary.logits, &binary.labels, 0.5).unwrap();
        let one_of = OneOf::of_logits(logits, *n_classes, labels, None).unwrap();
        let any_of = AnyOf::of_logits(logits, *n_classes, targets, None).unwrap();
        let of_binary = intervals_binary(&binary.logits, &binary.labels, 0.5, config).unwrap();
        [
            (serde_json::to_value(of_two).unwrap(), of_binary),
            (serde_json::to_value(one_of).unwrap(), self.one_of(config)),
            (serde_json::to_value(any_of).unwrap(), self.any_of(config)),
        ]
    }
}

/// The number at a name such as `classes.2.recall`.
fn estimate<'a>(metrics: &'a Value, name: &str) -> &'a Value {
    if let Some(k) = name.strip_prefix("top_k.") {
        let pairs = metrics["top_k"].as_array().unwrap();
        return &pairs.iter().find(|pair| pair[0].as_u64() == k.parse().ok()).unwrap()[1];
    }
    metrics.pointer(&format!("/{}", name.replace('.', "/"))).unwrap()
}

/// The names of all measures among metrics, which are not counts.
fn names(metrics: &Value) -> Vec<String> {
    let is_measure = |name: &str| !name.starts_with("n_") || name == "n_labels_per_text";
    let mut names = Vec::new();
    for (name, value) in metrics.as_object().unwrap() {
        match (name.as_str(), value) {
            ("confusion", _) => {}
            ("top_k", value) => {
                names.extend(
                    value.as_array().unwrap().iter().map(|pair| format!("top_k.{}", pair[0])),
                );
            }
            ("classes", value) => {
                for (class, metrics) in value.as_array().unwrap().iter().enumerate() {
                    let fields =
                        metrics.as_object().unwrap().keys().filter(|name| is_measure(name));
                    names.extend(fields.map(|name| format!("classes.{class}.{name}")));
                }
            }
            (name, _) if is_measure(name) => names.push(name.to_string()),
            _ => {}
        }
    }
    names.sort();
    names
}

#[test]
fn every_measure_has_an_interval_that_holds_it() {
    let config = Bootstrap::default();
    let (set, binary) = (made(300, 6, 1), made_binary(300, 2));
    for (metrics, intervals) in set.of_each_task(&binary, config) {
        let found: Vec<String> = intervals.0.keys().cloned().collect();
        assert_eq!(found, names(&metrics));
        for (name, [low, high]) in &intervals.0 {
            let estimate = estimate(&metrics, name).as_f64().unwrap();
            assert!(low < high, "{name}: {low} to {high}");
            // The calibration error and the largest class's share are larger in resamples.
            if !["calibration_error", "majority_accuracy"].contains(&name.as_str()) {
                assert!((*low..=*high).contains(&estimate), "{name}: {estimate}, {low} to {high}");
            }
        }
    }
}

#[test]
fn intervals_shrink_with_the_square_root_of_the_number_of_texts() {
    let config = Bootstrap::default();
    let (small, large) = (made(400, 3, 3), made(6400, 3, 4));
    let (of_small, of_large) = (made_binary(400, 5), made_binary(6400, 6));
    let small = small.of_each_task(&of_small, config);
    let large = large.of_each_task(&of_large, config);
    for ((_, small), (_, large)) in small.iter().zip(&large) {
        for name in ["loss", "accuracy", "macro_f1", "roc_auc", "average_precision", "brier"] {
            let width = |intervals: &Intervals| {
                let [low, high] = intervals.get(name).unwrap();
                high - low
            };
            let ratio = width(small) / width(large);
            assert!((3.0..5.3).contains(&ratio), "{name}: {ratio} times as wide, not 4");
        }
    }
}

#[test]
fn a_known_accuracy_is_in_its_interval_as_often_as_the_level_says() {
    const ACCURACY: f64 = 0.8;
    let mut random = Random::new(7);
    let n_inside = (0..200).filter(|&seed| {
        let labels: Vec<u32> = (0..150).map(|_| random.below(2)).collect();
        let logits: Vec<f32> = labels
            .iter()
            .map(|&label| if (label == 1) == (random.unit() < ACCURACY) { 1.0 } else { -1.0 })
            .collect();
        let config = Bootstrap { seed, ..Bootstrap::default() };
        let [low, high] =
            intervals_binary(&logits, &labels, 0.5, config).unwrap().get("accuracy").unwrap();
        low <= ACCURACY && ACCURACY <= high
    });
    let coverage = n_inside.count() as f64 / 200.0;
    assert!((0.90..=0.99).contains(&coverage), "{coverage}");
}

#[test]
fn a_lower_level_gives_narrower_intervals() {
    let set = made(200, 4, 8);
    let [low, high] = set.one_of(Bootstrap::default()).get("accuracy").unwrap();
    let half = Bootstrap { level: 0.5, ..Bootstrap::default() };
    let [half_low, half_high] = set.one_of(half).get("accuracy").unwrap();
    assert!(low < half_low && half_low < half_high && half_high < high);
}

#[test]
fn intervals_depend_on_the_seed_and_not_on_the_number_of_threads() {
    let (set, binary) = (made(150, 5, 9), made_binary(150, 10));
    let on_threads = |n_threads: usize, seed: u64| {
        let config = Bootstrap { n_resamples: 200, seed, ..Bootstrap::default() };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| set.of_each_task(&binary, config)).map(|(_, intervals)| intervals)
    };
    let one = on_threads(1, 0);
    assert_eq!(one, on_threads(4, 0));
    for (one, other) in one.iter().zip(on_threads(1, 1)) {
        assert_ne!(*one, other);
    }
}

#[test]
fn a_class_that_most_resamples_lack_has_no_interval() {
    // Text 0 is the only one of class 2, which is never predicted, and is missing in 37 % of the
    // resamples; no text is of class 3.
    let logits =
        [0.0, 1.0, 0.5, -9.0, 1.0, 0.0, -1.0, -9.0, 0.0, 2.0, -2.0, -9.0, 3.0, 0.0, 0.0, -9.0];
    let labels = [2, 0, 1, 0];
    let intervals = intervals_one_of(&logits, 4, &labels, None, Bootstrap::default()).unwrap();
    assert_eq!(intervals.get("classes.2.recall"), Some([0.0, 0.0]));
    assert_eq!(intervals.get("classes.2.precision"), None);
    for name in ["precision", "recall", "f1", "roc_auc", "average_precision"] {
        assert_eq!(intervals.get(&format!("classes.3.{name}")), None, "{name}");
    }
}

#[test]
fn areas_of_single_classes_have_intervals_for_up_to_50_classes() {
    let config = Bootstrap { n_resamples: 50, ..Bootstrap::default() };
    for (n_classes, has_areas) in [(50, true), (51, false)] {
        let set = made(400, n_classes, 11);
        for intervals in [set.one_of(config), set.any_of(config)] {
            assert_eq!(intervals.get("classes.0.roc_auc").is_some(), has_areas);
            assert_eq!(intervals.get("classes.0.average_precision").is_some(), has_areas);
            assert!(intervals.get("classes.0.f1").is_some());
            assert!(intervals.get("roc_auc").is_some());
        }
    }
}

#[test]
fn intervals_are_written_as_pairs_by_name() {
    let set = made_binary(50, 12);
    let config = Bootstrap { n_resamples: 20, ..Bootstrap::default() };
    let intervals = intervals_binary(&set.logits, &set.labels, 0.5, config).unwrap();
    let json = serde_json::to_value(&intervals).unwrap();
    assert!(json["accuracy"][0].is_number(), "{json}");
    assert_eq!(serde_json::from_value::<Intervals>(json).unwrap(), intervals);
}
