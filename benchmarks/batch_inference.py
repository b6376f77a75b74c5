"""Rows per second in Beam pipelines, beside a plain loop: python -m benchmarks.batch_inference."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.ml.inference.base import RunInference
from apache_beam.ml.inference.tensorflow_inference import TFModelHandlerTensor
from apache_beam.ml.inference.utils import _convert_to_result

import compat_hub
from compat_hub.beam import HubModelHandler

v1 = tf.compat.v1

_ROWS, _INPUTS, _UNITS, _BATCH, _ROUNDS = 20_000, 64, 512, 256, 5


def _dense() -> None:
    x = inputs = v1.placeholder(tf.float32, [None, _INPUTS], "x")
    for k in range(4):
        shape = [x.shape[-1], _UNITS]
        values = v1.truncated_normal_initializer(stddev=0.05)
        x = tf.tanh(x @ v1.get_variable(f"kernel_{k}", shape, initializer=values))
    compat_hub.add_signature(inputs={"x": inputs}, outputs=x)


def _call_signature(
    model: Any, batch: Sequence[tf.Tensor], arguments: dict[str, Any], model_id: str | None = None
) -> Iterable[Any]:
    """As Beam's default does, by the signature."""
    found = model.signatures["default"](x=tf.stack(batch, axis=0), **arguments)["default"]
    return _convert_to_result(batch, found.numpy(), model_id)


def _pipeline(handler: Any, rows: Sequence[Any]) -> Callable[[], None]:
    def run() -> None:
        with beam.Pipeline() as pipeline:
            found = pipeline | beam.Create(rows) | RunInference(handler)
            _ = found | beam.Map(lambda r: float(r.inference[0])) | beam.CombineGlobally(sum)

    return run


def main() -> None:
    """Prints a line for each way."""
    rows = list(np.random.default_rng(1).random((_ROWS, _INPUTS), np.float32))
    with tempfile.TemporaryDirectory() as folder:
        path = compat_hub.load(compat_hub.create_module_spec(_dense)).export(f"{folder}/module")
        saved = compat_hub.convert(path, f"{folder}/saved")
        module = compat_hub.load(path)

        def loop() -> None:
            total = 0.0
            for start in range(0, _ROWS, _BATCH):
                found = module(np.stack(rows[start : start + _BATCH])).numpy()
                total += float(found[:, 0].sum())

        sizes = {"min_batch_size": _BATCH, "max_batch_size": _BATCH}
        theirs = TFModelHandlerTensor(
            saved,
            inference_fn=_call_signature,
            load_model_args={"compile": False},
            **sizes,
        )
        theirs.load_model = lambda: tf.saved_model.load(saved)  # its own takes Keras models only
        ways = {
            "a loop": loop,
            "HubModelHandler": _pipeline(HubModelHandler(path, **sizes), rows),
            "HubModelHandler, unchecked": _pipeline(
                HubModelHandler(path, check_examples=False, **sizes), rows
            ),
            "TFModelHandlerTensor": _pipeline(theirs, [tf.constant(row) for row in rows]),
        }
        times: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(_ROUNDS + 1):
            for way, run in ways.items():
                start = time.perf_counter()
                run()
                if turn:
                    times[way].append(time.perf_counter() - start)
    print(f"{_ROWS} rows, batches of {_BATCH}; the pipelines include loading")
    for way, found in times.items():
        print(f"{way:28} {_ROWS / statistics.median(found):10.0f} rows per second")


if __name__ == "__main__":
    main()
