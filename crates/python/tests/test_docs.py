"""What the documentation shows works."""

from __future__ import annotations

import doctest
import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentiment_rnn
from sentiment_rnn import Classifier

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.parametrize("name", ["sentiment_rnn", "sentiment_rnn._classifier", "sentiment_rnn._training"])
def test_examples_in_docstrings_run(
    name: str, classifier: Classifier, model_folder: Path, reviews: Callable[..., Any]
) -> None:
    shared = {"classifier": classifier, "model_folder": model_folder, "made_reviews": reviews}
    results = doctest.testmod(importlib.import_module(name), extraglobs=shared)
    assert results.attempted > 0 and results.failed == 0


def test_examples_in_the_readme_run(
    model_folder: Path, reviews: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, labels = reviews(400)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "reviews").symlink_to(model_folder)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"texts": texts, "labels": labels}
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)


def test_all_names_exist_and_have_docs() -> None:
    for name in sentiment_rnn.__all__:
        value = getattr(sentiment_rnn, name)
        assert name == "version" or value.__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sentiment_rnn.nothing  # noqa: B018
    assert "SentimentClassifier" in dir(sentiment_rnn)
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", sentiment_rnn.version)
