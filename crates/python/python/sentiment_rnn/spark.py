"""Predictions for Spark's DataFrames: ``predict``.

It needs PySpark 4 and PyArrow on the driver and on the workers: ``pip install sentiment-rnn[spark]``.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from . import Classifier, SentimentWarning
from ._spark_worker import COLUMNS, Answers, ModelInFiles, ModelOnPath, digest_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructField, StructType

__all__ = ["predict"]


def predict(
    df: DataFrame,
    text: str = "text",
    *,
    model: str | os.PathLike[str] | Classifier,
    columns: Sequence[str] = ("predicted_label", "probability"),
    task: str | None = None,
    threads: int | None = None,
) -> DataFrame:
    """``df`` with columns of answers, computed when Spark runs the plan.

    All columns, rows and their order within a partition stay. A null text has null answers.

    Args:
        df: Of classic Spark or Spark Connect; batch or streaming.
        text: The column of texts.
        model: A path is opened on the workers: absolute, a folder that every one of them sees; relative, a folder in
            their working directory, or shipped by ``SparkContext.addArchive`` or ``addFile``. If the driver sees it
            too, it is checked there, and workers with another model fail. A ``Classifier`` is sent to the workers: by
            a broadcast variable, or within the plan with Spark Connect.
        columns: Some of ``"predicted_label"`` (a string; an array of them where a text may have several),
            ``"probability"`` (a float: of the second class where there are two, else of the decision),
            ``"probabilities"`` (an array, in the order of the model's ``classes``), ``"tokens"`` (a long: the length
            of the text) and ``"cut"`` (a boolean: whether the model read only a part of it). If `df` has one of
            these names, all of them get the first number for which all are free, such as ``predicted_label_2``, and
            there is a warning.
        task: The model's task: ``"binary"``, ``"one-of"`` or ``"any-of"``. Only necessary for ``"any-of"``, if
            `model` is a path that the driver does not see.
        threads: Threads of each Python worker, which serves one task at a time. None: as ``RAYON_NUM_THREADS`` says
            in the workers' environment, else one. A worker that has computed before, for another query of the same
            session, keeps the number that it had.

    Raises:
        ValueError: If the column is missing, or an argument is wrong.
        TypeError: If the column does not hold strings, or an argument is of another type.

    >>> from sentiment_rnn import spark
    >>> answers = spark.predict(df, "review", model="/models/reviews")  # doctest: +SKIP
    >>> answers.write.parquet("answers")  # doctest: +SKIP
    """
    columns = _checked(columns)
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ValueError(f"threads is {threads!r}, expected a whole number of at least 1")
    fields = df.schema.fields
    place = _text_place(fields, text)
    source, several, model_digest = _source(model, task, df)
    wanted = free_names([field.name for field in fields], columns)
    if wanted != columns:
        warnings.warn(
            f"the DataFrame has some of the columns {', '.join(columns)}: the answers are in {', '.join(wanted)}",
            SentimentWarning,
            stacklevel=2,
        )
    answers = Answers(source, place, columns, wanted, several, model_digest, threads)

    # Names in a DataFrame may occur twice or contain dots, which mapInArrow cannot take.
    plain = tuple(f"column_{number}" for number in range(len(fields)))
    mapped = df.toDF(*plain).mapInArrow(answers, _schema(fields, plain, answers))
    return mapped.toDF(*(field.name for field in fields), *wanted)


def free_names(taken: Iterable[str], columns: Sequence[str]) -> tuple[str, ...]:
    """The names of the new columns, with the first number for which all are free; Spark ignores case."""
    taken = {name.lower() for name in taken}
    wanted, number = tuple(columns), 2
    while any(name.lower() in taken for name in wanted):
        wanted = tuple(f"{column}_{number}" for column in columns)
        number += 1
    return wanted


def _checked(columns: Sequence[str]) -> tuple[str, ...]:
    if isinstance(columns, str):
        raise TypeError(f"columns is a string, expected a list of names: [{columns!r}]")
    columns = tuple(columns)
    if not columns:
        raise ValueError(f"columns is empty, expected some of {', '.join(COLUMNS)}")
    for column in columns:
        if column not in COLUMNS:
            raise ValueError(f"columns has {column!r}, expected some of {', '.join(COLUMNS)}")
        if columns.count(column) > 1:
            raise ValueError(f"columns has {column!r} twice")
    return columns


def _text_place(fields: list[StructField], text: str) -> int:
    """The place of the column of texts: named exactly so, or alike but for case, as in Spark."""
    if not isinstance(text, str):
        raise TypeError(f"text is of type {type(text).__name__}, expected the name of a column (str)")
    names = [field.name for field in fields]
    for wanted, among in ((text, names), (text.lower(), [name.lower() for name in names])):
        if among.count(wanted) > 1:
            raise ValueError(f"the DataFrame has several columns {text!r}: rename one")
        if wanted in among:
            place = among.index(wanted)
            break
    else:
        raise ValueError(f"the DataFrame has no column {text!r}, its columns are {', '.join(names)}")
    kind = fields[place].dataType
    if kind.typeName() != "string":
        raise TypeError(f"column {text!r} is of type {kind.simpleString()}, expected string: cast it first")
    return place


def _source(model: Any, task: str | None, df: DataFrame) -> tuple[ModelOnPath | ModelInFiles, bool, str | None]:
    """Where workers find the model, whether a text may have several labels, and the model's digest if it is known."""
    if task not in (None, "binary", "one-of", "any-of"):
        raise ValueError(f"task is {task!r}, expected None, 'binary', 'one-of' or 'any-of'")
    known: Classifier | None = None
    source: ModelOnPath | ModelInFiles
    if isinstance(model, Classifier):
        known = model
        files = model.files()
        digest = digest_of(files)
        # Only classic Spark has broadcast variables.
        context = getattr(df.sparkSession, "sparkContext", None)
        source = ModelInFiles(files if context is None else _broadcast(context, files, digest), digest)
    elif isinstance(model, (str, os.PathLike)):
        path = os.fspath(model)
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", path):
            raise ValueError(
                f"model is {path!r}, expected a folder in a file system: copy the model to one that every worker "
                "sees, ship it with SparkContext.addArchive, or pass Classifier.load of a copy on the driver"
            )
        source = ModelOnPath(path)
        if os.path.isdir(path):
            known = Classifier.load(path)
    else:
        raise TypeError(f"model is of type {type(model).__name__}, expected a path or a Classifier")
    if known is None:
        return source, task == "any-of", None
    if task is not None and task != known.task:
        raise ValueError(f"task is {task!r}, but the model's task is {known.task!r}")
    return source, known.task == "any-of", known._model.digest


