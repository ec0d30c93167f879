"""Proves that Spark and Ray answer a large table as `sentiment predict` does, each row once, whatever dies on the way.

    python make_table.py --reviews reviews.csv --output table.parquet
    sentiment predict --model models/quick --input table.parquet --output expected.parquet
    python prove.py --model models/quick --table table.parquet --expected expected.parquet

It needs Linux, Java 17, the wheel and what `requirements.txt` names. It takes minutes. At any difference it ends
with 1.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet
import ray_proof
import spark_proof
from comparison import Difference

PROOFS = {"spark": spark_proof.prove, "ray": ray_proof.prove}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="folder of a model with two classes")
    parser.add_argument("--table", required=True, help="Parquet file with the columns id and text")
    parser.add_argument("--expected", required=True, help="Parquet file that `sentiment predict` wrote for the table")
    parser.add_argument("--text", default="text", help="the column of texts")
    parser.add_argument("--only", choices=PROOFS, help="leave out the other")
    args = parser.parse_args()
    expected = pyarrow.parquet.read_table(args.expected, columns=["id", "predicted_label", "probability"])
    try:
        for name, prove in PROOFS.items():
            if args.only in (None, name):
                # A short path: Ray puts sockets there.
                with tempfile.TemporaryDirectory(prefix="prove-") as folder:
                    prove(args, expected, _threshold(args.model), Path(folder))
    except Difference as difference:
        print(f"FAILED: {difference}", file=sys.stderr)
        return 1
    print("proven")
    return 0


def _threshold(model):
    """The probability from which the second of two classes is predicted."""
    from sentiment_rnn import Classifier

    classifier = Classifier.load(model)
    if classifier.task != "binary":
        return None
    return 0.5 if classifier.thresholds is None else float(classifier.thresholds[0])


if __name__ == "__main__":
    sys.exit(main())
