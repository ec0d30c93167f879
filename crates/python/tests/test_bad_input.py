"""What is wrong is refused with an exception of the right class that says what to do."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pandas
import polars
import pyarrow
import pytest
import sentiment_rnn
from sentiment_rnn import Classifier


class Broken:
    """Claims to be Arrow and is not."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return "no capsule"


def failing() -> Any:
    yield "a text"
    raise OSError("the source failed")


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("a text", TypeError, r"the texts are one str, expected a list of them; for a single text, pass \[text\]"),
        (b"a text", TypeError, r'the texts are bytes, .* decode it first, e\.g\. with \.decode\("utf-8"\)'),
        ({"a": "b"}, TypeError, r"the texts are dict, .*list\(texts\.values\(\)\)"),
        ({"a", "b"}, TypeError, "the texts are set, which has no order"),
        (None, TypeError, "the texts are None, expected a list of str"),
        (5, TypeError, "the texts are int, expected a list of str"),
        (["a", "b", "c", None], TypeError, "item 3 is None, expected str"),
        (["a", 5], TypeError, "item 1 is int, expected str"),
        (["a", float("nan")], TypeError, "item 1 is float, expected str"),
        ([["a"]], TypeError, "item 0 is list, expected str"),
        (["a", b"b"], TypeError, r'item 1 is bytes, expected str; decode it first, e\.g\. with \.decode\("utf-8"\)'),
        (["a", "b\ud800"], ValueError, "item 1 has a lone surrogate.*position 1"),
        (numpy.array(["a", None], dtype=object), TypeError, "item 1 is None, expected str"),
        (numpy.array([b"a"]), TypeError, r"array of bytes \(\|S1\), expected str; decode it first"),
        (numpy.array([["a"]]), ValueError, r"array of shape \(1, 1\), expected one dimension"),
        (numpy.array([1, 2]), TypeError, "item 0 is int, expected str"),
        (pandas.Series([1, 2]), TypeError, "item 0 is int, expected str"),
        (pandas.Series(["a", b"b"]), TypeError, "item 1 is bytes"),
        (polars.Series([1, 2]), TypeError, "the array has the Arrow type Int64, expected texts"),
        (polars.LazyFrame({"a": ["b"]}), TypeError, r"LazyFrame; call \.collect\(\) first"),
        (pyarrow.array([[1]]), TypeError, "the array has the Arrow type List.*expected texts"),
        (pyarrow.table({"a": [1]}), TypeError, 'column "a" has the Arrow type Int64, expected texts'),
        (pyarrow.table({"a": ["x"], "b": ["y"]}), ValueError, r'has 2 columns \("a", "b"\); choose one with column='),
        (pyarrow.table([], names=[]), ValueError, "the table has 0 columns"),
        (pandas.DataFrame({"a": ["x"], "b": ["y"]}), ValueError, r"has 2 columns \('a', 'b'\); choose one"),
        (Broken(), TypeError, "str"),
        (failing(), OSError, "the source failed"),
    ],
)
def test_texts_that_are_none_are_refused(
    classifier: Classifier, texts: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        classifier.predict(texts)


@pytest.mark.parametrize("make", [pandas.DataFrame, polars.DataFrame, pyarrow.table])
def test_a_column_that_is_not_there_is_named(classifier: Classifier, make: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"""no column ["']txt["']; its columns are ["']text["'], ["']id["']"""):
        classifier.predict(make({"text": ["a"], "id": [1]}), column="txt")


@pytest.mark.parametrize(
    "texts", [["a"], numpy.array(["a"]), pandas.Series(["a"]), polars.Series(["a"]), pyarrow.array(["a"])]
)
def test_a_column_of_what_has_no_columns_is_refused(classifier: Classifier, texts: Any) -> None:
    with pytest.raises(TypeError, match="column= is for tables"):
        classifier.predict(texts, column="text")


def test_a_repeated_column_is_refused(classifier: Classifier) -> None:
    table = pyarrow.table([["x"], ["y"]], names=["text", "text"])
    for twice in (table, table.to_pandas()):
        with pytest.raises(ValueError, match="several columns named"):
            classifier.predict(twice, column="text")


def test_an_error_of_an_arrow_source_is_told(classifier: Classifier) -> None:
    schema = pyarrow.schema({"text": pyarrow.string()})

    def batches() -> Any:
        yield pyarrow.record_batch({"text": ["a"]}, schema)
        raise RuntimeError("the source failed")

    reader = pyarrow.RecordBatchReader.from_batches(schema, batches())
    with pytest.raises(ValueError, match="the source failed"):
        classifier.predict(StreamOnly(reader))
    with pytest.raises(ValueError, match="the Arrow data cannot be read"):
        classifier.predict(reader_that_was_read(schema))


class StreamOnly:
    """An object of no library that is known, with Arrow's interface for streams."""

    def __init__(self, reader: pyarrow.RecordBatchReader) -> None:
        self.reader = reader

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.reader.__arrow_c_stream__(requested_schema)


def test_exceptions_of_a_readers_generator_stay_what_they_are(classifier: Classifier) -> None:
    schema = pyarrow.schema({"text": pyarrow.string()})

    def press() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    def fail() -> None:
        raise LookupError("the source failed")

    def batches(end: Callable[[], None]) -> Any:
        yield pyarrow.record_batch({"text": ["a"]}, schema)
        end()
        yield pyarrow.record_batch({"text": ["b"]}, schema)

    for end, error in ((press, KeyboardInterrupt), (fail, LookupError)):
        for use in (classifier.predict, lambda texts: sentiment_rnn.train(texts, [])):
            with pytest.raises(error):
                use(pyarrow.RecordBatchReader.from_batches(schema, batches(end)))


def test_a_reader_without_batches_must_have_texts_too(classifier: Classifier) -> None:
    def reader(schema: dict[str, Any]) -> pyarrow.RecordBatchReader:
        return pyarrow.RecordBatchReader.from_batches(pyarrow.schema(schema), iter(()))

    assert classifier.predict(reader({"text": pyarrow.string()})).to_pylist() == []
    with pytest.raises(TypeError, match='column "text" has the Arrow type Int64'):
        classifier.predict(reader({"text": pyarrow.int64()}))
    with pytest.raises(ValueError, match="no column"):
        classifier.predict(reader({"text": pyarrow.string()}), column="txt")


def test_a_list_that_is_wrong_about_its_length_is_read(classifier: Classifier) -> None:
    class Liar(list[str]):
        def __len__(self) -> int:
            return 2**62

    assert classifier.predict(Liar(["a"])) == classifier.predict(["a"])


def reader_that_was_read(schema: pyarrow.Schema) -> Any:
    class Once:
        def __init__(self) -> None:
            self.capsule = pyarrow.table({"text": ["a"]}, schema).__arrow_c_stream__()

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return self.capsule

    once = Once()
    pyarrow.table(once)
    return once


def test_texts_that_are_no_utf8_are_refused(classifier: Classifier) -> None:
    offsets = numpy.array([0, 2], dtype=numpy.int32)
    broken = pyarrow.StringArray.from_buffers(1, pyarrow.py_buffer(offsets), pyarrow.py_buffer(b"\xff\xfe"))
    with pytest.raises(ValueError, match="the Arrow data cannot be read: .*row 0 of a batch is no UTF-?8"):
        classifier.predict(broken)
    # What is not read may be anything.
    table = pyarrow.table({"text": ["wonderful"], "other": broken})
    assert classifier.predict(table, column="text").to_pylist() == ["positive"]


def test_what_stands_under_a_null_is_not_read(classifier: Classifier) -> None:
    buffers = [pyarrow.py_buffer(b"\x02"), pyarrow.py_buffer(numpy.array([0, 2, 11], dtype=numpy.int32)),
               pyarrow.py_buffer(b"\xff\xfewonderful")]
    texts = pyarrow.Array.from_buffers(pyarrow.string(), 2, buffers)
    assert texts.to_pylist() == [None, "wonderful"]
    keys = pyarrow.array([1, 0, 1], pyarrow.int8())
    for given, expected in (
        (texts, [None, "positive"]),
        (texts[1:], ["positive"]),
        (pyarrow.table({"text": texts}), [None, "positive"]),
        (pyarrow.DictionaryArray.from_arrays(keys, texts, safe=False), ["positive", None, "positive"]),
    ):
        assert classifier.predict(given).to_pylist() == expected


def test_offsets_that_are_wrong_are_refused(classifier: Classifier) -> None:
    for offsets in ([0, 9, 2], [0, 2, 1]):
        buffers = [None, pyarrow.py_buffer(numpy.array(offsets, dtype=numpy.int32)), pyarrow.py_buffer(b"ab")]
        with pytest.raises(ValueError, match="the Arrow data cannot be read"):
            classifier.predict(pyarrow.Array.from_buffers(pyarrow.string(), 2, buffers))


def test_a_missing_folder_is_not_found(tmp_path: Path, model_folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere.*is not a model folder"):
        Classifier.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is not a model folder"):
        Classifier.load(tmp_path)
    with pytest.raises(ValueError, match=f"did you mean {model_folder}"):
        Classifier.load(model_folder.parent)
    with pytest.raises(TypeError):
        Classifier.load(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("change", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"\0" * len(b)])
def test_a_damaged_model_is_a_value_error(
    classifier: Classifier, tmp_path: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    files = classifier.files()
    files[name] = change(files[name])
    with pytest.raises(ValueError, match=name):
        Classifier.from_files(files)
    for file, contents in files.items():
        (tmp_path / file).write_bytes(contents)
    with pytest.raises(ValueError, match=f"{name}(.|\n)*(Copy the model folder again|restore it)"):
        Classifier.load(tmp_path)


def test_a_missing_file_is_named(classifier: Classifier, model_folder: Path, tmp_path: Path) -> None:
    files = classifier.files()
    del files["model.safetensors"]
    with pytest.raises(ValueError, match="model.safetensors is missing"):
        Classifier.from_files(files)
    with pytest.raises(ValueError, match="config.json"):
        Classifier.from_files({})
    shutil.copytree(model_folder, tmp_path / "model")
    (tmp_path / "model" / "tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match="tokenizer.json is missing"):
        Classifier.load(tmp_path / "model")


def test_files_of_two_models_are_refused(classifier: Classifier, one_of: Classifier) -> None:
    files = classifier.files() | {"model.safetensors": one_of.files()["model.safetensors"]}
    with pytest.raises(ValueError, match="belongs to a different model"):
        Classifier.from_files(files)


def test_files_must_be_bytes_by_name(classifier: Classifier) -> None:
    for files in ({"config.json": "text"}, {1: b""}, ["config.json"], None):
        with pytest.raises(TypeError):
            Classifier.from_files(files)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["../evil", "seen_texts.safetensors", "/tmp/config.json", "Config.json"])
def test_only_files_of_a_model_are_taken(classifier: Classifier, name: str) -> None:
    with pytest.raises(ValueError, match=f'a model has no file "{name}"; its files are config.json'):
        Classifier.from_files(classifier.files() | {name: b""})


def test_a_newer_model_is_refused_with_what_to_install(classifier: Classifier) -> None:
    files = classifier.files()
    config = json.loads(files["config.json"])
    files["config.json"] = json.dumps(config | {"format_version": 999}).encode()
    with pytest.raises(sentiment_rnn.ModelVersionError, match="has format 999.*install"):
        Classifier.from_files(files)
    assert issubclass(sentiment_rnn.ModelVersionError, ValueError)


def test_a_device_that_is_not_there_is_refused(model_folder: Path) -> None:
    with pytest.raises(ValueError, match='no device "gpu"; expected "cpu"'):
        Classifier.load(model_folder, device="gpu")
    with pytest.raises(ValueError, match="the CUDA device cannot be used"):
        Classifier.load(model_folder, device="cuda")
    with pytest.raises(TypeError, match="device is None, expected 'cpu'"):
        Classifier.load(model_folder, device=None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="device is int, expected 'cpu'"):
        Classifier.from_files({}, device=0)  # type: ignore[arg-type]


def test_a_panic_is_an_exception_that_can_be_caught(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="internal error: a test asked for it; please report it"):
        sentiment_rnn._native._raise_panic()
    assert issubclass(sentiment_rnn.InternalError, RuntimeError)
