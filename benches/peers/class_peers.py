"""The peers of `compare_classes.py`: linear models of scikit-learn, and fastText.

Each peer has a list of settings and a method `fits(settings, rows, weights)`, which yields the settings in turn,
each with a function that predicts the labels of texts. `weights` is None or "balanced". In a list, the settings
that win if several are equally good come first.
"""

import re
import tempfile
from itertools import groupby, product
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

# Words, also of one letter, and each punctuation mark.
TOKEN = r"\w+|[^\w\s]"
# In tables with fewer texts, words of a single text are tried as well.
SMALL = 5000


class Linear:
    """TF-IDF of tokens and pairs of them, and a linear model. `strengths` are values of C."""

    has_weights = True

    def __init__(self, name, model, strengths):
        self.name = name
        self.model = model
        self.strengths = strengths

    def settings(self, n_texts):
        min_texts = [2, 1] if n_texts < SMALL else [2]
        return [{"min_df": n, "C": strength} for n, strength in product(min_texts, self.strengths)]

    def fits(self, settings, rows, weights):
        for min_df, group in groupby(settings, key=lambda how: how["min_df"]):
            vectors = TfidfVectorizer(
                ngram_range=(1, 2), token_pattern=TOKEN, sublinear_tf=True, min_df=min_df
            )
            features = vectors.fit_transform(rows.text)
            for how in group:
                model = self.model(C=how["C"], class_weight=weights).fit(features, rows.label)
                yield how, make_pipeline(vectors, model).predict


class FastText:
    """fastText over tokens and pairs of them, with one thread. It has no class weights."""

    name = "fastText"
    has_weights = False

    def settings(self, _n_texts):
        return [{"epoch": n, "lr": rate} for n, rate in product([5, 15, 50], [0.1, 0.3, 1.0])]

    def fits(self, settings, rows, _weights):
        try:
            import fasttext
        except ModuleNotFoundError:
            message = "fasttext is not installed: pip install fasttext, or choose a part with --only"
            raise SystemExit(message) from None
        names = sorted(set(rows.label))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "train.txt"
            with path.open("w", encoding="utf-8") as file:
                for text, label in zip(rows.text, rows.label):
                    file.write(f"__label__{names.index(label)} {in_tokens(text)}\n")
            for how in settings:
                # fastText's own two million buckets would take 800 MB.
                model = fasttext.train_supervised(
                    str(path), wordNgrams=2, bucket=500_000, thread=1, seed=0, verbose=0, **how
                )
                yield how, lambda texts, model=model: predicted(model, names, texts)


def in_tokens(text):
    """Lower case, with spaces between tokens, on one line."""
    return " ".join(re.findall(TOKEN, text.lower()))


def predicted(model, names, texts):
    """The names of the classes that a fastText model predicts."""
    # A list, because predicting a single text fails under NumPy 2.
    labels, _ = model.predict([in_tokens(text) for text in texts])
    # fastText predicts nothing for a text without any token that it knows.
    return [names[int(label[0].removeprefix("__label__"))] if label else "" for label in labels]


SKLEARN = [
    Linear(
        "logistic regression",
        lambda **how: LogisticRegression(max_iter=1000, **how),
        [0.3, 1, 3, 10, 30, 100],
    ),
    # Its best C is smaller.
    Linear(
        "linear SVM", lambda **how: LinearSVC(random_state=0, **how), [0.03, 0.1, 0.3, 1, 3, 10]
    ),
]
FASTTEXT = [FastText()]
