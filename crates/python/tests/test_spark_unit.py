"""``sentiment_rnn.spark``: what workers do, without Spark; the rest with a local Spark, if there is one."""

import json
import os
import pickle
import shutil
import subprocess
import sys

import pytest

pa = pytest.importorskip("pyarrow")

import sentiment_rnn
from sentiment_rnn import SentimentWarning, _spark_worker, spark
from sentiment_rnn._spark_worker import Answers, ModelInFiles, ModelOnPath, digest_of

# A warning about few texts is no news here, and PySpark warns of its own.
pytestmark = [pytest.mark.filterwarnings("ignore")]

SMALL = {
    "training.epochs": 3,
    "model.embedding_dim": 8,
    "model.hidden_dim": 4,
    "preprocessing.seq_len": 20,
    "preprocessing.min_frequency": 1,
}
# Different texts, since equal ones are used once.
TEXTS = [f"{word} film number {number}" for number in range(60) for word in ("a superb", "an awful")]
ALL = tuple(_spark_worker.COLUMNS)


def trained(labels, **options):
    return sentiment_rnn.train(TEXTS, labels, recipe="quick", settings=SMALL, **options).classifier


@pytest.fixture(scope="module")
def classifier():
    return trained(["good", "bad"] * 60, classes=["bad", "good"], task="binary")


@pytest.fixture(scope="module")
def any_of():
    return trained([["good"], []] * 60, classes=["good"], task="any-of")


@pytest.fixture
def folder(classifier, tmp_path):
    classifier.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(autouse=True)
def nothing_is_loaded(monkeypatch):
    monkeypatch.setattr(_spark_worker, "_loaded", {})


def answers(model, columns=ALL, text=1, several=False, model_digest=None, threads=None):
    return Answers(model, text, columns, columns, several, model_digest, threads)


def batch(texts, ids=None):
    ids = range(len(texts)) if ids is None else ids
    return pa.RecordBatch.from_pydict({"id": pa.array(ids, pa.int64()), "text": pa.array(texts, pa.string())})


def test_answers_stand_beside_their_rows(folder, classifier):
    texts = ["a superb film", None, "an awful film", ""]
    result = pa.Table.from_batches(answers(ModelOnPath(str(folder)))([batch(texts[:3]), batch(texts[3:], [3])]))
    assert result.column_names == ["id", "text", *ALL]
    assert result.column("id").to_pylist() == [0, 1, 2, 3]
    assert result.column("text").to_pylist() == texts
    expected = pa.table(classifier.answers(pa.array(texts)))
    for column in ALL:
        assert result.column(column).to_pylist() == expected.column(column).to_pylist()
        assert result.column(column).to_pylist()[1] is None
        assert result.column(column).type == _spark_worker.COLUMNS[column]
    assert result.column("predicted_label").to_pylist()[::2] == ["good", "bad"]


def test_lists_of_labels_come_as_lists(any_of):
    model = ModelInFiles(any_of.files(), "digest")
    result = pa.Table.from_batches(answers(model, several=True)([batch(["a superb film", "an awful film", None])]))
    assert result.column("predicted_label").to_pylist() == [["good"], [], None]
    assert result.column("predicted_label").type == pa.list_(pa.string())


def test_an_empty_batch_has_the_same_columns_and_loads_nothing(tmp_path):
    (result,) = answers(ModelOnPath(str(tmp_path / "nothing")))([batch([])])
    assert result.schema.names == ["id", "text", *ALL]
    assert result.num_rows == 0


def count_loads(monkeypatch):
    loads = []
    load = sentiment_rnn.Classifier.load
    monkeypatch.setattr(sentiment_rnn.Classifier, "load", lambda path: loads.append(path) or load(path))
    return loads


def test_a_process_loads_a_model_once(folder, monkeypatch):
    loads = count_loads(monkeypatch)
    function = answers(ModelOnPath(str(folder)))
    for _ in range(3):
        assert sum(batch.num_rows for batch in function([batch(TEXTS), batch(TEXTS)])) == 240
    assert loads == [str(folder)]


def test_a_model_that_was_replaced_is_loaded_again(folder, monkeypatch):
    loads = count_loads(monkeypatch)
    function = answers(ModelOnPath(str(folder)))
    list(function([batch(TEXTS)]))
    shutil.rmtree(folder)
    trained(["good", "bad"] * 60, classes=["bad", "good"], task="binary", seed=9).save(folder)
    list(function([batch(TEXTS)]))
    assert len(loads) == 2


def test_a_process_keeps_only_a_few_models(classifier):
    for number in range(9):
        ModelInFiles(classifier.files(), str(number)).load()
    assert len(_spark_worker._loaded) == _spark_worker._MOST_MODELS
    assert "8" in _spark_worker._loaded


def test_another_model_than_the_drivers_is_refused(folder):
    with pytest.raises(
        ValueError, match="the model on this worker is [0-9a-f]{16}, expected other, which the driver found"
    ):
        list(answers(ModelOnPath(str(folder)), model_digest="other")([batch(TEXTS)]))


