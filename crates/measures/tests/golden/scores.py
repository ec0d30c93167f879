"""Writes scores.json: logits, labels and what scikit-learn measures on them.

usage: python scores.py        (in this folder; needs numpy, scipy and scikit-learn)

A case holds the arguments of a constructor in `measures` (task, logits row by row, n_classes, labels or
sets of labels, thresholds), and under "expected" the metrics with the crate's own names and nesting; null
is a measure that is not defined. "weighted_loss" is the mean loss with the weights of its texts.

Everything is scikit-learn's, except for lines of numpy where it has no such measure (calibration error,
the accuracy of the majority, the number of labels), and for the accuracy within k classes, which breaks
ties otherwise there; it must be the same where there are none. Logits are float32, probabilities and
measures float64.
"""

import json
import warnings

import numpy as np
import sklearn
from scipy.special import expit, softmax
from sklearn import metrics as sk

N_BINS = 15
MOST_CLASSES_WITH_CONFUSION = 100
# Equal probabilities whose sums were added in another order differ in the last digits.
DIGITS_OF_RANKED = 12

random = np.random.default_rng(20)


def calibration_error(probabilities, happened):
    probabilities, happened = np.ravel(probabilities), np.ravel(happened)
    bins = np.minimum((probabilities * N_BINS).astype(int), N_BINS - 1)
    gaps = [
        abs((probabilities[bins == b] - happened[bins == b]).mean()) * (bins == b).mean()
        for b in np.unique(bins)
    ]
    return sum(gaps)


def defined(number):
    """A number; None for NaN."""
    return None if np.isnan(number) else float(number)


def mean_defined(numbers):
    numbers = [number for number in numbers if number is not None]
    return float(np.mean(numbers)) if numbers else None


def areas(truth, scores):
    """ROC AUC and average precision; None each without positive or without negative texts."""
    if truth.min() == truth.max():
        return None, None
    return float(sk.roc_auc_score(truth, scores)), float(sk.average_precision_score(truth, scores))


def of_class(truth, predicted, scores):
    precision, recall, f1, _ = sk.precision_recall_fscore_support(
        truth, predicted, average="binary", zero_division=0)
    roc_auc, average_precision = areas(truth, scores)
    return {
        "n_texts": int(truth.sum()),
        "n_predicted": int(predicted.sum()),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "roc_auc": roc_auc,
        "average_precision": average_precision,
    }


def binary(name, logits, labels, threshold=0.5):
    logits, labels = np.float64(np.float32(logits)), np.asarray(labels)
    t = np.float64(np.float32(threshold))
    predicted = (logits >= np.log(t / (1 - t))).astype(int)
    p = expit(logits)
    weights = random.integers(0, 4, len(labels)) / 2
    both = np.stack([1 - p, p], axis=1)
    roc_auc, average_precision = areas(labels, logits)
    zero = {"zero_division": 0}
    (tn, fp), (fn, tp) = sk.confusion_matrix(labels, predicted, labels=[0, 1])
    expected = {
        "n_rows": len(labels),
        "loss": sk.log_loss(labels, both, labels=[0, 1]),
        "accuracy": sk.accuracy_score(labels, predicted),
        "majority_accuracy": np.bincount(labels).max() / len(labels),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, predicted),
        "precision": sk.precision_score(labels, predicted, **zero),
        "recall": sk.recall_score(labels, predicted, **zero),
        "negative_recall": sk.recall_score(labels, predicted, pos_label=0, **zero),
        "f1": sk.f1_score(labels, predicted, **zero),
        "macro_f1": sk.f1_score(labels, predicted, labels=[0, 1], average="macro", **zero),
        "matthews": sk.matthews_corrcoef(labels, predicted),
        "kappa": defined(sk.cohen_kappa_score(labels, predicted, labels=[0, 1])),
        "roc_auc": roc_auc,
        "average_precision": average_precision,
        "brier": sk.brier_score_loss(labels, p, pos_label=1),
        "calibration_error": calibration_error(p, labels),
        "confusion": {
            "true_positive": int(tp),
            "false_positive": int(fp),
            "true_negative": int(tn),
            "false_negative": int(fn),
        },
    }
    if threshold != 0.5:
        expected["threshold"] = threshold
    return {
        "name": name,
        "task": "binary",
        "logits": logits,
        "labels": labels,
        "threshold": threshold,
        "weights": weights,
        "weighted_loss": sk.log_loss(labels, both, labels=[0, 1], sample_weight=weights),
        "expected": expected,
    }


