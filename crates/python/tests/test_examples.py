"""The examples run, and write what they should."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::sentiment_rnn.SentimentWarning")

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(script, *arguments):
    command = [sys.executable, str(EXAMPLES / script), *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch):
    for library in ("pandas", "sklearn", "joblib"):
        pytest.importorskip(library)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    printed = run("notebook.py")
    assert list(tmp_path.glob("sentiment-rnn-*")) == []
    accuracy = float(printed.split("accuracy on unseen texts: ")[1].split()[0])
    assert accuracy > 0.85
    assert printed.splitlines()[-1].startswith("['good', 'bad', ")


def test_the_ray_example_answers_a_table(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet
    import sentiment_rnn

    texts = [f"{word} film number {number}" for number in range(60) for word in ("a superb", "an awful")]
    settings = {"training.epochs": 3, "preprocessing.min_frequency": 1}
    labels = ["good", "bad"] * 60
    trained = sentiment_rnn.train(texts, labels, recipe="quick", settings=settings, classes=["bad", "good"])
    trained.classifier.save(tmp_path / "model")
    table = pa.table({"id": range(120), "text": texts})
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    output = tmp_path / "out"
    arguments = ["--model", tmp_path / "model", "--input", tmp_path / "in.parquet", "--output", output]
    monkeypatch.setenv("RAY_OVERRIDE_RESOURCES", '{"CPU": 2}')
    run("ray_predict.py", *arguments, "--actors", "1")
    answers = pyarrow.parquet.read_table(output).sort_by("id")
    assert answers.column_names == ["id", "text", "predicted_label", "probability"]
    assert answers.select(["id", "text"]).equals(table)
    assert answers.column("predicted_label").to_pylist() == trained.classifier.predict(texts)
    assert answers.column("probability").to_pylist() == trained.classifier.predict_proba(texts)[:, 1].tolist()
