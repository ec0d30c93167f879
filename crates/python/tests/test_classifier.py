"""Opening, copying and sharing a classifier."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy
import pytest
from sentiment_rnn import Classifier, train

TEXTS = ["a wonderful film", "a dreadful film"]


def test_a_classifier_says_what_it_is(classifier: Classifier) -> None:
    assert classifier.task == "binary" and classifier.classes == ["negative", "positive"]
    assert classifier.thresholds is None
    assert classifier.id is not None and int(classifier.id, 16) > 0
    assert repr(classifier) == (
        "<sentiment_rnn.Classifier: task='binary', classes=['negative', 'positive'], "
        f"id='{classifier.id}'>"
    )


def test_a_folder_may_be_a_string_or_a_path(classifier: Classifier, model_folder: Path) -> None:
    assert Classifier.load(str(model_folder)).id == Classifier.load(model_folder).id == classifier.id


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_copies_answer_alike(classifier: Classifier, again: Any) -> None:
    other = again(classifier)
    assert isinstance(other, Classifier) and other.id == classifier.id
    numpy.testing.assert_array_equal(other.predict_proba(TEXTS), classifier.predict_proba(TEXTS))


def test_files_make_the_same_classifier_again(any_of: Classifier, one_of: Classifier, tmp_path: Path) -> None:
    for number, classifier in enumerate((any_of, one_of)):
        files = classifier.files()
        assert {"config.json", "tokenizer.json", "model.safetensors"} <= files.keys()
        assert all(isinstance(contents, bytes) for contents in files.values())
        of_files = Classifier.from_files(files)
        classifier.save(tmp_path / str(number))
        loaded = Classifier.load(tmp_path / str(number))
        assert of_files.id == loaded.id == classifier.id
        assert of_files.predict(TEXTS) == loaded.predict(TEXTS) == classifier.predict(TEXTS)


def test_saving_never_overwrites(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty; choose another folder"):
        classifier.save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_a_model_that_was_replaced_is_not_pickled_as_another(
    model_folder: Path, one_of: Classifier, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    classifier = Classifier.load(folder)
    before = classifier.predict(TEXTS)
    shutil.rmtree(folder)
    one_of.save(folder)
    with pytest.raises(RuntimeError, match="holds another model by now"):
        pickle.dumps(classifier)
    assert classifier.predict(TEXTS) == before


def test_threads_share_a_classifier(classifier: Classifier, reviews: Any) -> None:
    texts, _ = reviews(200, seed=3)
    expected = classifier.predict_proba(texts)
    with ThreadPoolExecutor(8) as pool:
        for probabilities in pool.map(lambda _: classifier.predict_proba(texts), range(40)):
            numpy.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_a_classifier_is_made_by_its_functions_only() -> None:
    with pytest.raises(TypeError, match=r"use Classifier\.load"):
        Classifier()


def test_a_text_with_all_kinds_of_characters_is_read(classifier: Classifier) -> None:
    texts = ["", " ", "\0", "🎬 wonderful", "e\u0301", "日本語", "x" * 100_000, "\ufeffwonderful"]
    probabilities = classifier.predict_proba(texts)
    assert numpy.isfinite(probabilities).all() and probabilities.shape == (len(texts), 2)


def in_format_2(classifier: Classifier) -> dict[str, bytes]:
    """The files of a model of two classes, without a linear path, as they were before models had ids."""
    files = classifier.files()
    config = json.loads(files["config.json"]) | {"format_version": 2}
    del config["model_id"], config["tokenizer_digest"]
    return files | {"config.json": json.dumps(config).encode()}


def test_a_model_without_an_id_that_was_replaced_is_not_pickled_as_another(
    reviews: Any, small: dict[str, Any], tmp_path: Path
) -> None:
    texts, labels = reviews(200)
    settings = small | {"model.ngram_order": 0}
    one, other = (train(texts, labels, recipe="quick", settings=settings, seed=seed).classifier for seed in (1, 2))
    Classifier.from_files(in_format_2(one)).save(tmp_path / "model")
    loaded = Classifier.load(tmp_path / "model")
    assert loaded.id is None and loaded._model.digest is not None
    assert pickle.loads(pickle.dumps(loaded)).predict(TEXTS) == loaded.predict(TEXTS)
    shutil.rmtree(tmp_path / "model")
    Classifier.from_files(in_format_2(other)).save(tmp_path / "model")
    with pytest.raises(RuntimeError, match="holds another model by now"):
        pickle.dumps(loaded)


def test_a_relative_path_is_that_of_the_time_of_loading(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model_folder.parent)
    classifier = Classifier.load(model_folder.name)
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(pickle.dumps(classifier)).id == classifier.id


def test_a_model_without_its_report_is_not_saved(classifier: Classifier, tmp_path: Path) -> None:
    files = classifier.files()
    del files["metrics.json"]
    without = Classifier.from_files(files)
    assert without.predict(TEXTS) == classifier.predict(TEXTS)
    with pytest.raises(ValueError, match=r"has no metrics\.json.*without which its folder cannot be opened"):
        without.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
