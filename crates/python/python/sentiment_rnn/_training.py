"""Training on texts and labels from memory."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings as python_warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import _inputs, _labelled, _native
from ._classifier import Classifier

Progress = Callable[[dict[str, Any]], object]


class SentimentWarning(UserWarning):
    """Something that makes a result mean less than it seems to."""


@dataclass(frozen=True)
class TrainingResult:
    """A finished training."""

    classifier: Classifier
    """The model that was kept."""

    report: dict[str, Any] = field(repr=False)
    """All settings and measurements, as in the file ``metrics.json`` of a model folder."""

    warnings: list[str]
    """What makes the measurements mean less than they seem to; they were also given as `SentimentWarning`."""

    notes: list[str]
    """What was recognised in the labels, and what was renamed or merged."""


def train(
    texts: Any,
    labels: Any,
    *,
    recipe: str | os.PathLike[str] = "default",
    settings: Mapping[str, Any] | Iterable[str] | None = None,
    seed: int | None = None,
    task: str | None = None,
    classes: Iterable[str] | None = None,
    class_weights: str | Mapping[str, float] | None = None,
    threshold: str | None = None,
    sample_weight: Iterable[float] | None = None,
    groups: Iterable[Any] | None = None,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    device: str = "cpu",
    progress: bool | Progress | None = None,
) -> TrainingResult:
    """Trains a classifier on labelled texts, tests it, and returns it with a report.

    80 % of the texts are for training, 10 % for validation, which selects the model, and 10 % for one test at the end.
    Texts that are the same but for case, spaces, punctuation and markup are used once: the first of them, with its
    label and weight.

    Ctrl-C ends the training early and returns the model kept so far, with a warning. A second one raises
    ``KeyboardInterrupt`` at once, and so does the first when there is nothing left to end, as in the test. What
    `progress` raises ends the training at once, too: nothing is validated, saved or tested after that. A model that a
    validation had put into `output` before stays there.

    Args:
        texts: As for `Classifier`, but none may be missing.
        labels: A label for each text, str or int, or a list of labels for each. What they mean is recognised, as in a
            table (see `TrainingResult.notes`), unless `classes` is given.
        recipe: ``"quick"``, ``"default"``, ``"recurrent"``, ``"accurate"``, ``"notebook"``, or a TOML file.
        settings: Settings to override: ``{"training.epochs": 3}``, ``{"training": {"epochs": 3}}`` or
            ``["training.epochs=3"]``.
        seed: Of the split, initial weights, dropout and the order of texts.
        task: ``"binary"``, ``"one-of"`` or ``"any-of"``, if it is not to be recognised.
        classes: The classes in their order, if labels are to be taken exactly as they are. Of two, the second is the
            positive one.
        class_weights: How much the texts of each class count: ``"none"``, ``"balanced"``, ``"auto"``, or weights by
            class, such as ``{"positive": 3}``.
        threshold: A goal for the decision threshold: ``"f1"``, ``"recall=0.95"``, ``"precision=0.9"``,
            ``"cost=5:1"``.
        sample_weight: How much each text counts, at least 0. Of texts that are the same, only the first one's weight
            counts; if others differ from it, there is a warning.
        groups: A group for each text, such as its author: all texts of a group go to the same split.
        output: A folder for the model; without it, the model is kept in memory.
        overwrite: Whether a model that is already in `output` is replaced.
        device: ``"cpu"``, or ``"cuda"``, ``"metal"`` or ``"auto"`` in a build that has them.
        progress: ``True`` prints a line for each validation to standard error. A function is called with a dict for
            each event: its ``"event"`` (``"epoch_start"``, ``"validated"``, ...) and what is known about it.

    Raises:
        TypeError: If a text or label is of the wrong type.
        ValueError: If there are too few texts, if the labels are no labels, or if a setting is wrong.
        FileExistsError: If `output` holds something that may not be replaced.

    >>> texts, labels = made_reviews(400)
    >>> result = train(texts, labels, recipe="quick", settings={"training.epochs": 3}, seed=1)
    >>> result.report["ended"]
    'complete'
    >>> result.classifier.classes
    ['negative', 'positive']
    """
    result = run(
        texts,
        labels,
        recipe=recipe,
        settings=settings,
        seed=seed,
        task=task,
        classes=classes,
        class_weights=class_weights,
        threshold=threshold,
        sample_weight=sample_weight,
        groups=groups,
        output=output,
        overwrite=overwrite,
        device=device,
        progress=progress,
    )
    for warning in result.warnings:
        python_warnings.warn(warning, SentimentWarning, stacklevel=2)
    return result


def run(
    texts: Any,
    labels: Any,
    *,
    recipe: str | os.PathLike[str],
    settings: Mapping[str, Any] | Iterable[str] | None,
    seed: int | None,
    task: str | None,
    classes: Iterable[str] | None,
    class_weights: str | Mapping[str, float] | None,
    threshold: str | None,
    sample_weight: Iterable[float] | None,
    groups: Iterable[Any] | None = None,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    device: str,
    progress: bool | Progress | None,
) -> TrainingResult:
    """As `train`, but leaves it to the caller to give the warnings."""
    taken = _inputs.take(texts).strings()
    cells, are_lists = _labelled.labels(labels)
    _same_length("labels", cells, taken)
    weights = None if sample_weight is None else _labelled.numbers("sample_weight", sample_weight)
    _same_length("sample_weight", weights, taken)
    group_numbers = None if groups is None else _labelled.numbered("groups", groups)
    _same_length("groups", group_numbers, taken)
    request = {
        "classes": None if classes is None else _labelled.names("classes", classes),
        "task": _labelled.string("task", task),
        "recipe": os.fspath(recipe),
        "settings": _labelled.settings(settings),
        "seed": _labelled.seed(seed),
        "class_weights": _labelled.class_weights(class_weights),
        "threshold": _labelled.string("threshold", threshold),
        "sample_weight": weights,
        "groups": group_numbers,
        "device": _labelled.device(device),
    }
    overwrite = _labelled.flag("overwrite", overwrite)
    on_event = _events(progress)
    if output is None:
        with tempfile.TemporaryDirectory(prefix="sentiment-rnn-") as parent:
            request |= {"folder": os.path.join(parent, "model"), "overwrite": False, "stays": False}
            trained = _native.train(taken, cells, are_lists, request, on_event)
    else:
        request |= {"folder": os.fspath(output), "overwrite": overwrite, "stays": True}
        trained = _native.train(taken, cells, are_lists, request, on_event)
    classifier = Classifier._of(trained.model, device)
    return TrainingResult(classifier, json.loads(trained.report), trained.warnings, trained.notes)


def _same_length(name: str, values: list[Any] | None, texts: list[str | None]) -> None:
    if values is not None and len(values) != len(texts):
        raise ValueError(f"there are {len(texts)} texts, but {name} has {len(values)} items")


def _events(progress: bool | Progress | None) -> Callable[..., None] | None:
    """The function that the native part calls for each event, with its data as JSON."""
    if progress is None or progress is False:
        return None
    if progress is True:
        tell: Progress = _print
    elif callable(progress):
        tell = progress
    else:
        raise TypeError(f"progress is {type(progress).__name__}, expected True, None or a function")

    def on_event(*, name: str, data: str) -> None:
        tell({"event": name, **json.loads(data)})

    return on_event


def _print(event: dict[str, Any]) -> None:
    """Prints a line for events that a person wants to hear of."""
    name, record = event["event"], event.get("record", {})
    if name == "linear_path_fitted":
        line = f"linear path alone  {_in_words(event['metrics'])}"
    elif name == "pretrained":
        line = f"pre-training, epoch {record['epoch']}"
    elif name == "validated":
        kept = "  kept" if record["is_kept"] else ""
        line = f"epoch {record['epoch']:.2f}  {_in_words(record['validation'])}{kept}"
    elif name == "refitted":
        line = "retrained, including the validation texts"
    elif name == "diverged":
        line = f"training ends: {event['reason']}"
    elif name == "interrupted":
        line = "stopping: the model is validated once more (Ctrl-C again gives it up)"
    else:
        return
    print(line, file=sys.stderr, flush=True)


def _in_words(metrics: dict[str, Any]) -> str:
    """The loss, and the figures that tell the most."""
    shown = [("validation loss", "loss"), ("accuracy", "accuracy"), ("micro F1", "micro_f1"), ("macro F1", "macro_f1")]
    return "  ".join(f"{name} {metrics[key]:.4f}" for name, key in shown if key in metrics)
