"""Training from memory."""

from __future__ import annotations

import enum
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pandas
import polars
import pyarrow
import pytest
import sentiment_rnn
from sentiment_rnn import Classifier, SentimentWarning, train

Labelled = Callable[..., tuple[list[str], list[Any]]]


def test_a_result_has_a_classifier_and_a_report(reviews: Labelled, small: dict[str, Any]) -> None:
    texts, labels = reviews(400)
    result = train(texts, labels, recipe="quick", settings=small, seed=1)
    assert result.classifier.predict(["superb and charming", "boring and tedious"]) == ["positive", "negative"]
    assert result.report["recipe"] == "quick" and result.report["training"]["seed"] == 1
    assert result.report["test"]["accuracy"] > 0.9
    assert "report" not in repr(result)


def test_the_same_seed_trains_the_same_model(reviews: Labelled, small: dict[str, Any]) -> None:
    texts, labels = reviews(200)
    ids = [train(texts, labels, recipe="quick", settings=small, seed=seed).classifier.id for seed in (1, 1, 2)]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    "column", [numpy.array, pandas.Series, polars.Series, pyarrow.array, tuple, iter], ids=lambda c: c.__name__
)
def test_texts_and_labels_may_be_any_column(
    reviews: Labelled, small: dict[str, Any], column: Callable[..., Any]
) -> None:
    texts, labels = reviews(200)
    expected = train(texts, labels, recipe="quick", settings=small).classifier.id
    assert train(column(texts), column(labels), recipe="quick", settings=small).classifier.id == expected


def test_settings_are_dicts_or_lines(reviews: Labelled, small: dict[str, Any]) -> None:
    texts, labels = reviews(200)
    nested: dict[str, Any] = {}
    for key, value in small.items():
        table, name = key.split(".")
        nested.setdefault(table, {})[name] = numpy.int64(value)
    lines = [f"{key}={value}" for key, value in small.items()]
    reports = [train(texts, labels, recipe="quick", settings=it).report for it in (small, nested, lines)]
    assert reports[0]["training"]["epochs"] == 3
    assert all(report["training"] == reports[0]["training"] for report in reports)


def test_labels_are_recognised_or_taken_as_they_are(reviews: Labelled, small: dict[str, Any]) -> None:
    texts, labels = reviews(200)
    short = [label[:3] for label in labels]
    recognised = train(texts, short, recipe="quick", settings=small)
    assert recognised.classifier.classes == ["negative", "positive"]
    exact = train(texts, short, recipe="quick", settings=small, classes=["pos", "neg"])
    assert exact.classifier.classes == ["pos", "neg"]
    assert exact.classifier.predict(["superb and charming"]) == ["pos"]
    numbers = train(texts, numpy.array([label == "positive" for label in labels]).astype(int), settings=small,
                    recipe="quick", classes=["0", "1"])
    assert numbers.classifier.predict(["superb and charming"]) == ["1"]


def test_lists_of_labels_are_any_of(tags: Labelled, small: dict[str, Any]) -> None:
    texts, labels = tags(300)
    result = train(texts, labels, recipe="quick", settings=small)
    assert result.classifier.task == "any-of"
    assert result.classifier.classes == ["negative", "neutral", "positive"]


def test_a_model_may_be_kept_in_a_folder(reviews: Labelled, small: dict[str, Any], tmp_path: Path) -> None:
    texts, labels = reviews(200)
    folder = tmp_path / "model"
    result = train(texts, labels, recipe="quick", settings=small, output=folder)
    assert Classifier.load(folder).id == result.classifier.id
    assert (folder / "metrics.json").exists()
    with pytest.raises(FileExistsError, match="already exists"):
        train(texts, labels, recipe="quick", settings=small, output=folder)
    again = train(texts, labels, recipe="quick", settings=small, output=folder, overwrite=True, seed=7)
    assert Classifier.load(folder).id == again.classifier.id != result.classifier.id


