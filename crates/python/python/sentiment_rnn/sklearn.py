"""A scikit-learn estimator over texts: ``SentimentClassifier``.

It needs scikit-learn 1.6 or newer: ``pip install sentiment-rnn[sklearn]``.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from . import SentimentWarning
from ._labels import LabelSets, OneLabel, labels_of, name_of
from ._texts import texts_of
from ._training import run

__all__ = ["SentimentClassifier"]


class SentimentClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A recurrent text classifier with scikit-learn's interface.

    ``X`` is a list, a NumPy array, a pandas or polars Series or an Arrow array of strings. No vectorizer is needed.
    ``y`` is one label for each text (strings, whole numbers or booleans), or an indicator matrix of 0 and 1 with a
    column for each label, of which a text may have any number.

    Of the texts given to ``fit``, a fifth is not for training: a tenth is the validation set, which selects the
    model and calibrates its probabilities, and a tenth is a test set, whose results are in ``report_``.

    Parameters
    ----------
    recipe : str, default="default"
        "quick", "default", "recurrent", "accurate" or "notebook", or the path of a recipe in TOML.
    settings : dict or list of str, default=None
        Settings of the recipe that are to be changed: ``{"training.epochs": 3}`` or ``["training.epochs=3"]``.
    task : {"binary", "one-of", "any-of"}, default=None
        What the labels mean. By default, an indicator matrix is "any-of", two classes are "binary", more "one-of".
    class_weight : "balanced", "auto", "none" or dict, default=None
        How much the texts of each class count: a weight for each label (1 for those that are missing). With an
        indicator matrix, the keys are the columns' numbers, or their names in a DataFrame; only the names where these
        are numbers. None: as the recipe says, whose default is equal weights.
    threshold : str, default=None
        A goal by which decision thresholds are chosen on the validation texts: "f1", "recall=0.95", "precision=0.9" or
        "cost=5:1". With two classes it is about the second one of ``classes_``. ``predict`` follows the thresholds.
    random_state : int, RandomState or None, default=None
        The seed of the split, the initial weights, dropout and the order of the texts. None: the recipe's seed,
        so that fits are reproducible.
    device : str, default="cpu"
        The device to compute on.
    verbose : bool, default=False
        Whether to print a line for each validation on standard error.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; with an indicator matrix, the numbers of its columns.
    classifier_ : sentiment_rnn.Classifier
        The trained model. Its classes have the labels as names.
    report_ : dict
        The report of the training, as in ``metrics.json`` of a model's folder.

    Notes
    -----
    Training uses all cores. In a search, run one fit at a time (``n_jobs=1``), or set the environment variable
    ``RAYON_NUM_THREADS`` before Python starts. joblib's default backend is supported. Processes made with ``fork``
    after the first use are not.

    Examples
    --------
    >>> from sentiment_rnn import SentimentClassifier
    >>> texts, labels = made_reviews(400)
    >>> estimator = SentimentClassifier("quick", settings={"training.epochs": 3}).fit(texts, labels)
    >>> estimator.predict(["a wonderful film", "a dreadful film"]).tolist()
    ['positive', 'negative']
    """

    def __init__(
        self,
        recipe: str = "default",
        *,
        settings: Any = None,
        task: str | None = None,
        class_weight: Any = None,
        threshold: str | None = None,
        random_state: Any = None,
        device: str = "cpu",
        verbose: bool = False,
    ) -> None:
        self.recipe = recipe
        self.settings = settings
        self.task = task
        self.class_weight = class_weight
        self.threshold = threshold
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SentimentClassifier:
        """Trains on texts and their labels; returns the estimator.

        ``sample_weight`` has a weight of at least 0 for each text, which counts in everything that is fitted. Texts
        that are the same but for case, spaces, punctuation and markup are used once: the first of them, with its label
        and weight. If the weights of the others differ, there is a warning.

        Ctrl-C raises ``KeyboardInterrupt``, and the estimator stays as it was.
        """
        labels = labels_of(y, self.task)
        texts = texts_of(X)
        if not texts:
            raise ValueError("X has no texts, and a minimum of 10 is required to train")
        if len(texts) != len(labels):
            raise ValueError(f"X has {len(texts)} texts, but y has {len(labels)} labels: expected one for each text")
        weights = _weights(sample_weight, len(texts))
        names = labels.names
        absent = labels.absent() if isinstance(labels, LabelSets) else []
        if absent:
            names = [name for name in names if name not in absent]
            listed = ", ".join(repr(name) for name in absent)
            warnings.warn(f"no text has the label {listed}: it will never be predicted", SentimentWarning, stacklevel=2)
        result = run(
            texts,
            labels.named(),
            classes=names,
            task=labels.task,
            recipe=self.recipe,
            settings=self.settings,
            seed=_seed(self.random_state),
            class_weights=_class_weights(self.class_weight, labels, absent),
            threshold=self.threshold,
            sample_weight=weights,
            device=self.device,
            progress=True if self.verbose else None,
        )
        if result.report["ended"] == "interrupted":
            raise KeyboardInterrupt("the training was stopped by Ctrl-C: the estimator was not fitted")
        for warning in result.warnings:
            warnings.warn(warning, SentimentWarning, stacklevel=2)
        self.classifier_ = result.classifier
        self.report_ = result.report
        self.classes_ = labels.classes
        self._names = labels.names
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The label of each text, of the type that ``y`` had; with an indicator matrix, such a matrix."""
        check_is_fitted(self)
        answers = self.classifier_.predict(texts_of(X))
        of_answers = LabelSets if self.classifier_.task == LabelSets.task else OneLabel
        places = {name: place for place, name in enumerate(self._names)}
        return of_answers.predicted(answers, places, self.classes_)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class for each text: float32 [texts, classes], in the order of ``classes_``.

        With an indicator matrix, the probability that a text has the label, for each column.
        """
        check_is_fitted(self)
        answered = np.asarray(self.classifier_.predict_proba(texts_of(X)), dtype=np.float32)
        # A label that no text had in training is no class of the model.
        probabilities = np.zeros((len(answered), len(self._names)), dtype=np.float32)
        probabilities[:, [self._names.index(name) for name in self.classifier_.classes]] = answered
        return probabilities

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classifier_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_label = True
        return tags