def test_another_model_than_the_drivers_is_refused_if_it_has_no_id(tmp_path):
    # As models were before they had ids.
    folder, settings = tmp_path / "model", SMALL | {"model.ngram_order": 0}
    sentiment_rnn.train(TEXTS, ["positive", "negative"] * 60, recipe="quick", settings=settings, output=folder)
    config = json.loads((folder / "config.json").read_text()) | {"format_version": 2}
    del config["model_id"], config["tokenizer_digest"]
    (folder / "config.json").write_text(json.dumps(config))
    loaded = sentiment_rnn.Classifier.load(folder)
    assert loaded.id is None
    list(answers(ModelOnPath(str(folder)), model_digest=loaded._model.digest)([batch(TEXTS)]))
    with pytest.raises(ValueError, match="expected other, which the driver found"):
        list(answers(ModelOnPath(str(folder)), model_digest="other")([batch(TEXTS)]))


def test_a_task_that_was_not_declared_is_refused(folder, any_of):
    with pytest.raises(ValueError, match="task is 'binary', but predict was told 'any-of'"):
        list(answers(ModelOnPath(str(folder)), several=True)([batch(TEXTS)]))
    with pytest.raises(ValueError, match="call it with task='any-of'"):
        list(answers(ModelInFiles(any_of.files(), "digest"))([batch(TEXTS)]))


def test_a_worker_without_the_model_says_where_it_looked():
    with pytest.raises(FileNotFoundError, match="no model on this worker, looked at /nowhere/model: give a path"):
        list(answers(ModelOnPath("/nowhere/model"))([batch(TEXTS)]))


def test_one_thread_computes_unless_told_otherwise(monkeypatch):
    both = ("RAYON_NUM_THREADS", "CANDLE_NUM_THREADS")
    for given, before, expected in ((None, {}, "1"), (None, {both[0]: "3"}, "3"), (2, dict.fromkeys(both, "3"), "2")):
        for name in both:
            monkeypatch.delenv(name, raising=False)
        for name, value in before.items():
            monkeypatch.setenv(name, value)
        _spark_worker.limit_threads(given)
        assert os.environ["RAYON_NUM_THREADS"] == os.environ["CANDLE_NUM_THREADS"] == expected


def test_workers_get_a_model_and_its_settings_by_pickle(classifier):
    files = classifier.files()
    copy = pickle.loads(pickle.dumps(answers(ModelInFiles(files, digest_of(files)))))
    assert sum(batch.num_rows for batch in copy([batch(TEXTS)])) == 120


def test_files_have_a_digest_of_names_and_contents():
    assert digest_of({"a": b"1", "b": b"2"}) == digest_of({"b": b"2", "a": b"1"})
    for other in ({"a": b"1"}, {"a": b"2", "b": b"1"}, {"a": b"1", "c": b"2"}, {"a": b"12", "b": b""}):
        assert digest_of({"a": b"1", "b": b"2"}) != digest_of(other)


class Context:
    def __init__(self):
        self.n_broadcasts = 0

    def broadcast(self, files):
        self.n_broadcasts += 1
        return dict(files)


def test_a_context_gets_a_model_once(monkeypatch):
    monkeypatch.setattr(spark, "_broadcasts", (None, {}))
    context, files = Context(), {"a": b"1"}
    sent = [spark._broadcast(context, files, digest) for digest in ("one", "one", "two", "one")]
    assert context.n_broadcasts == 2 and sent[0] is sent[1] is sent[3] is not sent[2]
    another = Context()
    assert spark._broadcast(another, files, "one") is not sent[0]
    assert another.n_broadcasts == 1


def test_new_columns_get_free_names_together():
    wanted = ("predicted_label", "probability")
    assert spark.free_names(["text"], wanted) == wanted
    assert spark.free_names(["Probability"], wanted) == ("predicted_label_2", "probability_2")
    assert spark.free_names([*wanted, "predicted_label_2"], wanted) == ("predicted_label_3", "probability_3")


@pytest.fixture(scope="module")
def session():
    """A Spark in this process, with workers in others."""
    sql = pytest.importorskip("pyspark.sql")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = sql.SparkSession.builder.master("local[2]").config("spark.driver.host", "127.0.0.1")
    session = builder.config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2").getOrCreate()
    yield session
    session.stop()


@pytest.fixture
def frame(session):
    # Names that occur twice or contain dots.
    rows = [(1, "a superb film", "x", 1.5), (2, None, "y", 2.5), (3, "an awful film", "z", 3.5)]
    return session.createDataFrame(rows, ["id", "text", "a", "b"]).toDF("id", "Text", "a.b", "id")


def test_spark_declares_columns_without_running_anything(frame, any_of):
    result = spark.predict(frame, model="/nowhere/model", columns=ALL)
    added = "predicted_label:string,probability:float,probabilities:array<float>,tokens:bigint,cut:boolean"
    assert result.schema.simpleString() == f"struct<id:bigint,Text:string,a.b:string,id:double,{added}>"
    result = spark.predict(frame, model="/nowhere/model", task="any-of")
    assert result.schema.simpleString().endswith("predicted_label:array<string>,probability:float>")
    assert spark.predict(frame, model=any_of).schema == result.schema


