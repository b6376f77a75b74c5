"""Every variant and signature of every module gives TF 1.15's outputs, however it is called."""

from __future__ import annotations

import pytest
import tensorflow as tf

import compat_hub
from tests.records import Record, assert_close, value_of

# Calls of these change the state that the next call sees: they are called once only.
_STATEFUL = {"counter"}


def _loaded(record: Record, tags: list[str]) -> compat_hub.HubModule:
    return compat_hub.load(record.path, tags=tags)


def _check(record: Record, tags: list[str], signature: str, outputs: dict) -> None:
    expected = record.outputs(tags, signature)
    assert expected.keys() <= outputs.keys()
    for name, value in expected.items():
        what = f"{tags} {signature} {name}"
        assert_close(outputs[name], value, record.output_tolerance, what)


def test_variables_have_the_stored_values(record: Record) -> None:
    module = compat_hub.load(record.path)
    expected = record.variables(0)
    assert expected.keys() <= module.variable_map.keys()
    for key, value in expected.items():
        assert_close(value_of(module.variable_map[key]), value, 0, key)


def test_eager_calls(record: Record) -> None:
    for tags in record.tag_sets:
        module = _loaded(record, tags)
        for signature in record.signatures(tags):
            outputs = module(record.inputs(signature), signature=signature, as_dict=True)
            _check(record, tags, signature, outputs)
            if record.folder.name in _STATEFUL:
                break


def test_calls_in_a_tf_function(record: Record) -> None:
    for tags in record.tag_sets:
        module = _loaded(record, tags)
        for signature in record.signatures(tags):

            @tf.function
            def apply(inputs, module=module, signature=signature):
                return module(inputs, signature=signature, as_dict=True)

            inputs = record.inputs(signature)
            tensors = {name: module.get_input_info_dict(signature)[name].dtype for name in inputs}
            inputs = {
                n: v
                if isinstance(v, tf.SparseTensor | tf.RaggedTensor)
                else tf.convert_to_tensor(v, tensors[n])
                for n, v in inputs.items()
            }
            _check(record, tags, signature, apply(inputs))
            if record.folder.name in _STATEFUL:
                break


def test_signature_callables(record: Record) -> None:
    module = (
        _loaded(record, record.tag_sets[0]) if record.tag_sets else compat_hub.load(record.path)
    )
    assert set(record.meta["signatures"]) <= set(module.signatures)
    for tags in record.tag_sets[:1]:
        for signature in record.signatures(tags):
            inputs = record.inputs(signature)
            function = module.signatures[signature]
            assert function.structured_outputs.keys() >= record.outputs(tags, signature).keys()
            if len(inputs) == 1 and record.folder.name not in _STATEFUL:
                _check(record, tags, signature, function(next(iter(inputs.values()))))
            else:
                _check(record, tags, signature, function(**inputs))
                break


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
            assert tf.TensorShape(shape).is_compatible_with(outputs[name].shape)
            if shape is not None:
                found = outputs[name].shape.as_list()
                assert all(f == d for f, d in zip(found, shape, strict=True) if d is not None), name


def test_two_loads_in_one_program(record: Record) -> None:
    if record.folder.name in _STATEFUL:
        pytest.skip("a call changes the state")
    for tags in record.tag_sets[:1]:
        first, second = _loaded(record, tags), _loaded(record, tags)
        for signature in record.signatures(tags):
            inputs = record.inputs(signature)
            for module in (first, second):
                _check(record, tags, signature, module(inputs, signature, as_dict=True))
        for a, b in zip(first.variables, second.variables, strict=True):
            assert a is not b
