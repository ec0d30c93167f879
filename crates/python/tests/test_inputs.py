"""What goes in comes out as the same kind of thing, with the same answers."""

from __future__ import annotations

from typing import Any

import numpy
import pandas
import polars
import pyarrow
import pytest
from sentiment_rnn import Classifier

TEXTS = ["a wonderful film", "a dreadful film", "wonderful, charming, superb", "boring"]
LABELS = ["positive", "negative", "positive", "negative"]
WITH_NULL = [TEXTS[0], None, TEXTS[1]]
NULL_LABELS = ["positive", None, "negative"]


def test_lists_tuples_and_iterators_give_lists(classifier: Classifier) -> None:
    for texts in (TEXTS, tuple(TEXTS), iter(TEXTS), (text for text in TEXTS)):
        assert classifier.predict(texts) == LABELS


def test_no_texts_give_no_answers(classifier: Classifier) -> None:
    assert classifier.predict([]) == []
    assert classifier.predict_proba([]).shape == (0, 2)
    assert pyarrow.table(classifier.answers([])).num_rows == 0
    assert classifier.predict(numpy.array([], dtype=str)).shape == (0,)
    assert classifier.predict(pyarrow.chunked_array([], type=pyarrow.string())).to_pylist() == []


def test_probabilities_are_a_writable_array_in_the_order_of_the_classes(classifier: Classifier) -> None:
    probabilities = classifier.predict_proba(TEXTS)
    assert probabilities.dtype == numpy.float32 and probabilities.shape == (4, 2)
    numpy.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert [classifier.classes[column] for column in probabilities.argmax(axis=1)] == LABELS
    probabilities[0] = 0


@pytest.mark.parametrize("dtype", [object, str, numpy.dtypes.StringDType()])
def test_numpy_arrays_give_arrays_of_their_dtype(classifier: Classifier, dtype: Any) -> None:
    labels = classifier.predict(numpy.array(TEXTS, dtype=dtype))
    assert isinstance(labels, numpy.ndarray) and labels.tolist() == LABELS
    assert labels.dtype.kind == numpy.dtype(dtype).kind


def test_a_missing_string_of_numpy_has_a_missing_answer(classifier: Classifier) -> None:
    dtype = numpy.dtypes.StringDType(na_object=None)
    labels = classifier.predict(numpy.array(WITH_NULL, dtype=dtype))
    assert labels.dtype == dtype and labels.tolist() == NULL_LABELS


def test_strided_arrays_are_read_in_their_order(classifier: Classifier) -> None:
    assert classifier.predict(numpy.array(TEXTS)[::-2]).tolist() == LABELS[::-2]


@pytest.mark.parametrize("dtype", ["object", "str", "string", pandas.ArrowDtype(pyarrow.string())])
def test_pandas_keeps_index_and_dtype(classifier: Classifier, dtype: Any) -> None:
    index = pandas.Index([7, 3, 5], name="id")
    texts = pandas.Series(WITH_NULL, index=index, dtype=dtype)
    labels = classifier.predict(texts)
    assert isinstance(labels, pandas.Series)
    pandas.testing.assert_index_equal(labels.index, index)
    assert labels.dtype == texts.dtype and labels.name == "predicted_label"
    assert labels.isna().tolist() == [False, True, False]
    assert labels.dropna().tolist() == ["positive", "negative"]


@pytest.mark.parametrize("missing", [None, float("nan"), pandas.NA])
def test_what_pandas_calls_missing_is_missing(classifier: Classifier, missing: object) -> None:
    texts = pandas.Series([TEXTS[0], missing], dtype=object)
    assert classifier.predict(texts).isna().tolist() == [False, True]
    assert numpy.isnan(classifier.predict_proba(texts)).tolist() == [[False, False], [True, True]]


def test_categories_of_pandas_are_texts(classifier: Classifier) -> None:
    labels = classifier.predict(pandas.Series([*TEXTS, *TEXTS, None], dtype="category"))
    assert labels.dropna().tolist() == LABELS * 2 and labels.isna().sum() == 1


def test_a_column_of_a_data_frame_is_chosen_by_name(classifier: Classifier) -> None:
    frame = pandas.DataFrame({"id": [1, 2, 3, 4], "text": TEXTS}, index=list("abcd"))
    labels = classifier.predict(frame, column="text")
    assert labels.tolist() == LABELS and labels.index.tolist() == list("abcd")
    assert classifier.predict(frame[["text"]]).tolist() == LABELS
    labels = classifier.predict(polars.from_pandas(frame), column="text")
    assert isinstance(labels, polars.Series) and labels.to_list() == LABELS
    labels = classifier.predict(pyarrow.table({"id": [1, 2], "text": TEXTS[:2]}), column="text")
    assert labels.to_pylist() == LABELS[:2]


@pytest.mark.parametrize("dtype", [polars.String, polars.Categorical])
def test_polars_gives_a_series_of_strings(classifier: Classifier, dtype: Any) -> None:
    labels = classifier.predict(polars.Series("text", WITH_NULL, dtype=dtype))
    assert isinstance(labels, polars.Series) and labels.dtype == polars.String
    assert labels.name == "predicted_label" and labels.to_list() == NULL_LABELS


def dictionary(keys: pyarrow.DataType) -> pyarrow.DataType:
    return pyarrow.dictionary(keys, pyarrow.large_string())


