"""The peers of `compare_answers.py`: each run is a process of its own, from the start to the written answers.

    python answer_peers.py train fasttext TABLE MODEL
    python answer_peers.py answer sklearn TABLE MODEL OUTPUT

`answer` prints the seconds of its parts as JSON. Tables are CSV with the columns text and label. Both peers use one
thread where they have no choice: fastText's `predict` and scikit-learn's vectorizer are single-threaded.
"""

import csv
import json
import sys
import time

START = time.perf_counter()
csv.field_size_limit(1 << 30)


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def one_line(text):
    """As fastText's own examples prepare texts: lower case, no line breaks."""
    return " ".join(text.lower().split())


def train_fasttext(table, path):
    import tempfile

    import fasttext

    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        for row in rows(table):
            file.write(f"__label__{row['label']} {one_line(row['text'])}\n")
        file.flush()
        model = fasttext.train_supervised(file.name, wordNgrams=2, epoch=10, thread=2, seed=0, verbose=0)
    model.save_model(path)


def train_sklearn(table, path):
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    data = rows(table)
    vectors = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\w+|[^\w\s]", sublinear_tf=True, min_df=2)
    pipeline = make_pipeline(vectors, LinearSVC(random_state=0))
    joblib.dump(pipeline.fit([row["text"] for row in data], [row["label"] for row in data]), path)


def load_fasttext(path):
    import fasttext

    model = fasttext.load_model(path)

    def predict(texts):
        labels, probabilities = model.predict([one_line(text) for text in texts])
        return [label[0].removeprefix("__label__") for label in labels], [p[0] for p in probabilities]

    return predict


def load_sklearn(path):
    import joblib

    pipeline = joblib.load(path)

    def predict(texts):
        # As `predict` does it, but once for both.
        scores = pipeline.decision_function(texts)
        return [pipeline.classes_[int(score > 0)] for score in scores], scores

    return predict


def answer(peer, table, path, output):
    predict = {"fasttext": load_fasttext, "sklearn": load_sklearn}[peer](path)
    loaded = time.perf_counter()
    data = rows(table)
    read = time.perf_counter()
    labels, scores = predict([row["text"] for row in data])
    answered = time.perf_counter()
    with open(output, "w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, [*data[0], "predicted_label", "probability"])
        out.writeheader()
        for row, label, score in zip(data, labels, scores):
            out.writerow(row | {"predicted_label": label, "probability": score})
    end = time.perf_counter()
    parts = {"start": loaded - START, "read": read - loaded, "predict": answered - read, "write": end - answered}
    print(json.dumps(parts))


if __name__ == "__main__":
    action, peer, *paths = sys.argv[1:]
    if action == "train":
        {"fasttext": train_fasttext, "sklearn": train_sklearn}[peer](*paths)
    else:
        answer(peer, *paths)
