"""Loading a module and calling it once, in a fresh process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

import compat_hub
from benchmarks.modules.inputs import call_of
from benchmarks.processes import Figures, forget_peak, resident_bytes


def compat(module: str) -> Figures:
    """compat_hub, one signature."""
    return _measure(module, compat_hub.load, lambda m, call: m.signatures[call.signature])


def compat_both_variants(module: str) -> Figures:
    """compat_hub, the signature in inference and in training."""

    def call(loaded: Any, call: Any) -> Callable[..., Any]:
        def both(**inputs: Any) -> None:
            for training in (False, True):
                loaded(inputs, signature=call.signature, as_dict=True, training=training)

        return both

    return _measure(module, compat_hub.load, call)


def saved_model(module: str) -> Figures:
    """TensorFlow's own loader, of one variant."""
    return _measure(
        module,
        lambda path: tf.saved_model.load(path, tags=[]),
        lambda m, call: m.signatures[call.signature],
    )


def tensorflow_hub(module: str) -> Figures:
    """tensorflow_hub's loader."""
    import tensorflow_hub as hub  # noqa: PLC0415

    return _measure(
        module, lambda path: hub.load(path, tags=[]), lambda m, call: m.signatures[call.signature]
    )


def session(module: str) -> Figures:
    """A session of TF1, in this TensorFlow."""
    v1 = tf.compat.v1

    def load(path: str) -> Any:
        graph = v1.Graph()
        session = v1.Session(graph=graph)
        with graph.as_default():
            return session, v1.saved_model.load(session, [], path)

    def function(loaded: Any, call: Any) -> Callable[..., Any]:
        session, meta_graph = loaded
        signature = meta_graph.signature_def[call.signature]

        def run(**inputs: tf.Tensor) -> Any:
            feeds = {signature.inputs[k].name: v.numpy() for k, v in inputs.items()}
            return session.run({k: v.name for k, v in signature.outputs.items()}, feeds)

        return run

    return _measure(module, load, function)


def _measure(
    module: str,
    load: Callable[[str], Any],
    function: Callable[[Any, Any], Callable[..., Any]],
) -> Figures:
    call = call_of(os.path.basename(module))
    tf.function(lambda: tf.constant(1) + 1)()  # TensorFlow sets itself up
    before = resident_bytes()
    forget_peak()
    start = time.perf_counter()
    loaded = load(module)
    peak = resident_bytes(peak=True) - before
    loading = time.perf_counter() - start
    function(loaded, call)(**call.inputs)
    return {
        "seconds": time.perf_counter() - start,
        "load seconds": loading,
        "load peak": peak,
        "weights": _bytes(Path(module) / "variables"),
    }


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
