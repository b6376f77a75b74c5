"""A second handle on the same module in one process."""

from __future__ import annotations

import os
import time

import tensorflow as tf

import compat_hub
from benchmarks.modules.inputs import call_of
from benchmarks.processes import Figures


def compat(module: str) -> Figures:
    """Seconds of load and first call, for the first handle and for the second."""
    tf.function(lambda: tf.constant(1) + 1)()
    call = call_of(os.path.basename(module))
    times = []
    kept = []
    for _ in range(2):
        start = time.perf_counter()
        loaded = compat_hub.load(module)
        loaded.signatures[call.signature](**call.inputs)
        times.append(time.perf_counter() - start)
        kept.append(loaded)
    return {"ours": times[1], "theirs": times[0]}