def top_k(scores, labels, k):
    """Fraction of texts whose class is among the first k; among equals the first classes come first."""
    order = np.argsort(-scores, axis=1, kind="stable")
    found = float((order[:, :k] == labels[:, None]).any(axis=1).mean())
    if all(len(np.unique(row)) == len(row) for row in scores):
        theirs = sk.top_k_accuracy_score(labels, scores, k=k, labels=range(scores.shape[1]))
        assert abs(found - theirs) < 1e-12
    return found


def one_of(name, logits, labels, thresholds=None):
    logits, labels = np.float64(np.float32(logits)), np.asarray(labels)
    n_classes = logits.shape[1]
    p = softmax(logits, axis=1)
    scores = logits
    if thresholds is not None:
        scores = logits - np.log(np.float64(np.float32(thresholds)))
    predicted = scores.argmax(axis=1)
    weights = random.integers(0, 4, len(labels)) / 2
    ranked = np.round(p, DIGITS_OF_RANKED)
    classes = [of_class(labels == c, predicted == c, ranked[:, c]) for c in range(n_classes)]
    confusion = sk.confusion_matrix(labels, predicted, labels=range(n_classes))
    of_predicted = p[np.arange(len(labels)), predicted]
    f1 = {average: sk.f1_score(labels, predicted, average=average, zero_division=0)
          for average in ["macro", "micro", "weighted"]}
    loss = {"labels": range(n_classes)}
    keep = n_classes <= MOST_CLASSES_WITH_CONFUSION
    expected = {
        "n_rows": len(labels),
        "loss": sk.log_loss(labels, p, **loss),
        "accuracy": sk.accuracy_score(labels, predicted),
        "majority_accuracy": np.bincount(labels).max() / len(labels),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, predicted),
        "macro_f1": f1["macro"],
        "micro_f1": f1["micro"],
        "weighted_f1": f1["weighted"],
        "top_k": [[k, top_k(logits, labels, k)] for k in [2, 3, 5] if k < n_classes],
        "matthews": sk.matthews_corrcoef(labels, predicted),
        "kappa": defined(sk.cohen_kappa_score(labels, predicted, labels=range(n_classes))),
        "roc_auc": mean_defined(c["roc_auc"] for c in classes),
        "average_precision": mean_defined(c["average_precision"] for c in classes),
        "brier": sk.brier_score_loss(labels, p, labels=range(n_classes), scale_by_half=False),
        "calibration_error": calibration_error(of_predicted, predicted == labels),
        "classes": classes,
        "confusion": confusion if keep else [],
    }
    case = {
        "name": name,
        "task": "one-of",
        "logits": logits.ravel(),
        "n_classes": n_classes,
        "labels": labels,
        "thresholds": thresholds,
        "weights": weights,
        "weighted_loss": sk.log_loss(labels, p, sample_weight=weights, **loss),
        "expected": expected,
    }
    if keep:
        values = np.arange(n_classes) ** 2 / 4
        case["values"] = values
        case["mean_absolute_error"] = sk.mean_absolute_error(values[labels], values[predicted])
    return case


def any_of(name, logits, truth, thresholds=None):
    logits, truth = np.float64(np.float32(logits)), np.asarray(truth).astype(int)
    n_rows, n_classes = truth.shape
    p = expit(logits)
    t = np.float64(np.float32(thresholds if thresholds is not None else [0.5] * n_classes))
    predicted = (logits >= np.log(t / (1 - t))).astype(int)
    weights = random.integers(0, 4, n_rows) / 2
    classes = [of_class(truth[:, c], predicted[:, c], logits[:, c]) for c in range(n_classes)]

    def loss(**weights):
        both = [np.stack([1 - p[:, c], p[:, c]], axis=1) for c in range(n_classes)]
        return np.mean([sk.log_loss(truth[:, c], both[c], labels=[0, 1], **weights)
                        for c in range(n_classes)])

    micro = sk.precision_recall_fscore_support(truth, predicted, average="micro", zero_division=0)
    macro_f1 = sk.f1_score(truth, predicted, average="macro", zero_division=np.nan)
    brier = [sk.brier_score_loss(truth[:, c], p[:, c], pos_label=1) for c in range(n_classes)]
    _, n_of_set = np.unique(truth, axis=0, return_counts=True)
    expected = {
        "n_rows": n_rows,
        "loss": loss(),
        "accuracy": sk.accuracy_score(truth, predicted),
        "majority_accuracy": n_of_set.max() / n_rows,
        "micro_precision": micro[0],
        "micro_recall": micro[1],
        "micro_f1": micro[2],
        "macro_f1": defined(macro_f1) or 0.0,
        "hamming_loss": sk.hamming_loss(truth, predicted),
        "lrap": sk.label_ranking_average_precision_score(truth, logits),
        "roc_auc": mean_defined(c["roc_auc"] for c in classes),
        "average_precision": mean_defined(c["average_precision"] for c in classes),
        "brier": np.mean(brier),
        "calibration_error": calibration_error(p, truth),
        "n_labels_per_text": truth.sum() / n_rows,
        "classes": classes,
    }
    return {
        "name": name,
        "task": "any-of",
        "logits": logits.ravel(),
        "n_classes": n_classes,
        "sets": [np.flatnonzero(row) for row in truth],
        "thresholds": thresholds,
        "weights": weights,
        "weighted_loss": loss(sample_weight=weights),
        "expected": expected,
    }


