"""The comparison that the proofs on a cluster rest on finds every difference."""

import sys
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow")

sys.path.insert(0, str(Path(__file__).parent / "cluster"))
from comparison import Difference, compare


def table(ids=(1, 2, 3), labels=("bad", "good", "good"), probabilities=(0.1, 0.9, 0.5)):
    columns = {"id": ids, "predicted_label": labels, "probability": pa.array(probabilities, pa.float32())}
    return pa.table(columns)


def test_equal_answers_are_equal_in_any_order():
    assert compare(table().take([2, 0, 1]), table(), 0.5) == 0.0


def test_rounding_is_no_difference():
    assert 0 < compare(table(probabilities=(0.1, 0.9, 0.5000005)), table(), 0.5) < 1e-6


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (table().slice(1), "1 ids are missing, the first are .1.; 0 were not expected"),
        (table(ids=(1, 2, 4)), "1 ids are missing, the first are .3.; 1 were not expected, the first are .4."),
        (table(ids=(1, 2, 2)), "the answers have 1 ids more than once, the first are .2."),
        (table(probabilities=(0.1, 0.900002, 0.5)), "1 of 3 probabilities differ .* the first is that of id 2"),
        (table(probabilities=(0.1, None, 0.5)), "1 of 3 probabilities differ"),
        (table(labels=("good", "good", "good")), "id 1 has the label 'good', expected 'bad'"),
        (table(labels=("bad", "good", None)), "id 3 has the label None, expected 'good'"),
    ],
    ids=lambda value: None,
)
def test_a_difference_is_named(answers, message):
    with pytest.raises(Difference, match=message):
        compare(answers, table(), 0.5)


def test_labels_may_differ_only_at_the_threshold():
    other = table(labels=("bad", "good", "bad"))
    compare(other, table(), 0.5)
    for threshold in (0.4, None):
        with pytest.raises(Difference, match="id 3 has the label 'bad'"):
            compare(other, table(), threshold)
