"""Spark, with an executor that is killed on the way."""

import json
import os
import signal
import sys
import threading
import time

import pyarrow.parquet
import processes
from comparison import Difference, compare
from report import report

MASTER = "local-cluster[2,1,1024]"
# So many that an executor dies with much still to do.
N_PARTITIONS = 40


def prove(args, expected, threshold, folder):
    """Answers the table on two executors, of which one is killed, and compares; prints what happened."""
    from sentiment_rnn import Classifier, spark

    session = _session(args, folder)
    try:
        table = session.read.parquet(os.path.abspath(args.table))
        print(f"spark: {MASTER}, {table.rdd.getNumPartitions()} partitions")
        users, killer = processes.ModelUsers(args.model), _Killer(session.sparkContext)
        users.start()
        killer.start()
        start = time.monotonic()
        answers = spark.predict(table, args.text, model=os.path.abspath(args.model))
        answers.write.parquet(str(folder / "answers"))
        seconds = time.monotonic() - start
        killer.join()
        seen = users.stop()

        # The other way to ship a model, without a folder that all see.
        some = table.where("id < 20000")
        sent = spark.predict(some, args.text, model=Classifier.load(args.model)).toArrow()
    finally:
        session.stop()
    if killer.killed is None:
        raise Difference("spark: no executor was killed, as the run ended too soon: use a table with more rows")
    lost, n_retried = _losses(folder / "events", killer.executor)
    print(f"spark: executor {killer.executor} (process {killer.killed}) was killed and lost: {lost}")
    print(f"spark: {n_retried} of its tasks were run again")
    report("spark", len(expected), seconds, seen, args.model)
    written = pyarrow.parquet.read_table(folder / "answers")
    difference = compare(written, expected, threshold)
    print(f"spark: {len(written)} ids, each once; probabilities differ by at most {difference:.1e}")
    difference = compare(sent, expected.filter(pyarrow.compute.field("id") < 20000), threshold)
    print(f"spark: {len(sent)} ids with a model that was broadcast; probabilities differ by at most {difference:.1e}")


def _session(args, folder):
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    (folder / "events").mkdir()
    builder = SparkSession.builder.master(MASTER).appName("prove")
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.executor.memory": "1024m",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": (folder / "events").as_uri(),
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
        "spark.sql.files.maxPartitionBytes": str(max(os.path.getsize(args.table) // N_PARTITIONS, 1)),
        "spark.sql.files.openCostInBytes": "0",
        "spark.local.dir": str(folder),
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


class _Killer(threading.Thread):
    """Kills an executor as soon as a quarter of a stage's tasks are done."""

    def __init__(self, context):
        super().__init__(daemon=True)
        self._tracker = context.statusTracker()
        #: The process and the executor that were killed.
        self.killed = self.executor = None

    def run(self):
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            for stage in self._tracker.getActiveStageIds():
                info = self._tracker.getStageInfo(stage)
                if info and info.numTasks >= 4 and 4 * info.numCompletedTasks >= info.numTasks:
                    self._kill()
                    return
            time.sleep(0.1)

    def _kill(self):
        for process in sorted(processes.descendants()):
            command = processes.command(process)
            if "CoarseGrainedExecutorBackend" in command and "--executor-id" in command:
                executor = command.split("--executor-id")[1].split()[0]
                os.kill(process, signal.SIGKILL)
                self.killed, self.executor = process, executor
                return


def _losses(folder, executor):
    """Why Spark lost an executor, and the number of tasks that were run again because of that."""
    events = [json.loads(line) for file in folder.iterdir() for line in file.read_text().splitlines()]

    def of_kind(kind):
        return [event for event in events if event["Event"] == f"SparkListener{kind}"]

    removed = [event for event in of_kind("ExecutorRemoved") if event["Executor ID"] == executor]
    if not removed:
        raise Difference(f"spark: executor {executor} was killed, but Spark does not say that it was lost")
    if len(of_kind("ExecutorAdded")) < 3:
        raise Difference(f"spark: executor {executor} was killed, but not replaced")
    failed = [event for event in of_kind("TaskEnd") if event["Task End Reason"]["Reason"] != "Success"]
    again = {(event["Stage ID"], event["Task Info"]["Index"]) for event in failed}
    for event in of_kind("TaskEnd"):
        if event["Task End Reason"]["Reason"] == "Success":
            again.discard((event["Stage ID"], event["Task Info"]["Index"]))
    if again:
        raise Difference(f"spark: the tasks {sorted(again)} never succeeded")
    if not failed:
        raise Difference(f"spark: executor {executor} was killed, but had no task: nothing was proven")
    return " ".join(removed[0]["Removed Reason"].split()), len(failed)
