"""Writes label_issues.json: probabilities, labels, and the label issues that cleanlab finds in them.

usage: python label_issues.py        (in this folder; needs numpy and cleanlab)

Each case has float32 probabilities row by row, labels with planted errors, cleanlab's thresholds, confident joint,
and the texts that `find_label_issues` returns with `filter_by="confident_learning"`, ranked by self-confidence.
"""

import json

import cleanlab
import numpy as np
from cleanlab.count import compute_confident_joint, get_confident_thresholds
from cleanlab.filter import find_label_issues

random = np.random.default_rng(7)


def case(n_texts, n_classes, sharpness, share_wrong):
    truth = random.integers(n_classes, size=n_texts)
    logits = random.normal(size=(n_texts, n_classes))
    logits[np.arange(n_texts), truth] += sharpness
    probabilities = np.exp(logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    probabilities = probabilities.astype(np.float32)
    labels = truth.copy()
    wrong = random.random(n_texts) < share_wrong
    labels[wrong] = random.integers(n_classes, size=wrong.sum())
    exact = probabilities.astype(np.float64)
    # Rounded rows do not quite add up to 1, which cleanlab does not mind.
    joint = compute_confident_joint(labels, exact, calibrate=False)
    found = find_label_issues(
        labels, exact, filter_by="confident_learning", return_indices_ranked_by="self_confidence"
    )
    return {
        "n_classes": n_classes,
        "probabilities": [float(p) for p in probabilities.ravel()],
        "labels": labels.tolist(),
        "thresholds": get_confident_thresholds(labels, exact).tolist(),
        "confident_joint": joint.tolist(),
        "issues": found.tolist(),
    }


cases = [
    case(200, 2, 2.0, 0.1),
    case(200, 2, 0.3, 0.3),
    case(300, 3, 1.5, 0.1),
    case(300, 5, 0.5, 0.2),
    case(60, 2, 4.0, 0.0),
]
with open("label_issues.json", "w") as file:
    json.dump({"cleanlab": cleanlab.__version__, "cases": cases}, file)
    file.write("\n")
