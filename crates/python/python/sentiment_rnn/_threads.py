"""The number of threads that compute."""

from __future__ import annotations

import operator
import os

from . import _native


def set_num_threads(n: int) -> None:
    """Sets how many threads may compute, in the whole process; the default is one for each core.

    It must be called before anything is trained or predicted, because the threads are started then and stay.
    Setting the environment variables ``RAYON_NUM_THREADS`` and ``CANDLE_NUM_THREADS`` before that does the same.

    Raises:
        ValueError: If `n` is less than 1.
        RuntimeError: If the threads have been started already.
    """
    n = operator.index(n)
    if n < 1:
        raise ValueError(f"n is {n}, expected at least 1")
    if _native.threads_started():
        raise RuntimeError(
            "the threads have been started already; call set_num_threads before the first use of sentiment_rnn, or "
            "set the environment variables RAYON_NUM_THREADS and CANDLE_NUM_THREADS"
        )
    # Both pools look there when they start.
    os.environ["RAYON_NUM_THREADS"] = os.environ["CANDLE_NUM_THREADS"] = str(n)