# The broadcast variables of one Spark context, by the digest of the files: each leaves a copy on the driver's disk.
_broadcasts: tuple[Any, dict[str, Any]] = (None, {})


def _broadcast(context: Any, files: dict[str, bytes], digest: str) -> Any:
    """A broadcast variable of the files, always the same one."""
    global _broadcasts
    if _broadcasts[0] is not context:
        # The other context has been stopped, since there is only one at a time.
        _broadcasts = (context, {})
    of_context = _broadcasts[1]
    if digest not in of_context:
        of_context[digest] = context.broadcast(files)
    return of_context[digest]


def _schema(fields: list[StructField], plain: tuple[str, ...], answers: Answers) -> StructType:
    from pyspark.sql import types

    of_columns = {
        "predicted_label": types.ArrayType(types.StringType()) if answers.several else types.StringType(),
        "probability": types.FloatType(),
        "probabilities": types.ArrayType(types.FloatType()),
        "tokens": types.LongType(),
        "cut": types.BooleanType(),
    }
    kept = [
        types.StructField(name, field.dataType, field.nullable, field.metadata)
        for name, field in zip(plain, fields, strict=True)
    ]
    added = [
        types.StructField(name, of_columns[column]) for name, column in zip(answers.names, answers.columns, strict=True)
    ]
    return types.StructType(kept + added)
