"""Answers for a Parquet table of any size with Ray Data, from actors that load a model once each.

    python ray_predict.py --model models/reviews --input reviews.parquet --output answers --actors 2

The output is a folder of Parquet files: the columns of the input, then ``predicted_label`` and ``probability``.
On a cluster, every node must see the model's folder under the same path.
"""

import argparse
import os
import sys

import pyarrow as pa
import ray

COLUMNS = ["predicted_label", "probability"]


class Answers:
    """An actor that has loaded a model."""

    def __init__(self, model, text="text", threads=1):
        # Before the first computation: each actor is a process of its own, and has one core.
        for name in ("RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"):
            os.environ[name] = str(threads)
        from sentiment_rnn import Classifier

        self.classifier = Classifier.load(model)
        self.text = text

    def __call__(self, batch: pa.Table) -> pa.Table:
        taken = sorted(set(COLUMNS) & set(batch.column_names))
        if taken:
            raise ValueError(f"the table has a column {taken[0]!r} already: rename it with Dataset.rename_columns")
        answers = pa.table(self.classifier.answers(batch.column(self.text)))
        for name in COLUMNS:
            batch = batch.append_column(name, answers.column(name))
        return batch


def answered(dataset, model, *, actor=Answers, actors=2, text="text", batch_size=4096):
    """``dataset`` with columns of answers, once it is consumed; computed by so many actors with one core each."""
    # A block goes to one actor, and a file of 100 MB may be read as a single block.
    blocks = dataset.repartition(target_num_rows_per_block=batch_size)
    return blocks.map_batches(
        actor,
        fn_constructor_kwargs={"model": os.path.abspath(model), "text": text},
        batch_format="pyarrow",
        batch_size=batch_size,
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=1,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="folder of a trained model")
    parser.add_argument("--input", required=True, help="Parquet file or folder")
    parser.add_argument("--output", required=True, help="folder for the answers")
    parser.add_argument("--text", default="text", help="column of the texts")
    parser.add_argument("--actors", type=int, help="processes with one core each [default: one core is left over]")
    args = parser.parse_args()
    ray.init()
    cores = int(ray.cluster_resources().get("CPU", 0))
    actors = args.actors or max(cores - 1, 1)
    # They would wait for texts that nobody reads.
    if actors >= cores:
        sys.exit(
            f"{actors} actors leave none of {cores} cores for reading and writing: take fewer, or start Ray with more, "
            f"for example with ray start --head --num-cpus={actors + 1}"
        )
    dataset = ray.data.read_parquet(args.input)
    answered(dataset, args.model, actors=actors, text=args.text).write_parquet(args.output)


if __name__ == "__main__":
    main()
