"""What the check for host access takes of load and first call."""

from __future__ import annotations

import os
import time

import tensorflow as tf

import compat_hub
from benchmarks.modules.inputs import call_of
from benchmarks.processes import Figures
from compat_hub.format.host_access import find_host_access


def compat(module: str) -> Figures:
    """The check of a description just read, and once more: what it reads is not read again.

    The first call reads the same.
    """
    call = call_of(os.path.basename(module))
    tf.function(lambda: tf.constant(1) + 1)()
    start = time.perf_counter()
    compat_hub.load(module).signatures[call.signature](**call.inputs)
    seconds = time.perf_counter() - start
    spec = compat_hub.load_module_spec(module)  # nobody has the first any more
    checks = []
    for _ in range(2):
        start = time.perf_counter()
        for variant in spec.variants.values():
            find_host_access(variant)
        checks.append(time.perf_counter() - start)
    nodes = sum(len(variant.nodes) for variant in spec.variants.values())
    return {"seconds": seconds, "check": checks[0], "again": checks[1], "nodes": nodes}