def made_logits(truth, noise, step):
    """Logits that tend to be higher where `truth` is, rounded to multiples of `step`."""
    return np.round((1.5 * truth + noise * random.normal(size=truth.shape)) / step) * step


def binary_cases():
    labels = random.integers(0, 2, 300)
    balanced = made_logits(2 * labels - 1, 1.5, 1 / 1024)
    rare = (random.random(200) < 0.08).astype(int)
    skewed = made_logits(2 * rare - 2, 1.5, 0.5)
    yield binary("balanced", balanced, labels)
    yield binary("balanced, low threshold", balanced, labels, 0.3)
    yield binary("skewed, with ties", skewed, rare)
    yield binary("skewed, with ties, high threshold", skewed, rare, 0.9)
    yield binary("nothing is predicted positive", -np.abs(balanced) - 0.5, labels)
    yield binary("one class", balanced[:20], np.zeros(20, int))
    yield binary("one class, all right", -np.abs(balanced[:20]) - 0.5, np.zeros(20, int))
    yield binary("a single text", [0.75], [1])


def one_of_cases():
    labels = random.integers(0, 3, 150)
    logits = made_logits(np.eye(3)[labels], 1.2, 1 / 1024)
    yield one_of("three classes", logits, labels)
    yield one_of("three classes, thresholds", logits, labels, [0.2, 0.5, 0.9])
    yield one_of("three classes, all right", 9 * np.eye(3)[labels], labels)
    yield one_of("two classes", logits[:60, :2], labels[:60] % 2)
    labels = random.choice([0, 1, 2, 4], 200, p=[0.5, 0.3, 0.1, 0.1])
    logits = made_logits(np.eye(5)[labels], 1.2, 1 / 1024)
    logits[:, 1] -= 12
    yield one_of("class 3 has no texts, class 1 is never predicted", logits, labels)
    logits[:, 3] -= 12
    yield one_of("class 3 has neither texts nor predictions", logits, labels)
    labels = random.integers(0, 6, 120)
    yield one_of("ties", made_logits(np.eye(6)[labels], 1.0, 0.5), labels)
    labels = random.integers(0, 120, 60)
    yield one_of("120 classes", made_logits(3 * np.eye(120)[labels], 1.5, 1 / 64), labels)
    yield one_of("one class", logits[:10], np.full(10, 2))
    yield one_of("a single text", [[0.5, 1.5, -0.25, 0.0]], [1])


def any_of_cases():
    rates = np.array([0.5, 0.3] + 8 * [0.15] + 7 * [0.05] + 3 * [0.0])
    truth = (random.random((120, 20)) < rates).astype(int)
    truth[::9] = 0
    logits = made_logits(2 * truth - 1.5, 1.2, 1 / 1024)
    # Neither texts nor predictions.
    logits[:, 19] = -np.abs(logits[:, 19]) - 0.5
    yield any_of("20 classes, three without texts, texts without labels", logits, truth)
    yield any_of("20 classes, thresholds", logits, truth, list(np.linspace(0.1, 0.9, 20).round(2)))
    yield any_of("ties", made_logits(2 * truth[:, :5] - 1, 1.0, 0.5), truth[:, :5])
    yield any_of("all labels", logits[:15, :3], np.ones((15, 3)))
    yield any_of("no labels", logits[:15, :3], np.zeros((15, 3)))
    yield any_of("no labels, all right", -np.abs(logits[:15, :3]) - 0.5, np.zeros((15, 3)))
    yield any_of("a single text", [[1.5, -0.5, 0.25]], [[1, 0, 0]])


def plain(value):
    """Lists and numbers of Python; whole numbers without a fraction, to keep the file small."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def main():
    warnings.simplefilter("ignore")
    cases = [plain(case) for part in [binary_cases, one_of_cases, any_of_cases] for case in part()]
    versions = {"scikit-learn": sklearn.__version__, "numpy": np.__version__}
    with open("scores.json", "w") as file:
        # One case per line.
        lines = ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in cases)
        file.write(f'{{"versions":{json.dumps(versions)},"cases":[\n{lines}\n]}}\n')
    print(f"{len(cases)} cases, {versions}")


main()
