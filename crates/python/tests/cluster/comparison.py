"""Answers of a cluster against those of `sentiment predict`."""

import numpy as np

#: Largest difference of two probabilities.
TOLERANCE = 1e-6


class Difference(Exception):
    """Answers that are not those that were expected."""


def compare(answers, expected, threshold):
    """The largest difference between probabilities of two tables of ``id``, ``predicted_label`` and ``probability``.

    Rows may be in any order. ``threshold`` is the probability that decides between two classes: labels may differ
    only so close to it that the tolerance decides. None: they may never differ.

    Raises ``Difference`` unless both tables have the same ids, each once, and the same answers.
    """
    ids, expected_ids = _ids(answers, "the answers"), _ids(expected, "the expected answers")
    answers, expected = answers.take(np.argsort(ids)), expected.take(np.argsort(expected_ids))
    if not np.array_equal(np.sort(ids), np.sort(expected_ids)):
        missing = np.setdiff1d(expected_ids, ids)
        added = np.setdiff1d(ids, expected_ids)
        raise Difference(
            f"{len(missing)} ids are missing, the first are {missing[:3]}; {len(added)} were not expected, the "
            f"first are {added[:3]}"
        )
    ids = np.sort(ids)
    ours, theirs = (_probabilities(table) for table in (answers, expected))
    differences = np.abs(ours - theirs)
    # Also true of NaN.
    wrong = np.flatnonzero(~(differences <= TOLERANCE))
    if wrong.size:
        row = wrong[0]
        raise Difference(
            f"{wrong.size} of {len(ids)} probabilities differ by more than {TOLERANCE}, the first is that of id "
            f"{ids[row]}: {ours[row]}, expected {theirs[row]}"
        )
    labels, wanted = (table.column("predicted_label").to_pylist() for table in (answers, expected))
    for row, (label, label_expected) in enumerate(zip(labels, wanted, strict=True)):
        is_close = threshold is not None and abs(theirs[row] - threshold) <= TOLERANCE
        if label is None or (label != label_expected and not is_close):
            raise Difference(f"id {ids[row]} has the label {label!r}, expected {label_expected!r} ({theirs[row]})")
    return float(differences.max(initial=0.0))


def _ids(table, whose):
    ids = table.column("id").to_numpy()
    unique, counts = np.unique(ids, return_counts=True)
    if len(unique) != len(ids):
        doubled = unique[counts > 1]
        raise Difference(f"{whose} have {len(doubled)} ids more than once, the first are {doubled[:3]}")
    return ids


def _probabilities(table):
    # Nulls become NaN.
    return np.asarray(table.column("probability").to_numpy(), dtype=np.float64)
