"""``SentimentClassifier`` with scikit-learn's own tools."""

import doctest
import enum
import importlib
import os
import pickle
import random
import signal
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.6")

import joblib
import scipy.sparse
from sentiment_rnn import SentimentClassifier, SentimentWarning
from sentiment_rnn._labels import labels_of
from sentiment_rnn.sklearn import _class_weights
from sklearn.base import clone, is_classifier
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MultiLabelBinarizer
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

# A warning about few texts is no news here.
pytestmark = pytest.mark.filterwarnings("ignore::sentiment_rnn.SentimentWarning")

# Small, so that a fit takes a fraction of a second.
SMALL = {
    "training.epochs": 6,
    "model.embedding_dim": 8,
    "model.hidden_dim": 4,
    "preprocessing.seq_len": 20,
    "preprocessing.min_frequency": 1,
}
WORDS = {0: "dull boring awful weak", 1: "great moving superb fine", 2: "early morning late evening"}


def made_texts(kinds, seed=1):
    """A text for each kind, with words of this kind and others that mean nothing."""
    choice = random.Random(seed)
    noise = [f"word{number}" for number in range(40)]

    def text(kind):
        words = choice.choices(WORDS[kind].split(), k=3) + choice.choices(noise, k=5)
        choice.shuffle(words)
        return " ".join(words)

    return [text(kind) for kind in kinds]


KINDS = [0, 1] * 60
TEXTS = made_texts(KINDS)


def estimator(**parameters):
    return SentimentClassifier("quick", **{"settings": SMALL, "random_state": 3} | parameters)


@pytest.fixture(scope="module")
def fitted():
    return estimator().fit(TEXTS, KINDS)


