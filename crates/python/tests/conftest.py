"""Models that the tests share, trained once on made texts."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentiment_rnn

Labelled = tuple[list[str], list[Any]]

WORDS = {
    "positive": ["wonderful", "superb", "charming", "moving"],
    "negative": ["dreadful", "boring", "clumsy", "tedious"],
    "neutral": ["ordinary", "average", "typical", "usual"],
}
FILLERS = "the film was a story about people who live in some town and talk about it".split()
SMALL = {
    "model.embedding_dim": 16,
    "model.hidden_dim": 16,
    "preprocessing.seq_len": 24,
    "preprocessing.min_frequency": 1,
    "training.epochs": 3,
    "training.batch_size": 20,
}


def made_reviews(n: int, classes: tuple[str, ...] = ("negative", "positive"), seed: int = 0) -> Labelled:
    """Different texts with words that tell their class, and the classes."""
    chance = random.Random(seed)
    texts, labels = [], []
    for number in range(n):
        label = classes[number % len(classes)]
        words = chance.choices(FILLERS, k=chance.randint(5, 12)) + chance.choices(WORDS[label], k=3)
        chance.shuffle(words)
        texts.append(" ".join(words))
        labels.append(label)
    return texts, labels


def made_tags(n: int, seed: int = 0) -> Labelled:
    """Texts that are about any of three things, and lists of these things."""
    chance = random.Random(seed)
    texts, labels = [], []
    for _ in range(n):
        tags = [tag for tag in sorted(WORDS) if chance.random() < 0.5]
        words = chance.choices(FILLERS, k=chance.randint(5, 12))
        words += [word for tag in tags for word in chance.choices(WORDS[tag], k=2)]
        chance.shuffle(words)
        texts.append(" ".join(words))
        labels.append(tags)
    return texts, labels


@pytest.fixture(scope="session")
def reviews() -> Callable[..., Labelled]:
    return made_reviews


@pytest.fixture(scope="session")
def tags() -> Callable[..., Labelled]:
    return made_tags


@pytest.fixture(scope="session")
def small() -> dict[str, Any]:
    """Settings of a small network that trains in a second."""
    return dict(SMALL)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two classes."""
    folder = tmp_path_factory.mktemp("models") / "reviews"
    texts, labels = made_reviews(400)
    _train(texts, labels, output=folder)
    return folder


@pytest.fixture(scope="session")
def classifier(model_folder: Path) -> sentiment_rnn.Classifier:
    """The same model, opened."""
    return sentiment_rnn.Classifier.load(model_folder)


@pytest.fixture(scope="session")
def one_of() -> sentiment_rnn.Classifier:
    """A model of three classes."""
    texts, labels = made_reviews(600, classes=("negative", "neutral", "positive"))
    return _train(texts, labels).classifier


@pytest.fixture(scope="session")
def any_of() -> sentiment_rnn.Classifier:
    """A model of any number of three labels."""
    texts, labels = made_tags(600)
    return _train(texts, labels).classifier


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a script in an interpreter of its own, with the arguments as strings in `sys.argv[1:]`."""

    def run(script: str, *arguments: object, **kwargs: Any) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "script.py"
        file.write_text(script)
        command = [sys.executable, str(file), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, **kwargs)

    return run


def _train(texts: list[str], labels: list[Any], **kwargs: Any) -> sentiment_rnn.TrainingResult:
    return sentiment_rnn.train(texts, labels, recipe="quick", settings=SMALL, seed=1, **kwargs)
