"""What texts may be: each kind knows how to be answered, and how answers of its kind look.

No library is imported that the caller has not imported: whose object it is tells the library.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ._native import Answers, Model


class Texts(Protocol):
    """Texts of some kind."""

    def answers(self, model: Model) -> Answers:
        """The answers to them."""

    def like_input(self, answers: Answers) -> Any:
        """The labels of answers, as something of the same kind."""

    def strings(self) -> list[str | None]:
        """The texts, with None for missing ones."""


def take(texts: Any, column: str | None = None) -> Texts:
    """Finds out what kind of texts these are.

    Raises:
        TypeError: If they are none, with a hint.
        ValueError: If they have several columns or dimensions.
    """
    if column is not None and not isinstance(column, str):
        raise TypeError(f"column is {_name(column)}, expected the name of a column (str)")
    _refuse(texts)
    if _is(texts, "pandas", "DataFrame"):
        return _PandasTexts(texts[_only_column(list(texts.columns), column)])
    if _is(texts, "polars", "DataFrame"):
        return _PolarsTexts(texts.get_column(_only_column(texts.columns, column)))
    is_series = _is(texts, "pandas", "Series") or _is(texts, "polars", "Series")
    if _is_arrow(texts) and not is_series:
        return _ArrowTexts(texts, column)
    if column is not None:
        raise TypeError("column= is for tables, but the texts are a single column; leave it out")
    if _is(texts, "pandas", "Series"):
        return _PandasTexts(texts)
    if _is(texts, "polars", "Series"):
        return _PolarsTexts(texts)
    if _is(texts, "numpy", "ndarray"):
        return _NumpyTexts(texts)
    return _ListTexts(texts)


class _ListTexts:
    """An iterable of strings; answers are a list."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = texts if isinstance(texts, (list, tuple)) else list(texts)

    def answers(self, model: Model) -> Answers:
        return model.answer(self._texts)

    def like_input(self, answers: Answers) -> list[Any]:
        return answers.labels()

    def strings(self) -> list[str | None]:
        return list(self._texts)


class _NumpyTexts:
    """A NumPy array of one dimension; answers have its dtype, wide enough for them."""

    def __init__(self, texts: Any) -> None:
        if texts.ndim != 1:
            raise ValueError(f"the texts are an array of shape {texts.shape}, expected one dimension")
        if texts.dtype.kind == "S":
            raise TypeError(
                f"the texts are an array of bytes ({texts.dtype}), expected str; decode it first, e.g. with "
                'numpy.strings.decode(texts, "utf-8")'
            )
        # Of a StringDType, the object that stands for a missing text, if it has one.
        self._can_lack = texts.dtype.kind == "T" and hasattr(texts.dtype, "na_object")
        self._texts = texts

    def strings(self) -> list[str | None]:
        items: list[Any] = self._texts.tolist()
        if self._can_lack:
            return [item if isinstance(item, str) else None for item in items]
        return items

    def answers(self, model: Model) -> Answers:
        return model.answer(self.strings(), self._can_lack)

    def like_input(self, answers: Answers) -> Any:
        import numpy

        labels = answers.labels()
        dtype = self._texts.dtype
        if dtype.kind == "O" or any(isinstance(label, list) for label in labels):
            # One by one: NumPy would make lists of equal lengths a second dimension.
            array = numpy.empty(len(labels), dtype=object)
            for row, label in enumerate(labels):
                array[row] = label
            return array
        if dtype.kind == "T":
            if self._can_lack:
                labels = [dtype.na_object if label is None else label for label in labels]
            return numpy.array(labels, dtype=dtype)
        return numpy.array(labels, dtype=str)


class _PandasTexts:
    """A pandas Series; answers have its index."""

    def __init__(self, texts: Any) -> None:
        self._texts = texts

    def strings(self) -> list[str | None]:
        missing = self._texts.isna().tolist()
        texts = self._texts.tolist()
        return [None if lacks else text for text, lacks in zip(texts, missing, strict=True)]

    def answers(self, model: Model) -> Answers:
        return model.answer(self.strings(), True)

    def like_input(self, answers: Answers) -> Any:
        import pandas

        labels = answers.labels()
        dtype = self._texts.dtype
        if isinstance(dtype, pandas.CategoricalDtype):
            dtype = dtype.categories.dtype
        if any(isinstance(label, list) for label in labels):
            dtype = object
        return pandas.Series(labels, index=self._texts.index, dtype=dtype, name=_NAME)


