"""Ray Data, with two actors, as in ``examples/ray_predict.py``."""

import os
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import processes
from comparison import Difference, compare
from report import report

N_ACTORS = 2


def prove(args, expected, threshold, folder):
    """Answers the table with two actors, and compares; prints what happened."""
    import ray

    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
    import ray_predict

    class Signed(ray_predict.Answers):
        """Answers with the actor's process."""

        def __call__(self, batch):
            answers = super().__call__(batch)
            return answers.append_column("process", pa.array([os.getpid()] * len(answers), pa.int64()))

    # Ray's workers cannot import the example.
    ray.cloudpickle.register_pickle_by_value(ray_predict)
    # Reading needs a core besides those of the actors.
    ray.init(num_cpus=N_ACTORS + 2, include_dashboard=False, log_to_driver=False, _temp_dir=str(folder / "ray"))
    try:
        users = processes.ModelUsers(args.model)
        users.start()
        start = time.monotonic()
        dataset = ray.data.read_parquet(os.path.abspath(args.table))
        answers = ray_predict.answered(dataset, args.model, actor=Signed, actors=N_ACTORS, text=args.text)
        answers = pa.concat_tables(ray.get(answers.to_arrow_refs()))
        seconds = time.monotonic() - start
        seen = users.stop()
    finally:
        ray.shutdown()
    report("ray", len(expected), seconds, seen, args.model)
    by_actor = Counter(answers.column("process").to_pylist())
    print(f"ray: rows by actor: {', '.join(f'{process}: {n}' for process, n in sorted(by_actor.items()))}")
    if len(by_actor) != N_ACTORS:
        raise Difference(f"ray: {len(by_actor)} actors have answered, expected {N_ACTORS}")
    difference = compare(answers, expected, threshold)
    print(f"ray: {len(answers)} ids, each once; probabilities differ by at most {difference:.1e}")
