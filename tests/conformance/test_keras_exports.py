"""What `model.export()` of either Keras writes, judged in another process by TF 1.15's numbers."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from tests.records import FIXTURES, OUTPUT_TOLERANCE, Record, assert_close, read_records
from tests.roads import prepare_keras
from tests.roads.cases import Case, UnableError

ROOT = Path(__file__).parents[2]
KINDS = list(itertools.product(["keras2", "keras3"], [False, True]))
# Batch normalization, a table and its asset, a loop and several inputs, state that calls change.
SOME = ("image_bn", "text_table", "while_rnn", "stateful_lm")
IN_TFLITE = "image_bn"  # what needs TensorFlow's own ops takes the converter long to find out


def _judge(road: str, cases: Sequence[Case]) -> list[dict[str, str]]:
    """What another process says of each case."""
    command = [sys.executable, "-m", "tests.roads.runner", road, *(str(c.folder) for c in cases)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=environ)
    results = [json.loads(line) for line in run.stdout.splitlines()]
    results = [result for result in results if result["status"] != "started"]
    assert len(results) == len(cases), run.stderr[-2000:]
    return results


@pytest.fixture(scope="module")
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, bool], list[Case]]:
    """By the Keras and whether the layer trains, a model of each module, exported."""
    records = read_records(FIXTURES)
    names = records if request.config.getoption("--every-module") else SOME
    root = tmp_path_factory.mktemp("exported")
    found: dict[tuple[str, bool], list[Case]] = {}
    for kind, trainable in KINDS:
        cases = found[kind, trainable] = []
        for name in names:
            folder = root / f"{kind}-{trainable}" / name
            try:
                cases.append(prepare_keras.write(records[name], folder, kind, trainable))
            except UnableError:
                assert name not in SOME
    return found


def test_every_export_in_a_session_and_on_the_command_line(exported: Any) -> None:
    cases = [case for kind in KINDS for case in exported[kind]]
    assert len(cases) >= 4 * len(SOME)
    for case, result in zip(cases, _judge("keras_export", cases), strict=True):
        assert result["status"] == "yes", (case.folder, result)


def test_every_export_in_tflite(request: pytest.FixtureRequest, exported: Any) -> None:
    every = request.config.getoption("--every-module")
    cases = [c for kind in KINDS for c in exported[kind] if every or c.name == IN_TFLITE]
    for case, result in zip(cases, _judge("lite", cases), strict=True):
        expected = ("yes",) if case.name == IN_TFLITE else ("yes", "unable")
        assert result["status"] in expected, (case.folder, result)


@pytest.mark.parametrize("trainable", [False, True])
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs were expected")
def test_tflite_of_a_keras_3_model(trainable: bool) -> None:
    record = Record(FIXTURES / "image_bn")
    (images,) = record.inputs("default").values()
    layer = compat_hub.keras3.KerasLayer(record.path, trainable=trainable)
    model = keras.Sequential([keras.Input(images.shape[1:], len(images)), layer])
    expected = record.outputs([], "default")["default"]
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    assert_close(_run_lite(converter.convert(), images), expected, OUTPUT_TOLERANCE, "floats")
    # Calibration for integers runs the model on samples, which NaN would end.
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: [[images.astype(np.float32)]]
    assert_close(_run_lite(converter.convert(), images), expected, 0.1, "integers")


def _run_lite(model: bytes, value: np.ndarray) -> np.ndarray:
    interpreter = tf.lite.Interpreter(model_content=model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], value)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