def test_scikit_learn_is_imported_only_for_the_estimator():
    code = """
import sys, sentiment_rnn
assert "sklearn" not in sys.modules
assert sentiment_rnn.SentimentClassifier.__name__ == "SentimentClassifier"
assert "sklearn" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_example_in_the_docstring_runs(reviews):
    module = importlib.import_module("sentiment_rnn.sklearn")
    results = doctest.testmod(module, extraglobs={"made_reviews": reviews})
    assert results.attempted > 3
    assert results.failed == 0


def labelled(first, second, of=lambda labels: labels):
    return of([second if kind else first for kind in KINDS])


def pandas_series(dtype):
    def series(labels):
        return pytest.importorskip("pandas").Series(labels, dtype=dtype)

    return series


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (labelled(0, 1), [0, 1]),
        (labelled(10, 9), [9, 10]),
        (labelled(-1, 1, np.array), [-1, 1]),
        (labelled(1.0, 2.0), [1.0, 2.0]),
        (labelled(False, True), [False, True]),
        (labelled("no", "yes"), ["no", "yes"]),
        (labelled("yes", "no"), ["no", "yes"]),
        (labelled("a", "b", lambda labels: np.array(labels, dtype=object)), ["a", "b"]),
        (labelled(3, 7, pandas_series("Int64")), [3, 7]),
        (labelled("a", "b", pandas_series("category")), ["a", "b"]),
        (labelled("a", "b", pandas_series("string")), ["a", "b"]),
    ],
    ids=lambda value: None,
)
def test_labels_come_back_as_they_were(y, classes):
    model = estimator().fit(TEXTS, y)
    assert model.classes_.tolist() == classes
    predicted = model.predict(TEXTS)
    assert {type(label) for label in predicted.tolist()} == {type(classes[0])}
    assert model.score(TEXTS, np.asarray(y)) > 0.9


@pytest.mark.parametrize(
    "pair", [("neg", "pos"), ("A", "a"), ("1 star", "5 stars"), ("x|y", "x"), (" b", "b"), ("FALSE", "true")]
)
def test_labels_are_never_recognised_or_merged(pair):
    model = estimator().fit(TEXTS, labelled(*pair))
    assert model.classes_.tolist() == sorted(pair)
    assert model.classifier_.classes == sorted(pair)
    assert model.score(TEXTS, labelled(*pair)) > 0.9


def test_numbers_are_sorted_by_value_and_not_as_stars():
    kinds = [0, 1, 2] * 50
    y = np.array([10, 2, 1])[kinds]
    model = estimator().fit(made_texts(kinds), y)
    assert model.classes_.tolist() == [1, 2, 10]
    assert model.classifier_.task == "one-of"
    assert model.score(made_texts(kinds), y) > 0.9


def test_probabilities_are_in_the_order_of_classes(fitted):
    for y in (labelled("b", "a"), labelled("a", "b")):
        model = estimator().fit(TEXTS, y)
        probabilities = model.predict_proba(TEXTS)
        assert probabilities.shape == (len(TEXTS), 2)
        assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        assert (model.classes_[probabilities.argmax(axis=1)] == model.predict(TEXTS)).all()
        assert roc_auc_score(np.array(y) == "b", probabilities[:, 1]) > 0.95


def test_parameters_are_stored_as_they_are():
    settings, weights = {"training.epochs": 1}, {0: 2}
    model = SentimentClassifier(settings=settings, class_weight=weights, random_state=7)
    assert model.settings is settings
    assert model.class_weight is weights
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(recipe="quick", threshold="f1").recipe == "quick"
    with pytest.raises(ValueError, match="Invalid parameter 'epochs'"):
        model.set_params(epochs=3)


def test_an_estimator_that_was_not_fitted_says_so():
    for method in (estimator().predict, estimator().predict_proba):
        with pytest.raises(NotFittedError):
            method(TEXTS)


def test_a_copy_by_pickle_or_joblib_answers_alike(fitted, tmp_path):
    joblib.dump(fitted, tmp_path / "model.joblib")
    for copy in (pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "model.joblib")):
        assert (copy.predict_proba(TEXTS) == fitted.predict_proba(TEXTS)).all()
        assert copy.predict(TEXTS).dtype == fitted.predict(TEXTS).dtype


def test_it_works_in_a_pipeline():
    shorten = FunctionTransformer(lambda texts: [text.removeprefix("x ") for text in texts])
    pipeline = make_pipeline(shorten, estimator()).fit(["x " + text for text in TEXTS], KINDS)
    assert pipeline.score(TEXTS, KINDS) > 0.9


def test_it_works_in_a_grid_search():
    settings = [SMALL, SMALL | {"training.epochs": 1}]
    search = GridSearchCV(estimator(), {"settings": settings}, cv=2, scoring="roc_auc")
    search.fit(np.array(TEXTS), KINDS)
    assert search.best_params_["settings"] in settings
    assert search.best_score_ > 0.8
    assert search.classes_.tolist() == [0, 1]


def test_it_is_cross_validated_in_processes_of_their_own():
    assert cross_val_score(estimator(), TEXTS, KINDS, cv=2, n_jobs=2).mean() > 0.8


def test_scikit_learns_checks_pass():
    with pytest.warns(match="Can't test estimator"):
        results = check_estimator(SentimentClassifier())
    assert [result["status"] for result in results] == ["passed"]


def test_tags_tell_what_it_takes():
    tags = get_tags(SentimentClassifier())
    assert is_classifier(SentimentClassifier())
    assert tags.input_tags.string
    assert tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array
    assert tags.classifier_tags.multi_label


SETS = [{"bad"}, {"good"}, {"good", "time"}, {"time"}] * 40


def several():
    """Texts and an indicator matrix of the columns bad, good and time."""
    kinds = {"bad": 0, "good": 1, "time": 2}
    texts = [" ".join(made_texts([kinds[name] for name in sorted(names)], row)) for row, names in enumerate(SETS)]
    return texts, MultiLabelBinarizer(classes=["bad", "good", "time"]).fit_transform(SETS)


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_matrix, "frame"])
def test_a_text_may_have_several_labels(kind):
    texts, y = several()
    names = ["0", "1", "2"]
    if kind == "frame":
        names = ["bad", "good", "time"]
        fitted_to = pytest.importorskip("pandas").DataFrame(y, columns=names)
    else:
        fitted_to = kind(y)
    model = estimator().fit(texts, fitted_to)
    assert model.classifier_.task == "any-of"
    assert model.classifier_.classes == names
    assert model.classes_.tolist() == [0, 1, 2]
    predicted, probabilities = model.predict(texts), model.predict_proba(texts)
    assert predicted.shape == probabilities.shape == y.shape
    assert set(np.unique(predicted)) <= {0, 1}
    assert (predicted == y).mean() > 0.9
    assert (predicted == (probabilities >= 0.5)).all()
    assert model.score(texts, y) > 0.5


def test_a_label_that_no_text_has_is_said_and_never_predicted():
    texts, y = several()
    y = np.column_stack([y[:, 0], np.zeros(len(y), dtype=int), y[:, 2]])
    with pytest.warns(SentimentWarning, match="no text has the label '1'"):
        model = estimator().fit(texts, y)
    assert model.predict(texts).shape == model.predict_proba(texts).shape == (len(texts), 3)
    assert not model.predict(texts)[:, 1].any()
    assert not model.predict_proba(texts)[:, 1].any()
    assert (model.predict(texts) == y).mean() > 0.9


def test_weights_of_texts_count():
    # Half of the texts contradict the others: the weights decide.
    texts, y = TEXTS + made_texts(KINDS, 2), KINDS + [1 - kind for kind in KINDS]
    agreement = []
    for trusted in (0, 1):
        weights = [1.0 if half == trusted else 0.01 for half in (0, 1) for _ in KINDS]
        agreement.append(estimator().fit(texts, y, sample_weight=weights).score(TEXTS, KINDS))
    assert agreement[0] > 0.8
    assert agreement[1] < 0.5


def test_weights_of_classes_are_by_label():
    y = labelled("a", "b")
    light = estimator(class_weight={"a": 1, "b": 0.05}).fit(TEXTS, y).predict_proba(TEXTS)[:, 1].mean()
    heavy = estimator(class_weight={"b": 20}).fit(TEXTS, y).predict_proba(TEXTS)[:, 1].mean()
    assert light < heavy
    estimator(class_weight="balanced").fit(TEXTS, y)
    with pytest.raises(ValueError, match="class_weight has the label 'c', which y lacks; its labels are 'a', 'b'"):
        estimator(class_weight={"c": 2}).fit(TEXTS, y)


@pytest.mark.parametrize(
    ("columns", "class_weight", "expected"),
    [
        ([2, 0, 1], {0: 5, 1: 3}, {"0": 5, "1": 3}),
        ([10, 20, 30], {20: 2}, {"20": 2}),
        ([10, 20, 30], {"20": 2}, {"20": 2}),
        (["a", "b", "c"], {0: 5, "c": 3}, {"a": 5, "c": 3}),
        (None, {0: 5, "2": 3}, {"0": 5, "2": 3}),
    ],
)
def test_weights_of_columns_are_by_name_first(columns, class_weight, expected):
    y = np.eye(3, dtype=int)
    if columns is not None:
        y = pytest.importorskip("pandas").DataFrame(y, columns=columns)
    assert _class_weights(class_weight, labels_of(y), []) == expected


@pytest.mark.parametrize(
    ("columns", "class_weight", "message"),
    [
        ([10, 20, 30], {0: 5}, "class_weight has the label '0', which y lacks; its labels are 10, 20, 30"),
        (["a", "b", "c"], {0: 5, "a": 3}, "class_weight has two weights for the label 'a'"),
    ],
)
def test_weights_of_no_column_are_refused(columns, class_weight, message):
    y = pytest.importorskip("pandas").DataFrame(np.eye(3, dtype=int), columns=columns)
    with pytest.raises(ValueError, match=message):
        _class_weights(class_weight, labels_of(y), [])


def test_a_weight_of_an_absent_label_alone_is_none():
    texts, y = several()
    y = np.column_stack([y[:, 0], np.zeros(len(y), dtype=int), y[:, 2]])
    model = estimator(class_weight={1: 5}).fit(texts, y)
    assert model.report_["training"]["class_weights"] == estimator().fit(texts, y).report_["training"]["class_weights"]


class Mood(str, enum.Enum):
    GOOD = "good"
    BAD = "bad"


def test_labels_of_an_enum_come_back_as_its_members():
    model = estimator().fit(TEXTS, [Mood.GOOD if kind else Mood.BAD for kind in KINDS])
    assert model.classifier_.classes == ["bad", "good"]
    assert {type(label) for label in model.predict(TEXTS)} == {Mood}
    assert model.fit([Mood.GOOD, *TEXTS], [0, *KINDS]).predict([Mood.GOOD]) == model.predict(["good"])


def test_ctrl_c_fits_nothing(monkeypatch):
    def press(event):
        if event["event"] == "validated":
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("sentiment_rnn._training._print", press)
    model = estimator(settings=SMALL | {"training.epochs": 500}, verbose=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(TEXTS, KINDS)
    with pytest.raises(NotFittedError):
        model.predict(TEXTS)


def test_warnings_name_the_line_that_fits():
    with pytest.warns(SentimentWarning) as warned:
        estimator().fit(TEXTS, KINDS)
    assert {warning.filename for warning in warned} == {__file__}


def test_predictions_follow_the_thresholds_that_training_chose():
    y = labelled("a", "b")
    model = estimator(threshold="recall=0.95").fit(TEXTS, y)
    threshold = model.classifier_.thresholds[0]
    expected = np.where(model.predict_proba(TEXTS)[:, 1] >= np.float32(threshold), "b", "a")
    assert (model.predict(TEXTS) == expected).all()


def test_a_random_state_makes_a_fit_reproducible():
    def probabilities(random_state):
        return estimator(random_state=random_state).fit(TEXTS, KINDS).predict_proba(TEXTS)

    assert (probabilities(1) == probabilities(1)).all()
    assert (probabilities(1) != probabilities(2)).any()
    assert (probabilities(None) == probabilities(None)).all()
    assert (probabilities(np.random.RandomState(5)) == probabilities(np.random.RandomState(5))).all()
    with pytest.raises(ValueError, match="random_state is -1"):
        probabilities(-1)


def test_a_task_may_be_asked_for():
    assert estimator(task="one-of").fit(TEXTS, KINDS).classifier_.task == "one-of"
    three = [0, 1, 2] * 40
    with pytest.raises(ValueError, match="task is 'binary', but y has 3 classes"):
        estimator(task="binary").fit(made_texts(three), three)
    with pytest.raises(ValueError, match="expected an indicator matrix"):
        estimator(task="any-of").fit(TEXTS, KINDS)
    with pytest.raises(ValueError, match="expected one label for each text"):
        estimator(task="one-of").fit(*several())
    with pytest.raises(ValueError, match="task is 'multi'"):
        estimator(task="multi").fit(TEXTS, KINDS)


def test_texts_may_be_in_any_kind_of_column(fitted):
    expected = fitted.predict_proba(TEXTS)
    columns = [tuple(TEXTS), iter(TEXTS), np.array(TEXTS), np.array(TEXTS, dtype=object)]
    for library, column in (("pandas", "Series"), ("polars", "Series"), ("pyarrow", "array")):
        columns.append(getattr(pytest.importorskip(library), column)(TEXTS))
    columns.append(pytest.importorskip("pandas").Series(TEXTS, dtype="category"))
    for texts in columns:
        assert (fitted.predict_proba(texts) == expected).all()


def test_no_texts_have_no_answers(fitted):
    assert fitted.predict([]).tolist() == []
    assert fitted.predict_proba([]).shape == (0, 2)


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("one text", ValueError, r"X is one text, expected a list of texts: put it in brackets, \[text\]"),
        ([["a"], ["b"]], ValueError, r"X has two dimensions, as X\[0\] is of type list"),
        (np.array([["a"], ["b"]]), ValueError, r"X has 2 dimensions.*X\[:, 0\]"),
        (scipy.sparse.eye(2), ValueError, "sparse matrix, expected texts: leave out the vectorizer"),
        (["a", None], ValueError, r"X\[1\] is missing \(None\)"),
        (["a", float("nan")], ValueError, r"X\[1\] is missing \(nan\)"),
        (["a", b"b"], TypeError, r"X\[1\] is bytes, expected str: decode it first"),
        (["a", 1], TypeError, r"X\[1\] is of type int, expected str"),
        ({"a": "b"}, TypeError, "X is a dict, expected a list of texts"),
        (3, TypeError, "X is of type int, expected a list of texts"),
    ],
    ids=lambda value: None,
)
def test_what_is_no_column_of_texts_is_refused(fitted, texts, error, message):
    for method in (lambda texts: estimator().fit(texts, [0, 1]), fitted.predict, fitted.predict_proba):
        with pytest.raises(error, match=message):
            method(texts)


def test_a_table_is_refused_with_what_to_do():
    frame = pytest.importorskip("pandas").DataFrame({"text": TEXTS})
    with pytest.raises(ValueError, match=r"choose the column with X\['NAME'\]"):
        estimator().fit(frame, KINDS)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (KINDS[:-1], "X has 120 texts, but y has 119 labels"),
        (["a"] * 120, "y has only one class, 'a': at least two are needed"),
        ([0.5, 1] * 60, "continuous. y holds fractional numbers such as 0.5"),
        ([0, None] * 60, r"y\[1\] is missing \(None\)"),
        (["a", float("nan")] * 60, r"y\[1\] is missing \(nan\)"),
        (["a", 1] * 60, r"y mixes labels of several types, such as 'a' \(str\) and 1 \(number\)"),
        ([b"a", b"b"] * 60, "y holds labels of type bytes"),
        ([["a"], ["a", "b"]] * 60, "y holds lists or sets of labels.*MultiLabelBinarizer"),
        ([{"a"}, {"b"}] * 60, "y holds lists or sets of labels.*MultiLabelBinarizer"),
        (np.array([[0, 1], [1, 2]] * 60), r"y\[1, 1\] is (np.int64\()?2\)?: expected an indicator matrix of 0 and 1"),
        (np.zeros((120, 2)), "no text has a label"),
        (None, "y is None: the classifier requires y to be passed"),
        ("labels", "y is a str, expected a list of labels"),
    ],
    ids=lambda value: None,
)
def test_what_are_no_labels_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        estimator().fit(TEXTS, y)


def test_a_column_of_labels_with_two_dimensions_is_flattened_and_said():
    with pytest.warns(DataConversionWarning, match="y is a column with two dimensions"):
        model = estimator().fit(TEXTS, np.array(KINDS).reshape(-1, 1))
    assert model.classes_.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], "sample_weight has the shape 1, expected one weight for each of 120 texts"),
        ([1.0] * 119 + [-1.0], r"sample_weight\[119\] is -1.0, expected a number of at least 0"),
        ([float("nan")] + [1.0] * 119, r"sample_weight\[0\] is nan"),
    ],
)
def test_wrong_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        estimator().fit(TEXTS, KINDS, sample_weight=weights)


def test_no_texts_cannot_be_trained_on():
    with pytest.raises(ValueError, match="X has no texts"):
        estimator().fit([], [])
