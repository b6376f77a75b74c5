from __future__ import annotations

import pytest
from tensorflow.core.framework.node_def_pb2 import NodeDef

from compat_hub.graphdef.checks.queues import find_empty_queue


def _nodes(*nodes: tuple[str, str, list[str]]) -> list[NodeDef]:
    return [NodeDef(name=name, op=op, input=inputs) for name, op, inputs in nodes]


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("QueueDequeueV2", ["^first", "queue"]),
        ("QueueDequeueManyV2", ["queue:0", "count"]),
        ("ReaderReadV2", ["reader", "same"]),
    ],
)
def test_a_queue_that_stays_empty(op: str, inputs: list[str]) -> None:
    taker = ("take", op, inputs)
    rest = [("same", "Identity", ["queue"]), ("other", "QueueEnqueueV2", ["elsewhere", "x"])]
    message = find_empty_queue(_nodes(taker), _nodes(taker, *rest))
    assert message is not None
    assert f"'take' ({op})" in message
    assert "'queue'" in message
    for ender in "QueueEnqueueV2", "QueueEnqueueManyV2", "QueueCloseV2":
        filler = ("fill", ender, ["same"])
        assert find_empty_queue(_nodes(taker), _nodes(taker, *rest, filler)) is None


def test_no_queue() -> None:
    nodes = _nodes(("x", "Identity", ["y"]), ("y", "Identity", ["x"]), ("z", "QueueSizeV2", ["x"]))
    assert find_empty_queue(nodes, nodes) is None
    circle = [*nodes, *_nodes(("take", "QueueDequeueV2", ["x"]), ("bad", "QueueDequeueV2", []))]
    assert find_empty_queue(circle, circle) is not None
