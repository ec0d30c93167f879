# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

"""A notebook: trains a classifier on a table, looks at it, and uses it.

It runs from top to bottom as a script, ``python notebook.py [TABLE.csv]``, or as a notebook: in Jupyter with
jupytext, in VS Code as it is. Without a table it makes up one.
"""

# %% [markdown]
# # A text classifier in a notebook
#
# You need `pip install sentiment-rnn[sklearn] pandas joblib`.

# %%
import random
import sys
import tempfile
from pathlib import Path

import joblib
import pandas as pd
from sentiment_rnn import Classifier, SentimentClassifier
from sklearn.metrics import classification_report
from sklearn.model_selection import cross_val_score, train_test_split

temporary = tempfile.TemporaryDirectory(prefix="sentiment-rnn-", ignore_cleanup_errors=True)
folder = Path(temporary.name)

# %% [markdown]
# ## The table
#
# Any table with a column of texts and one of labels will do. This one is made up: each review has two words that
# tell, among many that do not, and one label in twenty is wrong.

# %%
TELLING = {
    "good": ["wonderful", "moving", "superb", "a joy", "well acted"],
    "bad": ["dreadful", "tedious", "clumsy", "a waste", "badly written"],
}
OTHERS = "the film story scene actors camera music ending script dialogue city night people first again".split()


def made_review(label, choice):
    words = choice.choices(OTHERS, k=20) + choice.sample(TELLING[label], k=2)
    choice.shuffle(words)
    return " ".join(words)


def made_table(n_rows):
    choice = random.Random(1)
    labels = [choice.choice(["good", "bad"]) for _ in range(n_rows)]
    texts = [made_review(label, choice) for label in labels]
    other = {"good": "bad", "bad": "good"}
    labels = [other[label] if choice.random() < 0.05 else label for label in labels]
    return pd.DataFrame({"text": texts, "label": labels})


path = next((argument for argument in sys.argv[1:] if argument.endswith(".csv")), None)
if path is None:
    path = folder / "reviews.csv"
    made_table(2_000).to_csv(path, index=False)

table = pd.read_csv(path)
print(table.head())
print(table["label"].value_counts())

# %% [markdown]
# ## Training
#
# A fifth of the rows is kept for a test at the end. Of the rest, the estimator takes a tenth to select the model and to
# calibrate its probabilities, and a tenth for a test of its own, which is in its report.

# %%
train, test = train_test_split(table, test_size=0.2, random_state=1, stratify=table["label"])
model = SentimentClassifier("quick", settings={"training.epochs": 3}, random_state=1)
model.fit(train["text"], train["label"])
print(f"accuracy on unseen texts: {model.score(test['text'], test['label']):.3f}")

# %% [markdown]
# ## The report
#
# `report_` is a dictionary with all settings and figures. The figures of a small test are uncertain, and the intervals
# say how much.

# %%
report = model.report_
low, high = report["test_intervals"]["accuracy"]
print(f"accuracy in the estimator's own test: {report['test']['accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f})")
for record in report["history"]:
    print(f"after epoch {record['epoch']}: validation loss {record['validation']['loss']:.4f}")
for warning in report["warnings"]:
    print(f"warning: {warning}")
print(classification_report(test["label"], model.predict(test["text"])))

# %% [markdown]
# ## Predictions and probabilities
#
# Columns of probabilities are in the order of `classes_`.

# %%
texts = ["a wonderful story, superb actors", "a dreadful script and a tedious ending", "a film"]
answers = pd.DataFrame(model.predict_proba(texts), columns=model.classes_, index=texts)
answers["predicted"] = model.predict(texts)
print(answers.round(3))

# %% [markdown]
# Which texts should a person look at? Those about which the model is least certain:

# %%
certainty = pd.Series(model.predict_proba(test["text"]).max(axis=1), index=test.index)
print(test.loc[certainty.nsmallest(3).index])

# %% [markdown]
# ## scikit-learn's tools

# %%
scores = cross_val_score(model, train["text"], train["label"], cv=3)
print(f"cross-validated accuracy: {scores.mean():.3f} (from {scores.min():.3f} to {scores.max():.3f})")

# %% [markdown]
# ## Saving
#
# joblib keeps the whole estimator. `classifier_.save` writes a model's folder, which `sentiment predict --model`,
# Spark and programs in Rust can open, too.

# %%
joblib.dump(model, folder / "model.joblib")
model.classifier_.save(folder / "model")

loaded = joblib.load(folder / "model.joblib")
assert (loaded.predict(test["text"]) == model.predict(test["text"])).all()

classifier = Classifier.load(folder / "model")
print(classifier)
print(classifier.predict(texts))
assert classifier.predict(texts) == model.predict(texts).tolist()

# %%
temporary.cleanup()
