"""Calls of a loaded module, ours and theirs in turn in one process."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

import compat_hub
from benchmarks.modules.inputs import call_of
from benchmarks.processes import Figures

_ROUNDS = 40
_SECONDS = 25.0


def eager(module: str) -> Figures:
    """A signature called eagerly."""
    ours, theirs, inputs = _signatures(module)
    return interleaved(lambda: ours(**inputs), lambda: theirs(**inputs), calls=50)


def function(module: str) -> Figures:
    """A signature called inside tf.function."""
    ours, theirs, inputs = _signatures(module)
    in_ours = tf.function(lambda x: ours(**x))
    in_theirs = tf.function(lambda x: theirs(**x))
    return interleaved(lambda: in_ours(inputs), lambda: in_theirs(inputs))


def session(module: str) -> Figures:
    """Inside tf.function beside a session of TF1."""
    ours, _, inputs = _signatures(module)
    in_ours = tf.function(lambda x: ours(**x))
    v1 = tf.compat.v1
    call = call_of(os.path.basename(module))
    graph = v1.Graph()
    with graph.as_default():
        session = v1.Session(graph=graph)
        signature = v1.saved_model.load(session, [], module).signature_def[call.signature]
        outputs = [v.name for v in signature.outputs.values()]
        run = session.make_callable(outputs, [signature.inputs[k].name for k in inputs])
    values = [v.numpy() for v in inputs.values()]
    return interleaved(lambda: in_ours(inputs), lambda: run(*values))


def _signatures(module: str) -> tuple[Callable[..., Any], Callable[..., Any], dict[str, tf.Tensor]]:
    call = call_of(os.path.basename(module))
    ours = compat_hub.load(module).signatures[call.signature]
    loaded = tf.saved_model.load(module, tags=[])
    theirs = loaded.signatures[call.signature]
    theirs.owner = loaded  # or its variables are gone
    found, expected = (f(**call.inputs)[call.output].numpy() for f in (ours, theirs))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    return ours, theirs, call.inputs


def interleaved(
    ours: Callable[[], object], theirs: Callable[[], object], calls: int = 1
) -> Figures:
    """Median seconds of a call of each, called in turn so that a slow moment slows both."""
    times: tuple[list[float], list[float]] = ([], [])
    begin = time.perf_counter()
    for turn in range(_ROUNDS + 3):
        for call, found in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            for _ in range(calls):
                call()
            if turn >= 3:
                found.append((time.perf_counter() - start) / calls)
        if time.perf_counter() - begin > _SECONDS and turn >= 6:
            break
    return {"ours": statistics.median(times[0]), "theirs": statistics.median(times[1])}