def _seed(random_state: Any) -> int | None:
    if random_state is None:
        return None
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        if random_state < 0:
            raise ValueError(f"random_state is {random_state}, expected a whole number of at least 0")
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _weights(sample_weight: Any, n_texts: int) -> list[float] | None:
    """The weights of the texts as a list, or None."""
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.ndim == 0:
        weights = np.full(n_texts, weights)
    if weights.shape != (n_texts,):
        shape = " x ".join(str(size) for size in weights.shape)
        raise ValueError(f"sample_weight has the shape {shape}, expected one weight for each of {n_texts} texts")
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if wrong.size:
        raise ValueError(f"sample_weight[{wrong[0]}] is {weights[wrong[0]]}, expected a number of at least 0")
    return [float(weight) for weight in weights]


def _class_weights(class_weight: Any, labels: OneLabel | LabelSets, absent: list[str]) -> Any:
    """The weights of classes by name, or their rule."""
    if class_weight is None or isinstance(class_weight, str):
        return class_weight
    if not isinstance(class_weight, dict):
        raise ValueError(f"class_weight is {class_weight!r}, expected None, 'balanced' or a dict of labels and weights")
    names = labels.by_key()
    unknown = [label for label in class_weight if label not in names]
    if unknown:
        known = ", ".join(repr(label) for label in list(names)[:5])
        raise ValueError(f"class_weight has the label {name_of(unknown[0])!r}, which y lacks; its labels are {known}")
    weights: dict[str, float] = {}
    for label, weight in class_weight.items():
        if names[label] in weights:
            raise ValueError(f"class_weight has two weights for the label {names[label]!r}: leave one out")
        weights[names[label]] = float(weight)
    return {name: weight for name, weight in weights.items() if name not in absent} or None
