"""What Spark's Python workers do: load a model once per process, and answer batches of Arrow.

Spark forks its workers from a daemon. This module, and with it the native one, is first imported in a worker, after the
fork, when it unpickles an ``Answers``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from . import Classifier

#: The columns on offer, and their types in Arrow. Where a text may have several labels, ``predicted_label`` is a list.
COLUMNS = {
    "predicted_label": pa.string(),
    "probability": pa.float32(),
    "probabilities": pa.list_(pa.float32()),
    "tokens": pa.int64(),
    "cut": pa.bool_(),
}

# A worker that lives long, as in streaming, may see many models.
_MOST_MODELS = 4
_loaded: dict[Any, Classifier] = {}


@dataclass(frozen=True)
class ModelOnPath:
    """A model in a folder that every worker sees, or that Spark shipped under this name."""

    path: str

    def find(self) -> str:
        """The folder on this worker."""
        if os.path.isdir(self.path):
            return self.path
        looked_at = [self.path]
        if not os.path.isabs(self.path):
            from pyspark import SparkFiles

            shipped = os.path.join(SparkFiles.getRootDirectory(), self.path)
            if os.path.isdir(shipped):
                return shipped
            looked_at.append(shipped)
        raise FileNotFoundError(
            f"no model on this worker, looked at {' and '.join(looked_at)}: give a path that every worker sees, ship "
            "the folder with SparkContext.addArchive, or pass a Classifier instead of a path"
        )

    def load(self) -> Classifier:
        """The model, from this process's memory if it is there."""
        folder = self.find()
        # The folder may be replaced while the worker lives.
        with open(os.path.join(folder, "config.json"), "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        stats = [(entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in os.scandir(folder)]
        return _once((folder, digest, tuple(sorted(stats))), lambda: Classifier.load(folder))


@dataclass(frozen=True)
class ModelInFiles:
    """A model that is shipped to the workers as the contents of its files."""

    #: The files by name, or a broadcast variable of them.
    files: Any
    digest: str

    def load(self) -> Classifier:
        """The model, from this process's memory if it is there."""

        def read() -> Classifier:
            is_broadcast = not isinstance(self.files, dict)
            return Classifier.from_files(self.files.value if is_broadcast else self.files)

        return _once(self.digest, read)


def digest_of(files: dict[str, bytes]) -> str:
    """The SHA-256 of files by name."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name} {len(files[name])}\n".encode())
        digest.update(files[name])
    return digest.hexdigest()


def _once(key: Any, load: Callable[[], Classifier]) -> Classifier:
    if key not in _loaded:
        while len(_loaded) >= _MOST_MODELS:
            del _loaded[next(iter(_loaded))]
        _loaded[key] = load()
    return _loaded[key]


@dataclass(frozen=True)
class Answers:
    """The function that Spark calls with the batches of a partition."""

    model: ModelOnPath | ModelInFiles
    #: The place of the column of texts.
    text: int
    #: The columns to append, in this order, and the names that they get.
    columns: tuple[str, ...]
    names: tuple[str, ...]
    #: What the driver declared: whether a text may have several labels, and the model's digest if it is known.
    several: bool
    model_digest: str | None
    threads: int | None

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        # Loaded only where there are rows, and once, so that all rows of a task have the same model.
        classifier = None
        for batch in batches:
            if batch.num_rows == 0:
                yield self._extended(batch, [pa.array([], self._type(column)) for column in self.columns])
                continue
            if classifier is None:
                limit_threads(self.threads)
                classifier = self.model.load()
                self._check(classifier)
            yield self._extended(batch, self._answer(classifier, batch.column(self.text)))

    def _answer(self, classifier: Classifier, texts: pa.Array) -> list[pa.Array]:
        answers = pa.table(classifier.answers(texts))
        columns = (answers.column(column).cast(self._type(column)) for column in self.columns)
        return [pa.concat_arrays(column.chunks) for column in columns]

    def _type(self, column: str) -> pa.DataType:
        return pa.list_(pa.string()) if column == "predicted_label" and self.several else COLUMNS[column]

    def _check(self, classifier: Classifier) -> None:
        # Models of old formats have no id, but a digest.
        digest = classifier._model.digest
        if self.model_digest is not None and digest != self.model_digest:
            raise ValueError(
                f"the model on this worker is {digest}, expected {self.model_digest}, which the driver "
                "found: the folder was replaced, or the machines have different models; call predict again, or copy "
                "the model to all"
            )
        if (classifier.task == "any-of") != self.several:
            declared = "'any-of'" if self.several else "one label for each text"
            raise ValueError(
                f"the model's task is {classifier.task!r}, but predict was told {declared}: call it with "
                f"task={classifier.task!r}"
            )

    def _extended(self, batch: pa.RecordBatch, answers: list[pa.Array]) -> pa.RecordBatch:
        # Spark takes columns by their places, but names must differ.
        names = [*batch.schema.names, *self.names]
        return pa.RecordBatch.from_arrays([*batch.columns, *answers], names=names)


def limit_threads(threads: int | None) -> None:
    """Lets this process compute with as many threads; None: as ``RAYON_NUM_THREADS`` says, else one.

    Without an effect if the process has computed already.
    """
    if threads is not None:
        os.environ["RAYON_NUM_THREADS"] = os.environ["CANDLE_NUM_THREADS"] = str(threads)
    else:
        # The network's threads have a variable of their own.
        os.environ.setdefault("CANDLE_NUM_THREADS", os.environ.setdefault("RAYON_NUM_THREADS", "1"))
