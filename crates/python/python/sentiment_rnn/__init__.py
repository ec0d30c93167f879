"""Text classifiers: recurrent networks that are trained in minutes on a CPU, and answer in milliseconds.

>>> import sentiment_rnn
>>> texts, labels = made_reviews(400)
>>> result = sentiment_rnn.train(texts, labels, recipe="quick", settings={"training.epochs": 3})
>>> classifier = result.classifier
>>> classifier.classes
['negative', 'positive']
>>> classifier.predict(["a wonderful film", "a dreadful film"])
['positive', 'negative']

``Classifier.load(folder)`` opens a model that ``sentiment train`` or ``train(..., output=folder)`` has written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._classifier import Classifier
from ._native import Answers, InternalError, Labels, ModelVersionError
from ._native import __version__ as version
from ._threads import set_num_threads
from ._training import SentimentWarning, TrainingResult, train

if TYPE_CHECKING:
    from .sklearn import SentimentClassifier as SentimentClassifier

__version__ = version

__all__ = [
    "Answers",
    "Classifier",
    "InternalError",
    "Labels",
    "ModelVersionError",
    "SentimentWarning",
    "TrainingResult",
    "set_num_threads",
    "train",
    "version",
]


def __getattr__(name: str) -> Any:
    # The estimator needs scikit-learn, and nothing else does: it is imported when it is asked for, and not by `*`.
    if name == "SentimentClassifier":
        from .sklearn import SentimentClassifier

        return SentimentClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), "SentimentClassifier"])
