"""Labels as scikit-learn's users have them, to the names of a model's classes and back.

Every label has a name of its own, so nothing is renamed, merged or guessed on the way.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse

from ._texts import is_missing

#: Tasks of which a text has exactly one class.
ONE_LABEL = ("binary", "one-of")


class OneLabel:
    """One label for each text."""

    def __init__(self, classes: np.ndarray, codes: np.ndarray, task: str | None) -> None:
        #: The different labels, sorted; of the caller's type.
        self.classes = classes
        #: The names of the model's classes, in the order of ``classes``.
        self.names = [name_of(label) for label in classes]
        self.task = task or ("binary" if len(classes) == 2 else "one-of")
        self._codes = codes

    def __len__(self) -> int:
        return len(self._codes)

    def by_key(self) -> dict[Any, str]:
        """The names of the classes by their labels."""
        return dict(zip(self.classes.tolist(), self.names, strict=True))

    def named(self) -> list[str]:
        """The name of the class of each text."""
        return [self.names[code] for code in self._codes]

    @staticmethod
    def predicted(answers: Sequence[str], places: Mapping[str, int], classes: np.ndarray) -> np.ndarray:
        """The labels for the names that a model answered; ``places`` are those of the names in ``classes``."""
        codes = np.fromiter((places[name] for name in answers), dtype=np.intp, count=len(answers))
        return classes[codes]


class LabelSets:
    """Any number of labels for each text: an indicator matrix [texts, labels] of 0 and 1."""

    task = "any-of"

    def __init__(self, matrix: np.ndarray, names: list[str], columns: Sequence[Any] | None = None) -> None:
        #: The numbers of the matrix's columns, as scikit-learn's classifiers of several labels have them.
        self.classes = np.arange(matrix.shape[1])
        self.names = names
        self._columns = columns
        self._matrix = matrix

    def __len__(self) -> int:
        return len(self._matrix)

    def named(self) -> list[list[str]]:
        """The names of the classes of each text."""
        return [[self.names[column] for column in np.flatnonzero(row)] for row in self._matrix]

    def by_key(self) -> dict[Any, str]:
        """The names of the labels by what a caller may call them: their columns' names or, unless these are numbers
        themselves, the columns' places."""
        named = dict(zip(self.names, self.names, strict=True))
        if self._columns is None or all(isinstance(column, str) for column in self._columns):
            return dict(zip(self.classes.tolist(), self.names, strict=True)) | named
        return dict(zip(self._columns, self.names, strict=True)) | named

    def absent(self) -> list[str]:
        """The names of the labels that no text has."""
        return [self.names[column] for column in np.flatnonzero(~self._matrix.any(axis=0))]

    @staticmethod
    def predicted(answers: Sequence[list[str]], places: Mapping[str, int], classes: np.ndarray) -> np.ndarray:
        """The indicator matrix for the lists of names that a model answered."""
        matrix = np.zeros((len(answers), len(classes)), dtype=np.int64)
        for row, names in enumerate(answers):
            matrix[row, [places[name] for name in names]] = 1
        return matrix


def labels_of(y: Any, task: str | None = None) -> OneLabel | LabelSets:
    """``OneLabel`` or ``LabelSets``, as ``y`` is one- or two-dimensional.

    Raises ``ValueError`` if ``y`` does not hold classes, or not those of ``task``.
    """
    if task not in (None, *ONE_LABEL, LabelSets.task):
        raise ValueError(f"task is {task!r}, expected None, 'binary', 'one-of' or 'any-of'")
    if y is None:
        raise ValueError("y is None: the classifier requires y to be passed, a label for each text")
    array = y.toarray() if issparse(y) else _array_of(y)
    if array.ndim == 2 and array.shape[1] == 1:
        from sklearn.exceptions import DataConversionWarning

        warnings.warn("y is a column with two dimensions, expected one: it was flattened", DataConversionWarning, 4)
        array = array.ravel()
    if array.ndim == 1:
        return _one_label(array, task)
    if array.ndim == 2:
        return _label_sets(array, getattr(y, "columns", None), task)
    raise ValueError(f"y has {array.ndim} dimensions, expected one (a label for each text) or two (0 and 1)")


def name_of(label: object) -> str:
    """The name of a label's class."""
    if isinstance(label, np.generic):
        label = label.item()
    # Of a member of an Enum that is a string, str() is the member's name.
    return str.__str__(label) if isinstance(label, str) else str(label)


