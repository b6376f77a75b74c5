"""Every module whose signatures take batches gives TF 1.15's outputs in Beam's RunInference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.records import Record, assert_close

pytest.importorskip("apache_beam")

from compat_hub.beam import HubModelHandler


def _length(value: Any) -> int | None:
    """How many rows a value has, None where it has none."""
    shape = value.shape if tf.is_tensor(value) else np.shape(value)
    return None if len(shape) == 0 else int(shape[0])


def _rows(value: Any) -> list[Any]:
    """What each example has of an input, or of an output."""
    if isinstance(value, tf.RaggedTensor):
        return value.to_list()
    if isinstance(value, tf.SparseTensor):
        parts = tf.sparse.split(sp_input=value, num_split=int(value.shape[0]), axis=0)
        return [tf.sparse.reshape(part, part.dense_shape[1:]) for part in parts]
    return list(np.asarray(value))


def _check(found: Any, expected: Any, tolerance: float, what: str) -> None:
    if isinstance(expected, tf.SparseTensor):
        found = tf.SparseTensor.from_value(found)
    if isinstance(expected, list):  # a row of a ragged tensor, maybe ragged itself
        found, expected = tf.ragged.constant(found), tf.ragged.constant(expected)
    assert_close(found, expected, tolerance, what)


def _why_not(record: Record, tags: list[str], name: str) -> str:
    """Why a signature does not take batches of examples, as far as shapes tell; or nothing."""
    lengths = {n for v in record.inputs(name).values() if (n := _length(v)) is not None}
    if len(lengths) != 1 or lengths == {0}:
        return "inputs with other rows" if lengths else "no inputs with rows"
    rows = lengths.pop()
    with_rows = [_length(value) == rows for value in record.outputs(tags, name).values()]
    return "" if any(with_rows) else "no output with a row for each example"


def test_outputs(record: Record) -> None:
    reasons = {}
    for tags in record.tag_sets:
        for name in record.signatures(tags):
            reason = _why_not(record, tags, name)
            if not reason:
                _check_signature(record, tags, name)
            reasons[name, str(tags)] = reason
    if all(reasons.values()):
        pytest.skip(f"{reasons}")


def _check_signature(record: Record, tags: list[str], name: str) -> None:
    inputs = record.inputs(name)
    columns = {key: _rows(value) for key, value in inputs.items() if _length(value) is not None}
    rows = zip(*columns.values(), strict=True)
    examples = [dict(zip(columns, row, strict=True)) for row in rows]
    outputs = record.outputs(tags, name)
    for key in [key for key, value in outputs.items() if _length(value) == len(examples)]:
        handler = HubModelHandler(
            record.path,
            signature=name,
            tags=tags,
            output_key=key,
            arguments={key: value for key, value in inputs.items() if key not in columns},
        )
        checked = [handler.check_example(example) for example in examples]
        results = handler.run_inference(checked, handler.load_model())
        for k, (found, expected) in enumerate(zip(results, _rows(outputs[key]), strict=True)):
            _check(found.inference, expected, record.output_tolerance, f"{name} {key} of {k}")
