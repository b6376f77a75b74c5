"""Models that TensorFlow 1.15 wrote, by every way that modules take, against its records."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from tests.other_models_records import NAMES, OtherModel, model, squares, whole
from tests.records import OUTPUT_TOLERANCE, STEP_TOLERANCE, assert_close

_RATE = 0.1
# What another process does with a SavedModel, with TensorFlow alone.
_PLAIN_TENSORFLOW = """
import pathlib, sys
import numpy as np
import tensorflow as tf

for path in sorted(p for p in pathlib.Path(sys.argv[1]).iterdir() if p.is_dir()):
    with np.load(f"{path}.npz") as file:
        given = dict(file)
    loaded = tf.saved_model.load(str(path))
    inputs = {n[3:]: tf.constant(value) for n, value in given.items() if n.startswith("in/")}
    names = sorted(n[4:] for n in given if n.startswith("out/"))
    with tf.GradientTape() as tape:
        outputs = loaded.signatures[str(given["signature"])](**inputs)
        loss = tf.add_n([tf.reduce_sum(outputs[n] ** 2) for n in names])
    gradients = tape.gradient(loss, list(loaded.trainable_variables))
    dense = [tf.convert_to_tensor(g) for g in gradients if g is not None]
    total = sum(float(tf.reduce_sum(g**2)) for g in dense)
    found = {f"out/{n}": outputs[n].numpy() for n in names}
    np.savez(f"{path}.npz", **found, **{f"gradients/{len(dense)}": total})
assert "compat_hub" not in sys.modules
"""
_OF_KERAS = ["checkpoint", "is_training", "two_graphs", "frozen_resource", "tables", "estimator"]


@pytest.mark.parametrize("name", NAMES)
def test_outputs_gradients_and_steps_are_those_of_tensorflow_1(name: str, tmp_path: Path) -> None:
    record = model(name)
    module = record.load()
    trainable = {id(v) for v in module.trainable_variables}
    trained = [n for n, v in module.variable_map.items() if id(_first(v)) in trainable]
    assert sorted(module.variable_map) == record.meta["variables"]
    assert sorted(trained) == record.meta["trainable"]
    outputs, _, gradients = _differentiate(module, record, training=False)
    _compare(outputs, record.part("out"), OUTPUT_TOLERANCE)
    _compare(gradients, record.part("gradient"), STEP_TOLERANCE)
    module.export(tmp_path / "exported")
    for step in range(3):
        _, loss, gradients = _differentiate(module, record, training=True)
        assert_close(loss, record.arrays[f"loss/{step}"], OUTPUT_TOLERANCE, f"loss {step}")
        if step == 0:
            _compare(_values(module), record.part("update"), OUTPUT_TOLERANCE)
        for key, gradient in gradients.items():
            _descend(module.variable_map[key], gradient)
    _compare(_values(module), record.part("step"), STEP_TOLERANCE)
    again = compat_hub.load(tmp_path / "exported")
    found = again(record.inputs, signature=record.signature, as_dict=True)
    _compare(found, record.part("out"), OUTPUT_TOLERANCE)


def test_what_is_converted_needs_no_compat_hub(tmp_path: Path) -> None:
    for name in NAMES:
        record = model(name)
        compat_hub.convert(record.load(), tmp_path / name)
        wanted: dict[str, Any] = {f"out/{n}": np.zeros(0) for n in record.part("out")}
        inputs = {f"in/{n}": value.numpy() for n, value in record.inputs.items()}
        inputs = {n: v.astype("S") if v.dtype.kind == "O" else v for n, v in inputs.items()}
        given: dict[str, Any] = {**wanted, **inputs, "signature": record.signature}
        np.savez(tmp_path / f"{name}.npz", **given)
    program = [sys.executable, "-c", _PLAIN_TENSORFLOW, str(tmp_path)]
    found = subprocess.run(program, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-3000:]
    for name in NAMES:
        record = model(name)
        with np.load(tmp_path / f"{name}.npz") as arrays:
            results = dict(arrays)
        outputs = {n: results[f"out/{n}"] for n in record.part("out")}
        _compare(outputs, record.part("out"), OUTPUT_TOLERANCE)
        gradients = record.part("gradient").values()
        parts = 2 if name == "checkpoint_sharded" else 0  # of one variable, besides the first
        total = sum(float(np.sum(g.astype(np.float64) ** 2)) for g in gradients)
        assert results[f"gradients/{len(gradients) + parts}"] == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("name", _OF_KERAS)
@pytest.mark.parametrize("kind", ["keras3", "keras2"])
def test_a_layer_trains_as_a_session_did(name: str, kind: str) -> None:
    record = model(name)
    layer = getattr(compat_hub, kind).KerasLayer(
        record.load(),
        trainable=True,
        signature=record.signature,
        signature_outputs_as_dict=True,
    )
    inputs = record.inputs if len(record.inputs) > 1 else next(iter(record.inputs.values()))
    _compare(layer(inputs), record.part("out"), OUTPUT_TOLERANCE)
    for step in range(3):
        with tf.GradientTape() as tape:
            outputs = layer(inputs, training=True)
            loss = squares(outputs, record.part("out")) + sum(layer.losses)
        assert_close(loss, record.arrays[f"loss/{step}"], OUTPUT_TOLERANCE, f"loss {step}")
        weights = layer.trainable_weights
        for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            if gradient is not None:
                weight.assign(weight - _RATE * tf.convert_to_tensor(gradient))
    _compare(_values(layer.resolved_object), record.part("step"), STEP_TOLERANCE)


def _differentiate(
    module: compat_hub.HubModule, record: OtherModel, training: bool
) -> tuple[dict[str, Any], tf.Tensor, dict[str, Any]]:
    with tf.GradientTape() as tape:
        outputs = module(record.inputs, signature=record.signature, as_dict=True, training=training)
        loss = squares(outputs, record.part("out"))
        losses = module.regularization_losses if training else []
        loss = tf.add_n([loss, *(term() for term in losses)])
    variables = list(module.trainable_variables)
    found = dict(zip(map(id, variables), tape.gradient(loss, variables), strict=True))
    dense = {k: None if g is None else tf.convert_to_tensor(g) for k, g in found.items()}
    gradients: dict[str, Any] = {}
    for name, value in module.variable_map.items():
        parts = [dense.get(id(v)) for v in (value if isinstance(value, list) else [value])]
        if all(part is not None for part in parts):
            gradients[name] = parts if isinstance(value, list) else parts[0]
    return outputs, loss, gradients


def _descend(variable: Any, gradient: Any) -> None:
    if isinstance(variable, list):
        for part, of_part in zip(variable, gradient, strict=True):
            _descend(part, of_part)
    else:
        variable.assign_sub(_RATE * gradient)


def _values(module: compat_hub.HubModule) -> dict[str, Any]:
    return {n: whole(v) for n, v in module.variable_map.items()}


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _compare(found: Any, expected: dict[str, np.ndarray], tolerance: float) -> None:
    assert expected.keys() <= found.keys()
    for name, value in expected.items():
        assert_close(whole(found[name]), value, tolerance, name)
