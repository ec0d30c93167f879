"""Texts as scikit-learn's users have them, as a list of strings."""

from __future__ import annotations

import math
from typing import Any


def texts_of(X: Any) -> list[str]:
    """The texts of ``X``: any one-dimensional container or iterator of strings, in its order.

    Raises ``TypeError`` or ``ValueError`` with the place of the first item that is no text (from 0), and what to do.
    """
    if isinstance(X, (str, bytes)):
        raise ValueError("X is one text, expected a list of texts: put it in brackets, [text]")
    if isinstance(X, (dict, set, frozenset)):
        raise TypeError(f"X is a {type(X).__name__}, expected a list of texts")
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape) != 1:
        raise ValueError(_not_a_column(X, shape))
    # An array of Arrow gives its own kind of items when it is iterated.
    to_list = getattr(X, "to_pylist", None) or getattr(X, "tolist", None)
    try:
        items = to_list() if to_list else list(X)
    except TypeError:
        raise TypeError(f"X is of type {type(X).__name__}, expected a list of texts") from None
    return [_text(place, item) for place, item in enumerate(items)]


def _text(place: int, item: Any) -> str:
    # Most items are plain strings; subclasses such as numpy.str_ become plain ones, an Enum's members their values.
    if isinstance(item, str):
        return str.__str__(item)
    if is_missing(item):
        raise ValueError(f"X[{place}] is missing ({item}): fill in an empty text, or leave out the text and its label")
    if isinstance(item, (bytes, bytearray)):
        raise TypeError(f"X[{place}] is bytes, expected str: decode it first, for example with .decode('utf-8')")
    if isinstance(item, (list, tuple)) or hasattr(item, "shape"):
        raise ValueError(
            f"X has two dimensions, as X[{place}] is of type {type(item).__name__}: expected one text for each sample"
        )
    raise TypeError(f"X[{place}] is of type {type(item).__name__}, expected str")


def _not_a_column(X: Any, shape: tuple[int, ...]) -> str:
    if hasattr(X, "nnz") or "sparse" in type(X).__module__:
        return "X is a sparse matrix, expected texts: leave out the vectorizer, this classifier reads texts"
    if len(shape) == 0:
        return "X is a single value, expected a list of texts"
    message = f"X has {len(shape)} dimensions, expected one: a list or a column of texts"
    if hasattr(X, "columns"):
        return f"{message}; choose the column with X['NAME']"
    return f"{message}; choose the column with X[:, 0], or flatten it with X.ravel()"


def is_missing(item: object) -> bool:
    """Whether an item is None, NaN, pandas' NA or NaT."""
    if item is None or type(item).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(item, float) and math.isnan(item)
