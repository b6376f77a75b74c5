from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import control_flow_pb2, saved_model_pb2

import compat_hub
from compat_hub.graphdef.checks.loops import find_bad_context, find_bad_iteration
from compat_hub.graphdef.names import node_of
from tests.copies import node
from tests.records import FIXTURES

_LOOP = {
    "enter": ("Enter", ["x"]),
    "merge": ("Merge", ["enter", "next"]),
    "less": ("Less", ["merge", "limit"]),
    "end": ("LoopCond", ["less"]),
    "switch": ("Switch", ["merge", "end"]),
    "next": ("NextIteration", ["switch:1"]),
    "exit": ("Exit", ["switch"]),
}


def _fill(nodes: Any, changes: dict[str, tuple[str, list[str]]]) -> None:
    for name, (op, inputs) in {**_LOOP, **changes}.items():
        nodes.add(name=name, op=op, input=inputs)


CHANGES = {
    "none": ({}, ""),
    "the other way round": ({"merge": ("Merge", ["next", "enter"])}, ""),
    "references": ({"merge": ("RefMerge", ["enter", "next"])}, ""),
    "a control input besides": ({"merge": ("Merge", ["enter", "next", "^x"])}, ""),
    "elsewhere, too": ({"more": ("Add", ["merge", "next"])}, "'more' is behind 'next'"),
    "waited for": ({"more": ("Add", ["merge", "limit", "^next"])}, "'more' is behind 'next'"),
    "without an Enter": ({"merge": ("Merge", ["x", "next"])}, "'merge' is behind 'next'"),
    "by a control input": ({"merge": ("Merge", ["enter", "x", "^next"])}, "'merge' is behind"),
    "three": ({"merge": ("Merge", ["enter", "x", "next"])}, "'merge' is behind 'next'"),
    "nowhere": ({"merge": ("Merge", ["enter", "x"])}, "'next' leads to no loop variable"),
    "out of no loop": ({"more": ("Exit", ["limit"])}, "'more' leads out of a loop and is in none"),
    "out of it twice": ({"more": ("Exit", ["exit"])}, "'more' leads out of a loop and is in none"),
    "another op": ({"less": ("NextIteration", ["merge"])}, "'end' is behind 'less'"),
}


@pytest.mark.parametrize("in_function", [False, True], ids=["graph", "function"])
@pytest.mark.parametrize("change", CHANGES)
def test_loops(change: str, in_function: bool) -> None:
    changes, expected = CHANGES[change]
    graph_def = tf.compat.v1.GraphDef()
    if in_function:
        nodes = graph_def.library.function.add().node_def
        changes = {
            name: (op, [i if i[0] == "^" else f"{node_of(i)}:output:0" for i in inputs])
            for name, (op, inputs) in {**_LOOP, **changes}.items()
        }
    else:
        nodes = graph_def.node
    _fill(nodes, changes)
    message = find_bad_iteration(graph_def)
    assert (message is None) if not expected else (expected in (message or ""))


def test_the_fixtures_pass() -> None:
    loops = 0
    for path in sorted(FIXTURES.glob("*/module/saved_model.pb")):
        for meta_graph in saved_model_pb2.SavedModel.FromString(path.read_bytes()).meta_graphs:
            assert find_bad_iteration(meta_graph.graph_def) is None, path
            loops += any(n.op == "NextIteration" for n in meta_graph.graph_def.node)
    assert loops > 20


def test_a_module_that_would_end_the_process(copy_of) -> None:
    copy = copy_of("cond_in_while_effects")
    with copy.meta_graph() as meta_graph:
        node(meta_graph, "while/cond/pred_id").op = "NextIteration"
    module = compat_hub.load(copy.path)
    with pytest.raises(compat_hub.ModuleFormatError, match="'while/cond/pred_id' and is no loop"):
        module(np.ones([2, 3], "float32"))


@pytest.mark.parametrize("op", ["Enter", "RefEnter", "While", "StatelessWhile"])
@pytest.mark.parametrize("count", [-1, 2**31, 2**63 - 1])
def test_parallel_iterations_that_cannot_be(op: str, count: int) -> None:
    """TensorFlow divides by what it makes of them, which is 0 for some."""
    graph_def = tf.compat.v1.GraphDef()
    loop = graph_def.node.add(name="loop", op=op)
    for allowed in (1, 10, 2**20):
        loop.attr["parallel_iterations"].i = allowed
        assert find_bad_iteration(graph_def) is None
    loop.attr["parallel_iterations"].i = count
    assert f"'loop' has {count} parallel" in (find_bad_iteration(graph_def) or "")
    graph_def.library.function.add().node_def.add().CopyFrom(loop)
    del graph_def.node[:]
    assert "'loop'" in (find_bad_iteration(graph_def) or "")


def test_contexts_with_parallel_iterations_that_cannot_be() -> None:
    outer = control_flow_pb2.WhileContextDef(context_name="outer", parallel_iterations=10)
    inner = outer.nested_contexts.add().while_ctxt
    inner.context_name = "inner"
    assert find_bad_context([outer.SerializeToString(), b"damaged"]) is None
    inner.parallel_iterations = -1
    message = find_bad_context([b"damaged", outer.SerializeToString()])
    assert message == "the context 'inner' has -1 parallel iterations"
