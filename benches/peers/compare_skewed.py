"""Compares weighted classes with scikit-learn's balanced logistic regression on skewed reviews.

    cargo xtask fetch-data && cargo build -p cli
    python benches/peers/compare_skewed.py --recipe quick --seeds 3

Needs pandas, pyarrow and scikit-learn. For each class in turn and each seed, the class is thinned out to one text
in ten, a fifth of the texts is kept for testing, and both are trained on the rest: `sentiment train --class-weights
balanced`, which holds back a fifth of it to validate and test on, and scikit-learn on as many texts as `sentiment`
learns from, and on all of it.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from statistics import mean

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, recall_score

# Texts of the common class for each of the rare one.
SKEW = 9


def skewed(reviews, rare, seed):
    """Training and test texts in which `rare` is the label of one text in ten."""
    random = np.random.default_rng(seed)
    common, few = reviews[reviews.label != rare], reviews[reviews.label == rare]
    few = few.iloc[random.permutation(len(few))[: len(common) // SKEW]]
    both = pd.concat([common, few])
    both = both.iloc[random.permutation(len(both))]
    n_train = len(both) * 4 // 5
    return both[:n_train], both[n_train:]


def sklearn_scores(train, test, rare):
    """Recall of the rare class and macro F1."""
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    features = vectors.fit_transform(train.text)
    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(features, train.label)
    predicted = model.predict(vectors.transform(test.text))
    recall = recall_score(test.label, predicted, pos_label=rare)
    return recall, f1_score(test.label, predicted, average="macro")


def sentiment_scores(program, recipe, train, test, rare):
    """The same of a model that this program trains."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: str(Path(folder) / f"{name}.parquet") for name in ("train", "test")}
        train.to_parquet(paths["train"])
        test.to_parquet(paths["test"])
        model = str(Path(folder) / "model")
        command = [program, "train", "--recipe", recipe, "--data", paths["train"], "--output", model]
        command += ["--no-cache", "--class-weights", "balanced"]
        subprocess.run(command, check=True, capture_output=True)
        command = [program, "evaluate", "--model", model, "--data", paths["test"], "--json"]
        output = subprocess.run(command, check=True, capture_output=True).stdout
    figures = json.loads(output)
    return figures["recall"] if rare == 1 else figures["negative_recall"], figures["macro_f1"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="data/imdb.parquet", help="reviews (default: %(default)s)")
    parser.add_argument("--program", default="target/debug/sentiment", help="default: %(default)s")
    parser.add_argument("--recipe", default="default", help="default: %(default)s")
    parser.add_argument("--seeds", type=int, default=3, help="default: %(default)s")
    args = parser.parse_args()
    reviews = pd.read_parquet(args.data).drop_duplicates("text")
    table = {"sentiment": [], "scikit-learn, as many texts": [], "scikit-learn, all texts": []}
    for rare in (1, 0):
        for seed in range(args.seeds):
            train, test = skewed(reviews, rare, seed)
            table["sentiment"].append(
                sentiment_scores(args.program, args.recipe, train, test, rare)
            )
            few = train[: len(train) * 4 // 5]
            table["scikit-learn, as many texts"].append(sklearn_scores(few, test, rare))
            table["scikit-learn, all texts"].append(sklearn_scores(train, test, rare))
            scores = "; ".join(f"{who}: {of[-1][0]:.4f} {of[-1][1]:.4f}" for who, of in table.items())
            print(f"rare label {rare}, seed {seed}: recall and macro F1 of {scores}", flush=True)
    print("\n| | recall of the rare class | macro F1 |\n|---|---|---|")
    for who, scores in table.items():
        print(f"| {who} | {mean(s[0] for s in scores):.4f} | {mean(s[1] for s in scores):.4f} |")


if __name__ == "__main__":
    main()
