from __future__ import annotations

import pytest
from tensorflow.core.framework.graph_pb2 import GraphDef

from compat_hub.graphdef.checks.handles import find_foreign_handle
from compat_hub.tf_private import op_registry


def _problem(*nodes: tuple[str, str, list[str]], in_function: bool = False) -> str | None:
    graph_def = GraphDef()
    body = graph_def.library.function.add().node_def if in_function else graph_def.node
    for name, op, inputs in nodes:
        body.add(name=name, op=op, input=inputs)
    return find_foreign_handle(graph_def, op_registry.op_def)


_FIND = ("find", "LookupTableFind", ["table", "keys", "default", "^first"])


@pytest.mark.parametrize("op", ["HashTable", "MutableHashTable", "Placeholder"])
def test_names_that_are_made_or_fed(op: str) -> None:
    assert _problem(("table", op, []), _FIND) is None
    assert _problem(_FIND) is None  # it is cut off: a caller gives it
    assert _problem(("table", "RefIdentity", ["made"]), ("made", op, []), _FIND) is None


@pytest.mark.parametrize("op", ["Const", "VariableV2", "ReadFile", "NoSuchOp"])
def test_names_from_elsewhere(op: str) -> None:
    message = _problem(("table", op, []), _FIND)
    assert message is not None
    assert "'find' (LookupTableFind)" in message
    assert _problem(("table", "RefIdentity", ["name"]), ("name", op, []), _FIND)
    merge = ("table", "RefMerge", ["made", "name"])
    assert _problem(merge, ("made", "HashTable", []), ("name", op, []), _FIND)


def test_loops() -> None:
    nodes = [
        ("array", "TensorArrayV2", ["size"]),
        ("enter", "Enter", ["array"]),
        ("merge", "Merge", ["enter", "next"]),
        ("switch", "Switch", ["merge", "goes_on"]),
        ("next", "NextIteration", ["switch:1"]),
        ("read", "TensorArrayReadV2", ["switch:1", "index", "flow"]),
    ]
    assert _problem(*nodes) is None
    assert _problem(("array", "Const", []), *nodes[1:])


def test_functions() -> None:
    iterator = ("iterator", "IteratorFromStringHandleV2", ["name:string_handle:0"])
    made = ("name", "IteratorToStringHandle", ["resource"])
    assert _problem(made, iterator, in_function=True) is None
    assert _problem(iterator, in_function=True)  # an argument, and nobody knows from where
    assert _problem(("iterator", "IteratorFromStringHandleV2", []))