def test_weights_and_groups_reach_the_training(reviews: Labelled, small: dict[str, Any]) -> None:
    texts, labels = reviews(200)
    plain = train(texts, labels, recipe="quick", settings=small)
    weighted = train(texts, labels, recipe="quick", settings=small, sample_weight=numpy.linspace(0.5, 2, 200))
    assert weighted.classifier.id != plain.classifier.id
    grouped = train(texts, labels, recipe="quick", settings=small, groups=[f"author {n // 4}" for n in range(200)])
    assert grouped.classifier.id != plain.classifier.id
    by_class = train(texts, labels, recipe="quick", settings=small, class_weights={"positive": 3})
    assert by_class.report["training"]["class_weights"] == {"positive": 3.0}
    goal = train(texts, labels, recipe="quick", settings=small, threshold="recall=0.95")
    assert goal.classifier.thresholds is not None and len(goal.classifier.thresholds) == 1


def test_few_texts_lower_the_batch_with_a_warning(reviews: Labelled, small: dict[str, Any]) -> None:
    texts, labels = reviews(30)
    with pytest.warns(SentimentWarning, match="batch"):
        result = train(texts, labels, recipe="quick", settings=small | {"training.batch_size": 64})
    assert any("batch" in warning for warning in result.warnings)


def test_progress_calls_a_function_for_each_event(
    reviews: Labelled, small: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    texts, labels = reviews(200)
    events: list[dict[str, Any]] = []
    train(texts, labels, recipe="quick", settings=small, progress=events.append)
    names = [event["event"] for event in events]
    assert names.count("epoch_start") == 3 and "validated" in names
    record = next(event["record"] for event in events if event["event"] == "validated")
    assert record["validation"]["loss"] > 0
    assert capfd.readouterr() == ("", "")
    train(texts, labels, recipe="quick", settings=small, progress=True)
    out, err = capfd.readouterr()
    assert out == "" and err.count("validation loss") >= names.count("validated")


def test_an_exception_of_the_function_ends_the_training(reviews: Labelled, small: dict[str, Any]) -> None:
    texts, labels = reviews(200)

    def fail(event: dict[str, Any]) -> None:
        raise LookupError(event["event"])

    with pytest.raises(LookupError):
        train(texts, labels, recipe="quick", settings=small, progress=fail)


def test_ctrl_c_keeps_the_model_trained_so_far(reviews: Labelled, small: dict[str, Any]) -> None:
    texts, labels = reviews(400)

    def press(event: dict[str, Any]) -> None:
        if event["event"] == "validated":
            os.kill(os.getpid(), signal.SIGINT)

    assert threading.current_thread() is threading.main_thread()
    with pytest.warns(SentimentWarning, match="stopped by Ctrl-C; the model kept so far is returned"):
        result = train(texts, labels, recipe="quick", settings=small | {"training.epochs": 500}, progress=press)
    assert result.report["ended"] == "interrupted"
    assert result.classifier.classes == ["negative", "positive"]


def test_a_second_ctrl_c_gives_the_model_up(run_python: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    script = """
import os, random, signal
from sentiment_rnn import train

def press(event):
    if event["event"] in ("validated", "interrupted"):
        os.kill(os.getpid(), signal.SIGINT)

chance = random.Random(0)
texts = [" ".join(chance.choices("a b c d e f g h i j k l m n".split(), k=9)) for _ in range(400)]
try:
    train(texts, ["yes", "no"] * 200, recipe="quick", settings={"training.epochs": 500}, progress=press)
    print("trained")
except KeyboardInterrupt:
    print("given up")
"""
    result = run_python(script)
    assert result.stdout.strip() == "given up", result.stderr


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": ["positive"]}, ValueError, "there are 200 texts, but labels has 1 items"),
        ({"labels": "positive"}, TypeError, "labels is str, expected a list with an item for each text"),
        ({"labels": [1.5] * 200}, TypeError, "item 0 of labels is float, expected str or int"),
        ({"labels": ["a", ["b"]] * 100}, TypeError, "item 0 of labels is no list, but others are"),
        ({"labels": [[1.5]] * 200}, TypeError, "labels has in item 0 float, expected str or int"),
        ({"labels": ["same"] * 200}, ValueError, "same"),
        ({"labels": [None] * 200}, ValueError, "text 1"),
        ({"texts": [None] * 200}, TypeError, "item 0 is None, expected str"),
        ({"texts": "one text"}, TypeError, "the texts are one str"),
        ({"texts": ["a"] * 200}, ValueError, "texts"),
        ({"sample_weight": [1]}, ValueError, "sample_weight has 1 items"),
        ({"sample_weight": ["x"] * 200}, TypeError, "item 0 of sample_weight is str, expected a number"),
        ({"sample_weight": [-1.0] * 200}, ValueError, "text 1"),
        ({"groups": [None] * 200}, TypeError, "item 0 of groups is missing"),
        ({"task": "binry"}, ValueError, 'there is no task "binry"; expected "binary"'),
        ({"recipe": "quik"}, FileNotFoundError, "quik"),
        ({"settings": {"training.epoch": 3}}, ValueError, "epochs"),
        ({"settings": {"training.epochs": object()}}, TypeError, "the setting training.epochs is object"),
        ({"settings": ["training"]}, ValueError, "training"),
        ({"settings": "training.epochs=3"}, TypeError, "settings is str"),
        ({"class_weights": {"positiv": 2}}, ValueError, 'did you mean "positive"'),
        ({"class_weights": {"positive": -2}}, ValueError, "class_weights"),
        ({"class_weights": "heavy"}, ValueError, "class_weights"),
        ({"threshold": "f2"}, ValueError, "threshold"),
        ({"seed": -1}, ValueError, "seed is -1, expected an integer from 0"),
        ({"seed": 1.5}, TypeError, "integer"),
        ({"task": 5}, TypeError, "task is int, expected str"),
        ({"classes": ["a", "b"]}, ValueError, "negative"),
        ({"classes": [1, 2]}, TypeError, "item 0 of classes is int, expected str"),
        ({"progress": 5}, TypeError, "progress is int, expected True, None or a function"),
        ({"device": "gpu"}, ValueError, 'no device "gpu"'),
        ({"device": None}, TypeError, "device is None, expected 'cpu', 'cuda'"),
        ({"overwrite": None, "output": "model"}, TypeError, "overwrite is None, expected True or False"),
        ({"settings": {"training.word_vectors": "no.txt"}}, FileNotFoundError, "the word vectors no.txt: No such file"),
        ({"settings": {"training.learning_rate": 1e30, "training.clip_norm": 1e30}}, ValueError, "became"),
    ],
)
def test_wrong_arguments_are_named(
    reviews: Labelled, small: dict[str, Any], change: dict[str, Any], error: type[Exception], message: str
) -> None:
    texts, labels = reviews(200)
    arguments: dict[str, Any] = {"texts": texts, "labels": labels, "recipe": "quick", "settings": small} | change
    with pytest.raises(error, match=message):
        train(**arguments)