class _PolarsTexts:
    """A polars Series; answers are one of strings, or of lists."""

    def __init__(self, texts: Any) -> None:
        self._texts = texts

    def strings(self) -> list[str | None]:
        from . import _native

        return _native.arrow_strings(self._texts)

    def answers(self, model: Model) -> Answers:
        return model.answer_arrow(self._texts)

    def like_input(self, answers: Answers) -> Any:
        import polars

        return polars.Series(answers.label_column()).alias(_NAME)


class _ArrowTexts:
    """What has Arrow's C interface; answers have it, too.

    A reader of pyarrow may run a generator: it is read here, so that an exception of the generator stays what it is.
    """

    def __init__(self, texts: Any, column: str | None) -> None:
        self._texts = texts
        self._column = column

    def strings(self) -> list[str | None]:
        from . import _native

        texts = self._texts.read_all() if self._is_reader() else self._texts
        return _native.arrow_strings(texts, self._column)

    def answers(self, model: Model) -> Answers:
        if self._is_reader():
            # The empty table has the columns, even if no batch comes.
            batches = itertools.chain([self._texts.schema.empty_table()], self._texts)
            return model.answer_batches(batches, self._column)
        return model.answer_arrow(self._texts, self._column)

    def _is_reader(self) -> bool:
        return _is(self._texts, "pyarrow", "RecordBatchReader")

    def like_input(self, answers: Answers) -> Any:
        labels = answers.label_column()
        if type(self._texts).__module__.split(".")[0] != "pyarrow":
            return labels
        import pyarrow

        array = pyarrow.array(labels)
        return array if isinstance(self._texts, pyarrow.Array) else pyarrow.chunked_array([array])


# The name of labels that have one.
_NAME = "predicted_label"


def _refuse(texts: Any) -> None:
    """Raises a TypeError for what looks like texts but is not."""
    if isinstance(texts, str):
        raise TypeError("the texts are one str, expected a list of them; for a single text, pass [text]")
    if isinstance(texts, (bytes, bytearray, memoryview)):
        raise TypeError(
            f"the texts are {_name(texts)}, expected a list of str; decode it first, e.g. with .decode(\"utf-8\"), and "
            "for a single text, pass [text]"
        )
    if isinstance(texts, Mapping):
        raise TypeError(f"the texts are {_name(texts)}, expected a list of str; pass list(texts.values())")
    if isinstance(texts, Set):
        raise TypeError(f"the texts are {_name(texts)}, which has no order; pass a list of str")
    if _is(texts, "polars", "LazyFrame"):
        raise TypeError("the texts are a polars LazyFrame; call .collect() first")
    if not isinstance(texts, Iterable) and not _is_arrow(texts):
        raise TypeError(f"the texts are {_name(texts)}, expected a list of str")


def _is_arrow(texts: Any) -> bool:
    return hasattr(texts, "__arrow_c_stream__") or hasattr(texts, "__arrow_c_array__")


def _only_column(names: list[Any], column: str | None) -> Any:
    if column is None and len(names) == 1:
        return names[0]
    shown = ", ".join(repr(name) for name in names[:12]) + (", ..." if len(names) > 12 else "")
    if column is None:
        raise ValueError(f"the table has {len(names)} columns ({shown}); choose one with column=")
    if names.count(column) > 1:
        raise ValueError(f"the table has several columns named {column!r}; rename all but one")
    if column not in names:
        raise ValueError(f"the table has no column {column!r}; its columns are {shown}")
    return column


def _is(value: Any, library: str, name: str) -> bool:
    """Whether a value is of a library's class; if the library is not imported, it is not."""
    # A library that another thread is importing may lack the class yet; then the value is not of it.
    return isinstance(value, getattr(sys.modules.get(library), name, ()))


def _name(value: Any) -> str:
    return "None" if value is None else type(value).__name__