def test_spark_answers_with_a_path_and_with_a_classifier(frame, folder, classifier):
    for model in (str(folder), folder, classifier):
        rows = spark.predict(frame, model=model).collect()
        assert [tuple(row)[:4] for row in rows] == [tuple(row) for row in frame.collect()]
        assert [row.predicted_label for row in rows] == ["good", None, "bad"]
        expected = classifier.predict_proba(["a superb film", "an awful film"])[:, 1].tolist()
        assert [row.probability for row in rows] == [expected[0], None, expected[1]]


def test_spark_sends_a_classifier_once(session, frame, classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(spark, "_broadcasts", (None, {}))
    sent = []
    broadcast = session.sparkContext.broadcast
    monkeypatch.setattr(session.sparkContext, "broadcast", lambda value: sent.append(value) or broadcast(value))
    for _ in range(3):
        assert [row.predicted_label for row in spark.predict(frame, model=classifier).collect()] == ["good", None, "bad"]
    assert len(sent) == 1


def test_spark_answers_with_several_labels(frame, any_of):
    rows = spark.predict(frame, model=any_of).collect()
    assert [row.predicted_label for row in rows] == [["good"], None, []]


def test_spark_keeps_columns_that_have_the_names_of_answers(frame, classifier):
    once = spark.predict(frame, model=classifier)
    with pytest.warns(SentimentWarning, match="the answers are in predicted_label_2, probability_2"):
        twice = spark.predict(once, model=classifier)
    assert twice.columns[-4:] == ["predicted_label", "probability", "predicted_label_2", "probability_2"]
    for row in twice.collect():
        assert row.probability == row.probability_2


def test_spark_answers_streams(session, classifier, tmp_path):
    session.createDataFrame([(1, "a superb film")], ["id", "text"]).write.parquet(str(tmp_path / "in"))
    stream = session.readStream.schema("id long, text string").parquet(str(tmp_path / "in"))
    written = spark.predict(stream, model=classifier).writeStream.format("parquet").trigger(availableNow=True)
    query = written.option("checkpointLocation", str(tmp_path / "state")).start(str(tmp_path / "out"))
    query.awaitTermination(120)
    (row,) = session.read.parquet(str(tmp_path / "out")).collect()
    assert (row.id, row.predicted_label) == (1, "good")


def test_workers_of_spark_find_a_shipped_model(session, frame, folder, classifier):
    archive = shutil.make_archive(str(folder.parent / "packed"), "zip", folder)
    session.sparkContext.addArchive(f"{archive}#shipped-model")
    rows = spark.predict(frame, model="shipped-model").collect()
    assert [row.predicted_label for row in rows] == ["good", None, "bad"]


def test_spark_connect_answers_alike(folder):
    for library in ("pyspark", "grpc", "pandas"):
        pytest.importorskip(library)
    # One process cannot have both kinds of sessions.
    code = f"""
from pyspark.sql import SparkSession
from sentiment_rnn import Classifier, spark

session = SparkSession.builder.remote("local[2]").getOrCreate()
frame = session.createDataFrame([(1, "a superb film"), (2, None), (3, "an awful film")], ["id", "text"])
for model in ({str(folder)!r}, Classifier.load({str(folder)!r})):
    rows = spark.predict(frame, model=model).collect()
    assert [row.predicted_label for row in rows] == ["good", None, "bad"], rows
session.stop()
"""
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable}
    finished = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"text": "review"}, ValueError, "no column 'review', its columns are id, Text, a.b, id"),
        ({"text": "id"}, ValueError, "several columns 'id': rename one"),
        ({"text": 5}, TypeError, r"text is of type int, expected the name of a column \(str\)"),
        ({"columns": "probability"}, TypeError, r"columns is a string, expected a list of names: \['probability'\]"),
        ({"columns": ["label"]}, ValueError, "columns has 'label', expected some of predicted_label, probability"),
        ({"columns": ["cut", "cut"]}, ValueError, "columns has 'cut' twice"),
        ({"columns": []}, ValueError, "columns is empty"),
        ({"model": "s3://models/reviews"}, ValueError, "expected a folder in a file system: copy the model"),
        ({"model": 3}, TypeError, "model is of type int, expected a path or a Classifier"),
        ({"task": "any-of"}, ValueError, "task is 'any-of', but the model's task is 'binary'"),
        ({"task": "several"}, ValueError, "task is 'several', expected None"),
        ({"threads": 0}, ValueError, "threads is 0, expected a whole number of at least 1"),
    ],
    ids=lambda value: None,
)
def test_spark_refuses_what_is_wrong_before_it_runs(frame, classifier, arguments, error, message):
    with pytest.raises(error, match=message):
        spark.predict(frame, **{"model": classifier} | arguments)


def test_spark_refuses_a_column_that_holds_no_strings(session, classifier):
    with pytest.raises(TypeError, match="column 'text' is of type bigint, expected string: cast it first"):
        spark.predict(session.range(3).withColumnRenamed("id", "text"), model=classifier)