def test_no_temporary_folder_is_left(
    reviews: Labelled, small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    texts, labels = reviews(200)
    classifier = train(texts, labels, recipe="quick", settings=small).classifier
    assert list(tmp_path.iterdir()) == []
    # The model is in memory.
    assert sentiment_rnn.Classifier.from_files(classifier.files()).id == classifier.id


def press_at(*names: str) -> Callable[[dict[str, Any]], None]:
    """Presses Ctrl-C at the first of these events, then at the next one, and so on."""
    waiting = list(names)

    def press(event: dict[str, Any]) -> None:
        if waiting and event["event"] == waiting[0]:
            del waiting[0]
            os.kill(os.getpid(), signal.SIGINT)

    return press


def test_ctrl_c_after_the_last_step_is_raised(reviews: Labelled, small: dict[str, Any]) -> None:
    texts, labels = reviews(200)
    with pytest.raises(KeyboardInterrupt):
        train(texts, labels, recipe="quick", settings=small, progress=press_at("test_start"))


def test_ctrl_c_in_retraining_returns_the_model_kept_or_is_raised(reviews: Labelled, small: dict[str, Any]) -> None:
    texts, labels = reviews(200)
    settings = small | {"training.refit": True}
    with pytest.warns(SentimentWarning, match="stopped by Ctrl-C"):
        result = train(texts, labels, recipe="quick", settings=settings, progress=press_at("refit_start"))
    assert result.report["ended"] == "interrupted" and result.report.get("refit") is None
    with pytest.raises(KeyboardInterrupt):
        train(texts, labels, recipe="quick", settings=settings, progress=press_at("refitted"))


@pytest.mark.parametrize("presses", [1, 2])
def test_what_ends_a_training_replaces_no_model_after_it(
    reviews: Labelled, small: dict[str, Any], tmp_path: Path, presses: int
) -> None:
    texts, labels = reviews(200)
    old = train(texts, labels, recipe="quick", settings=small, output=tmp_path / "model").classifier.id
    heard = []

    def fail(event: dict[str, Any]) -> None:
        heard.append(event["event"])
        if event["event"] == "epoch_start" and presses == 1:
            raise LookupError
        if event["event"] in ("epoch_start", "interrupted"):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(LookupError if presses == 1 else KeyboardInterrupt):
        train(texts, labels, recipe="quick", settings=small, seed=7, output=tmp_path / "model", overwrite=True,
              progress=fail)
    assert heard[-presses:] == ["epoch_start", "interrupted"][:presses]
    assert Classifier.load(tmp_path / "model").id == old
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")) == ["model"]
    # The folder is free again.
    train(texts, labels, recipe="quick", settings=small, output=tmp_path / "model", overwrite=True)


def test_an_exception_of_the_function_at_the_test_leaves_the_model_without_it(
    reviews: Labelled, small: dict[str, Any], tmp_path: Path
) -> None:
    texts, labels = reviews(200)

    def fail(event: dict[str, Any]) -> None:
        if event["event"] == "test_start":
            raise LookupError

    with pytest.raises(LookupError):
        train(texts, labels, recipe="quick", settings=small, progress=fail, output=tmp_path / "model")
    assert Classifier.load(tmp_path / "model").predict(["superb and charming"]) == ["positive"]
    assert json.loads((tmp_path / "model" / "metrics.json").read_text()).get("test") is None


class Mood(str, enum.Enum):
    GOOD = "positive"
    BAD = "negative"


def test_labels_and_texts_of_an_enum_are_its_values(reviews: Labelled, small: dict[str, Any]) -> None:
    texts, labels = reviews(200)
    result = train(texts, [Mood(label) for label in labels], recipe="quick", settings=small)
    assert result.classifier.classes == ["negative", "positive"]


@pytest.mark.parametrize("duplicates", [lambda text: text, lambda text: f"<br/>{text.upper()}!"])
def test_copies_of_other_weight_are_told(
    reviews: Labelled, small: dict[str, Any], duplicates: Callable[[str], str]
) -> None:
    texts, labels = reviews(200)
    texts, labels = texts + [duplicates(text) for text in texts[:20]], labels + labels[:20]
    with pytest.warns(SentimentWarning, match="only the first copy and its weight count: 5 copies have other weights"):
        train(texts, labels, recipe="quick", settings=small, sample_weight=[1] * 215 + [3] * 5)
    same = train(texts, labels, recipe="quick", settings=small, sample_weight=[2] * 220)
    assert not any("other weights" in warning for warning in same.warnings)
