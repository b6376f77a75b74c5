"""Each output gives a gradient to the variables that it gave one under TF 1.15, and to no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from tests.records import FIXTURES, Record, assert_close, read_records

_RECORDS = {name: r for name, r in read_records(FIXTURES).items() if r.meta.get("gradients")}
_Gradients = list[Any]


def _tape(call: Callable[[], tf.Tensor], variables: Any, **options: bool) -> _Gradients:
    with tf.GradientTape(**options) as tape:
        output = tf.reduce_sum(call())
    return tape.gradient(output, variables)


def _persistent_tape(call: Callable[[], tf.Tensor], variables: Any) -> _Gradients:
    return _tape(call, variables, persistent=True)


def _in_function(find: Callable[..., _Gradients]) -> Callable[..., _Gradients]:
    def found(call: Callable[[], tf.Tensor], variables: Any) -> _Gradients:
        missing: list[bool] = []

        @tf.function(autograph=False)
        def run() -> _Gradients:
            gradients = find(call, variables)
            missing[:] = [g is None for g in gradients]
            return [tf.zeros([]) if g is None else tf.convert_to_tensor(g) for g in gradients]

        values = run()
        return [None if none else value for none, value in zip(missing, values, strict=True)]

    return found


def _symbolic(call: Callable[[], tf.Tensor], variables: Any) -> _Gradients:
    return tf.gradients(tf.reduce_sum(call()), [v.handle for v in variables])


_WAYS = {
    "tape": _tape,
    "persistent tape": _persistent_tape,
    "tape in tf.function": _in_function(_tape),
    "persistent tape in tf.function": _in_function(_persistent_tape),
    "tf.gradients in tf.function": _in_function(_symbolic),
}


def _cases() -> list[Any]:
    return [
        pytest.param(record, signature, id=f"{name}-{signature}")
        for name, record in _RECORDS.items()
        for signature in record.meta["gradients"]
    ]


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "of all"])
@pytest.mark.parametrize(("differentiated", "signature"), _cases())
def test_each_output(differentiated: Record, signature: str, alone: bool, way: str) -> None:
    record, module = differentiated, compat_hub.load(differentiated.path)
    inputs = record.inputs(signature)
    for output, expected in record.meta["gradients"][signature].items():

        def call(output: str = output) -> tf.Tensor:
            names = [output] if alone else None
            return module.call_signature(inputs, signature, names).outputs[output]

        if expected is None:
            with pytest.raises((LookupError, compat_hub.HubError)):
                _WAYS[way](call, module.trainable_variables)
            continue
        gradients = dict(
            zip(_names(module), _WAYS[way](call, module.trainable_variables), strict=True)
        )
        assert sorted(n for n, g in gradients.items() if g is not None) == expected, output
        for name in expected:
            value = record.arrays[f"grad/{signature}/{output}/{name}"]
            found = tf.convert_to_tensor(gradients[name]).numpy()
            what = f"gradient of {output} by {name}"
            np.testing.assert_array_equal(np.isnan(found), np.isnan(value), what)
            assert_close(np.nan_to_num(found), np.nan_to_num(value), 1e-4, what)


def _names(module: compat_hub.HubModule) -> list[str]:
    names = {v.ref(): name for name, v in module.variable_map.items()}
    return [names[v.ref()] for v in module.trainable_variables]