@pytest.mark.parametrize(
    "kind",
    [
        pyarrow.string(),
        pyarrow.large_string(),
        pyarrow.string_view(),
        dictionary(pyarrow.int8()),
        dictionary(pyarrow.int32()),
        dictionary(pyarrow.uint64()),
    ],
    ids=str,
)
def test_every_arrow_type_of_texts_is_read(classifier: Classifier, kind: pyarrow.DataType) -> None:
    if pyarrow.types.is_dictionary(kind):
        array = pyarrow.array(WITH_NULL, pyarrow.large_string()).dictionary_encode()
        array = array.cast(kind)
    else:
        array = pyarrow.array(WITH_NULL, kind)
    labels = classifier.predict(array)
    assert isinstance(labels, pyarrow.StringArray) and labels.to_pylist() == NULL_LABELS
    assert classifier.predict(array[1:]).to_pylist() == NULL_LABELS[1:]


def test_chunks_keep_their_order(classifier: Classifier) -> None:
    chunks = pyarrow.chunked_array([[text] for text in TEXTS] + [[]] + [[None]], pyarrow.string())
    labels = classifier.predict(chunks)
    assert isinstance(labels, pyarrow.ChunkedArray) and labels.to_pylist() == [*LABELS, None]


def test_nulls_alone_have_null_answers(classifier: Classifier) -> None:
    assert classifier.predict(pyarrow.nulls(3)).to_pylist() == [None] * 3
    empty = pyarrow.array([None, None], pyarrow.string()).dictionary_encode()
    assert classifier.predict(empty).to_pylist() == [None] * 2


def test_a_row_that_is_null_has_no_text(classifier: Classifier) -> None:
    rows = pyarrow.StructArray.from_arrays(
        [pyarrow.array(TEXTS)], ["text"], mask=pyarrow.array([False, True, False, True])
    )
    assert classifier.predict(rows).to_pylist() == ["positive", None, "positive", None]


class ArrayOnly:
    """An object of no library that is known, with Arrow's interface for arrays."""

    def __init__(self, array: pyarrow.Array) -> None:
        self.array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return self.array.__arrow_c_array__(requested_schema)


def test_other_arrow_libraries_get_an_object_with_arrows_interface(classifier: Classifier) -> None:
    labels = classifier.predict(ArrayOnly(pyarrow.array(WITH_NULL)))
    assert len(labels) == 3 and not isinstance(labels, pyarrow.Array)
    assert pyarrow.array(labels).to_pylist() == NULL_LABELS
    assert polars.Series(labels).to_list() == NULL_LABELS


def test_a_reader_is_read_batch_by_batch(classifier: Classifier) -> None:
    schema = pyarrow.schema({"text": pyarrow.string()})
    batches = (pyarrow.record_batch({"text": [text]}, schema) for text in TEXTS)
    reader = pyarrow.RecordBatchReader.from_batches(schema, batches)
    assert classifier.predict(reader).to_pylist() == LABELS


def test_answers_are_a_table_with_nulls_for_missing_texts(classifier: Classifier) -> None:
    answers = classifier.answers(pyarrow.array(WITH_NULL))
    table = pyarrow.table(answers)
    assert table.schema.types[:2] == [pyarrow.string(), pyarrow.float32()]
    assert table["predicted_label"].to_pylist() == NULL_LABELS
    probabilities = classifier.predict_proba([TEXTS[0], TEXTS[1]])
    assert table["probabilities"].to_pylist() == [probabilities[0].tolist(), None, probabilities[1].tolist()]
    # As the program writes it: of two classes, that of the positive one.
    assert table["probability"].to_pylist() == [probabilities[0, 1], None, probabilities[1, 1]]
    assert table["tokens"].to_pylist() == [3, None, 3]
    assert table["cut"].to_pylist() == [False, None, False]
    assert answers.to_pydict() == table.to_pydict()
    assert polars.DataFrame(answers).to_dict(as_series=False) == table.to_pydict()
    assert len(answers) == 3 and "3 rows" in repr(answers)


def test_a_text_that_is_cut_is_told(classifier: Classifier) -> None:
    columns = classifier.answers(["film " * 23, "film " * 60]).to_pydict()
    assert columns["cut"] == [False, True] and columns["tokens"] == [23, 60]


def test_one_of_several_classes(one_of: Classifier) -> None:
    texts = ["dreadful and boring", "ordinary and average", "superb and charming"]
    assert one_of.classes == ["negative", "neutral", "positive"] and one_of.task == "one-of"
    assert one_of.predict(texts) == one_of.classes
    probabilities = one_of.predict_proba(texts)
    assert probabilities.shape == (3, 3)
    decided = one_of.answers(texts).to_pydict()["probability"]
    assert decided == probabilities.max(axis=1).tolist()


def test_any_number_of_labels(any_of: Classifier) -> None:
    texts = ["superb and dreadful film", "the film was a story about people"]
    expected = [["negative", "positive"], []]
    assert any_of.task == "any-of" and any_of.predict(texts) == expected
    assert any_of.predict(numpy.array(texts)).tolist() == expected
    assert any_of.predict(pandas.Series(texts)).tolist() == expected
    series = any_of.predict(polars.Series([*texts, None]))
    assert series.dtype == polars.List(polars.String) and series.to_list() == [*expected, None]
    array = any_of.predict(pyarrow.array([*texts, None]))
    assert array.type == pyarrow.list_(pyarrow.string()) and array.to_pylist() == [*expected, None]
    assert any_of.answers(texts).to_pydict()["predicted_label"] == expected
    # Two texts with as many labels each are no second dimension.
    assert any_of.predict(numpy.array([texts[0]] * 2)).shape == (2,)


def test_answers_do_not_depend_on_the_texts_beside_them(classifier: Classifier, reviews: Any) -> None:
    texts, _ = reviews(300, seed=5)
    together = classifier.predict_proba(texts)
    numpy.testing.assert_allclose(together[::-1], classifier.predict_proba(texts[::-1]), atol=1e-6)
    for number in (0, 17, 299):
        alone = classifier.predict_proba([texts[number]])[0]
        numpy.testing.assert_allclose(together[number], alone, atol=1e-6)