def _array_of(y: Any) -> np.ndarray:
    if isinstance(y, (str, bytes, dict, set, frozenset)):
        raise ValueError(f"y is a {type(y).__name__}, expected a list of labels")
    # NumPy would turn [1, "a"] into strings, so lists are first taken as they are.
    if isinstance(y, (list, tuple)):
        try:
            array = np.array(y, dtype=object)
        except ValueError:
            raise ValueError(_LISTS) from None
    else:
        array = np.asarray(y)
    if array.dtype == object and array.size and isinstance(array.flat[0], (list, tuple, set, frozenset)):
        raise ValueError(_LISTS)
    return array


_LISTS = (
    "y holds lists or sets of labels, expected one label for each text or an indicator matrix of 0 and 1: "
    "make one with sklearn.preprocessing.MultiLabelBinarizer"
)


def _one_label(array: np.ndarray, task: str | None) -> OneLabel:
    if task == LabelSets.task:
        raise ValueError("task is 'any-of', but y has one label for each text: expected an indicator matrix of 0 and 1")
    array = _of_one_type(array)
    if array.dtype.kind == "f":
        fractional = array[array != np.floor(array)]
        if fractional.size:
            raise ValueError(
                f"Unknown label type: continuous. y holds fractional numbers such as {fractional[0]}, expected "
                "classes: divide them into classes first, for example with numpy.digitize"
            )
    elif array.dtype.kind not in "biuUSOT":
        raise ValueError(f"y is of type {array.dtype}, expected labels that are strings, whole numbers or booleans")
    classes, codes = np.unique(array, return_inverse=True)
    if len(classes) == 1:
        raise ValueError(f"y has only one class, {name_of(classes[0])!r}: at least two are needed to train")
    if task == "binary" and len(classes) > 2:
        raise ValueError(f"task is 'binary', but y has {len(classes)} classes: expected two, or task='one-of'")
    return OneLabel(classes, codes.ravel(), task)


def _of_one_type(array: np.ndarray) -> np.ndarray:
    """The labels in an array that can be sorted, with their type checked."""
    if array.dtype.kind == "f" or array.dtype == object or array.dtype.kind == "T":
        for place, label in enumerate(array.tolist()):
            if is_missing(label):
                raise ValueError(f"y[{place}] is missing ({label}): leave out the text, or give it a label")
    if array.dtype.kind == "S":
        raise ValueError("y holds bytes, expected strings: decode them first, for example with numpy.char.decode")
    if array.dtype != object:
        return array
    kinds = {_kind(label): label for label in array}
    if len(kinds) > 1:
        first, second = (f"{label!r} ({kind})" for kind, label in list(kinds.items())[:2])
        raise ValueError(f"y mixes labels of several types, such as {first} and {second}: make them all strings")
    kind = next(iter(kinds), "str")
    if kind not in ("str", "bool", "number"):
        raise ValueError(f"y holds labels of type {kind}, expected strings, whole numbers or booleans")
    return array if kind == "str" else np.array(array.tolist())


def _kind(label: object) -> str:
    if isinstance(label, (bool, np.bool_)):
        return "bool"
    if isinstance(label, (int, float, np.integer, np.floating)):
        return "number"
    return "str" if isinstance(label, str) else type(label).__name__


def _label_sets(array: np.ndarray, columns: Any, task: str | None) -> LabelSets:
    if task in ONE_LABEL:
        raise ValueError(f"task is {task!r}, but y is an indicator matrix: expected one label for each text")
    try:
        matrix = array.astype(np.float64)
    except (TypeError, ValueError):
        matrix = np.full(array.shape, np.nan)
    wrong = np.argwhere((matrix != 0) & (matrix != 1))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(
            f"y has two dimensions, and y[{row}, {column}] is {array[row, column]!r}: expected an indicator matrix of "
            "0 and 1, with a column for each label"
        )
    names = [name_of(name) for name in (columns if columns is not None else range(matrix.shape[1]))]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"y has several columns named {doubled[0]!r}: each label needs a name of its own")
    labels = LabelSets(matrix.astype(bool), names, None if columns is None else list(columns))
    if len(labels.absent()) == len(names):
        raise ValueError("y is an indicator matrix of zeros only: no text has a label")
    return labels
