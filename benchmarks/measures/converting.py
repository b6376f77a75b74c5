"""Writing a SavedModel of a module, and of an equal native model."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import tensorflow as tf

import compat_hub
from benchmarks.modules import transformer
from benchmarks.modules.layers import KerasLayers
from benchmarks.processes import Figures


def compat(module: str) -> Figures:
    """`HubModule.save`."""
    loaded = compat_hub.load(module)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        loaded.save(f"{folder}/saved")
        return {"seconds": time.perf_counter() - start, "bytes": _size(folder)}


def native(_: str) -> Figures:
    """`tf.saved_model.save` of BERT in tf_keras layers, with the same signature and train call."""
    import tf_keras  # noqa: PLC0415

    names = ("input_ids", "input_mask", "segment_ids")
    inputs = {n: tf_keras.Input([None], dtype=tf.int32, name=n) for n in names}
    encoded = transformer.bert(KerasLayers(), *inputs.values())
    model = tf_keras.Model(inputs, {"pooled": encoded.pooled, "sequence": encoded.sequence})
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        tf.saved_model.save(model, f"{folder}/saved")
        return {"seconds": time.perf_counter() - start, "bytes": _size(folder)}


def _size(folder: str) -> int:
    return sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())
