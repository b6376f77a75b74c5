"""Every variant and signature of every module gives TF 1.15's outputs, however it is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

import compat_hub
from tests.records import Record, assert_close, value_of

Call = Callable[[compat_hub.HubModule, str, dict[str, Any]], dict[str, Any]]


def _eagerly(module: compat_hub.HubModule, signature: str, inputs: dict) -> dict:
    return module(inputs, signature=signature, as_dict=True)


def _in_a_function(module: compat_hub.HubModule, signature: str, inputs: dict) -> dict:
    infos = module.get_input_info_dict(signature)
    tensors = {
        name: value
        if isinstance(value, tf.SparseTensor | tf.RaggedTensor)
        else tf.convert_to_tensor(value, infos[name].dtype)
        for name, value in inputs.items()
    }
    return tf.function(lambda feeds: module(feeds, signature=signature, as_dict=True))(tensors)


def _by_keyword(module: compat_hub.HubModule, signature: str, inputs: dict) -> dict:
    function = module.signatures[signature]
    outputs = function(**inputs)
    assert function.structured_outputs.keys() == outputs.keys()
    return outputs


def _by_position(module: compat_hub.HubModule, signature: str, inputs: dict) -> dict:
    function = module.signatures[signature]
    return function(*inputs.values()) if len(inputs) == 1 else function(inputs)


@pytest.mark.parametrize("call", [_eagerly, _in_a_function, _by_keyword, _by_position])
def test_calls(record: Record, call: Call) -> None:
    for tags in record.tag_sets:
        for signature in record.signatures(tags):
            # Loaded anew: a call may change the state, and the record is of the first.
            module = compat_hub.load(record.path, tags=tags)
            for turn in range(1, record.calls(tags, signature) + 1):
                found = call(module, signature, record.inputs(signature))
                expected = record.outputs(tags, signature, turn)
                assert expected.keys() <= found.keys()
                for name, value in expected.items():
                    what = f"{tags} {signature} {name}, call {turn}"
                    assert_close(found[name], value, record.output_tolerance, what)
                for name, value in record.changed(tags, signature, turn).items():
                    changed = value_of(module.variable_map[name])
                    what = f"{name} after call {turn}"
                    assert_close(changed, value, record.output_tolerance, what)


def test_variables_have_the_stored_values(record: Record) -> None:
    module = compat_hub.load(record.path)
    expected = record.variables(0)
    assert expected.keys() <= module.variable_map.keys()
    for key, value in expected.items():
        assert_close(value_of(module.variable_map[key]), value, 0, key)


def test_static_shapes(record: Record) -> None:
    if "shapes" not in record.meta:
        pytest.skip("the record has no static shapes")
    modules = [compat_hub.load(record.path, tags=tags) for tags in record.meta["variants"]]
    for signature, shapes in record.meta["shapes"].items():
        module = next(m for m in modules if signature in m.signatures)
        specs = {n: i.type_spec for n, i in module.get_input_info_dict(signature).items()}
        function = tf.function(lambda feeds, m=module, s=signature: m(feeds, s, as_dict=True))
        outputs = function.get_concrete_function(specs).structured_outputs
        for name, shape in shapes.items():
            found = outputs[name].shape
            expected = tf.TensorShape(shape)
            assert expected.is_compatible_with(found)
            # As much is known as TF 1.15 knew, or more.
            assert found.is_subtype_of(expected), f"{name}: {found}, recorded {expected}"


def test_two_loads_in_one_program(record: Record) -> None:
    for tags in record.tag_sets[:1]:
        modules = [compat_hub.load(record.path, tags=tags) for _ in range(2)]
        for signature in record.signatures(tags)[:1]:
            inputs = record.inputs(signature)
            for module in modules:
                outputs = module(inputs, signature, as_dict=True)
                for name, value in record.outputs(tags, signature).items():
                    assert_close(outputs[name], value, record.output_tolerance, name)
        for a, b in zip(*(m.variables for m in modules), strict=True):
            assert a is not b
