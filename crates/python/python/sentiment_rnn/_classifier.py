"""A trained classifier: text in, answers out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from . import _inputs, _labelled, _native

if TYPE_CHECKING:
    import numpy
    import numpy.typing


class Classifier:
    """A trained classifier.

    It does not change, may be used by several threads at the same time (Python's lock is free while it computes), and
    can be copied and pickled. The answer to a text depends on nothing but the model and the text.

    Texts are a list or another iterable of strings, a NumPy array, a pandas Series, a polars Series, or anything with
    Arrow's ``__arrow_c_stream__`` or ``__arrow_c_array__``. Of a table (a DataFrame, a ``pyarrow.Table``), `column`
    names the column, unless it is the only one. A missing text (a null, in pandas also NaN or None) has a missing
    answer. A ``None`` in a list or a NumPy array of objects is an error.
    """

    __slots__ = ("_device", "_model")

    _model: _native.Model
    _device: str

    def __init__(self) -> None:
        raise TypeError("use Classifier.load(folder), Classifier.from_files(files) or sentiment_rnn.train(...)")

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "cpu") -> Classifier:
        """Opens the model in a folder.

        Large tensors stay on disk and are shared with other processes that open the same folder.

        Args:
            path: The folder, as ``sentiment train`` or ``train(..., output=folder)`` has written it.
            device: ``"cpu"``, or ``"cuda"``, ``"metal"`` or ``"auto"`` in a build that has them.

        Raises:
            FileNotFoundError: If there is no such folder.
            ModelVersionError: If the model's format is too new or too old.
            ValueError: If the folder holds no model, or a damaged one.

        >>> classifier = Classifier.load(model_folder)
        >>> classifier.task
        'binary'
        """
        device = _labelled.device(device)
        return cls._of(_native.Model.load(os.fspath(path), device), device)

    @classmethod
    def from_files(cls, files: dict[str, bytes], *, device: str = "cpu") -> Classifier:
        """Opens a model from the contents of its files, as `files` returns them.

        Raises:
            ValueError: If they are no model, a damaged one, or more than a model's files.

        >>> copy = Classifier.from_files(classifier.files())
        >>> copy.id == classifier.id
        True
        """
        device = _labelled.device(device)
        return cls._of(_native.Model.from_files(files, device), device)

    @classmethod
    def _of(cls, model: _native.Model, device: str) -> Classifier:
        classifier = cls.__new__(cls)
        classifier._model = model
        classifier._device = device
        return classifier

    def files(self) -> dict[str, bytes]:
        """The contents of the model's files, by name: to send it elsewhere, or to keep it in a database.

        Raises:
            RuntimeError: If another model has replaced it in its folder since it was loaded.
        """
        return self._model.files()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model's files to a new folder, which ``sentiment predict --model`` and `load` can open.

        The digests of the texts that the model was trained on are not among them, so ``sentiment evaluate`` cannot
        find such texts in a table; where that matters, train with ``output=folder``, or copy the model's folder.

        Raises:
            FileExistsError: If the folder exists and is not empty.
            ValueError: If the model was opened from files without ``metrics.json``, which a folder needs.
        """
        folder = os.fspath(path)
        files = self.files()
        if "metrics.json" not in files:
            raise ValueError(
                "the model has no metrics.json, the report of its training, without which its folder cannot be opened; "
                "pass Classifier.from_files all that files() returned"
            )
        os.makedirs(folder, exist_ok=True)
        if os.listdir(folder):
            raise FileExistsError(f"{folder} exists and is not empty; choose another folder")
        # The configuration last: without it, the folder is no model.
        for name in sorted(files, key=lambda name: name == "config.json"):
            with open(os.path.join(folder, name), "xb") as file:
                file.write(files[name])

    @property
    def task(self) -> str:
        """``"binary"``: one of two classes; ``"one-of"``: one of several; ``"any-of"``: any number of them."""
        return self._model.task

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of the columns of `predict_proba`.

        Of two classes, the second is the positive one.
        """
        return self._model.classes

    @property
    def thresholds(self) -> list[float] | None:
        """Thresholds of decisions that training chose for a goal, or ``None``.

        Of two classes, the probability from which a text is positive; where a text may have several labels, that of
        each label; of one class of several, a divisor of each class's probability.
        """
        return self._model.thresholds

    @property
    def id(self) -> str | None:
        """The model's id, hexadecimal digits: equal ids are equal models. ``None`` in models of old formats."""
        return self._model.id

    def predict(self, texts: Any, *, column: str | None = None) -> Any:
        """The label of each text, or a list of labels where a text may have several.

        They come back as the texts came: a list for a list, a NumPy array for a NumPy array, a pandas Series with the
        same index, a polars Series, pyarrow's arrays for its arrays, else an object with ``__arrow_c_array__``.

        >>> classifier.predict(["wonderful", "dreadful"])
        ['positive', 'negative']
        """
        taken = _inputs.take(texts, column)
        return taken.like_input(taken.answers(self._model))

    def predict_proba(
        self, texts: Any, *, column: str | None = None
    ) -> numpy.typing.NDArray[numpy.float32]:
        """The probability of each class, as a NumPy array of shape [N, C] in the order of `classes`.

        Of two classes there are both columns. A missing text has NaN in its row.

        >>> classifier.predict_proba(["wonderful", "dreadful"]).shape
        (2, 2)
        """
        import numpy

        answers = _inputs.take(texts, column).answers(self._model)
        flat = numpy.frombuffer(answers.probability_bytes(), dtype=numpy.float32)
        return flat.reshape(len(answers), len(self.classes))

    def answers(self, texts: Any, *, column: str | None = None) -> _native.Answers:
        """All that the model says about each text, as a table for any Arrow library.

        >>> answers = classifier.answers(["wonderful", "dreadful"])
        >>> answers.to_pydict()["predicted_label"]
        ['positive', 'negative']
        >>> import pyarrow
        >>> pyarrow.table(answers).column_names
        ['predicted_label', 'probability', 'probabilities', 'tokens', 'cut']
        """
        return _inputs.take(texts, column).answers(self._model)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_unpickle, (self.files(), self._device))

    def __copy__(self) -> Classifier:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Classifier:
        return self

    def __repr__(self) -> str:
        shown = ", ".join(repr(name) for name in self.classes[:5])
        more = len(self.classes) - 5
        classes = f"[{shown}, and {more} more]" if more > 0 else f"[{shown}]"
        model = f", id={self.id!r}" if self.id else ""
        return f"<sentiment_rnn.Classifier: task={self.task!r}, classes={classes}{model}>"


def _unpickle(files: dict[str, bytes], device: str) -> Classifier:
    return Classifier.from_files(files, device=device)
