from __future__ import annotations

import pytest

from compat_hub.tf_private import (
    op_registry,
)


def test_the_registry_of_ops() -> None:
    assert op_registry.is_registered_op("MatMul")
    assert op_registry.is_registered_op("VariableV2")
    assert not op_registry.is_registered_op("Frobnicate")
    assert op_registry.op_def("MatMul").output_arg[0].name == "product"
    assert op_registry.op_def("Frobnicate") is None


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("HashTableV2", True),
        ("MutableHashTableV2", True),
        ("FIFOQueueV2", True),
        ("VarHandleOp", False),
        ("HashTable", False),  # a reference
        ("LookupTableFindV2", False),
        ("RandomUniform", False),
        ("MatMul", False),
        ("Frobnicate", False),
    ],
)
def test_ops_that_make_resources(op: str, expected: bool) -> None:
    assert op_registry.makes_resource(op) is expected
