"""Whether a node takes from a queue that nothing fills, and so would wait for ever."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from compat_hub.graphdef.names import is_control, node_of, tensor_of

NodeDef = Any

# By op, the number of the input that is the queue. Readers take names of files from it.
_TAKE = {
    **dict.fromkeys(["QueueDequeue", "QueueDequeueMany", "QueueDequeueUpTo"], 0),
    **dict.fromkeys(["QueueDequeueV2", "QueueDequeueManyV2", "QueueDequeueUpToV2"], 0),
    **dict.fromkeys(["ReaderRead", "ReaderReadUpTo", "ReaderReadV2", "ReaderReadUpToV2"], 1),
}
# A closed queue waits for nobody.
_END_WAITING = frozenset(
    f"Queue{op}{version}" for op in ("Enqueue", "EnqueueMany", "Close") for version in ("", "V2")
)


def find_empty_queue(nodes: Iterable[NodeDef], others: Iterable[NodeDef]) -> str | None:
    """A message on a node that takes from a queue which stays empty, or None.

    Args:
        nodes: The nodes that run.
        others: Those that run before them or besides, they included, in their graph.
    """
    takers = [node for node in nodes if node.op in _TAKE]
    if not takers:
        return None
    by_name = {node.name: node for node in others}
    filled = {_queue_of(n, 0, by_name) for n in by_name.values() if n.op in _END_WAITING}
    for node in takers:
        queue = _queue_of(node, _TAKE[node.op], by_name)
        if queue not in filled:
            return (
                f"the node {node.name!r} ({node.op}) waits for something in the queue "
                f"{node_of(queue)!r}, and nothing that runs with it puts anything there"
            )
    return None


def _queue_of(node: NodeDef, number: int, nodes: Mapping[str, NodeDef]) -> str:
    """The name of the tensor that a queue comes from."""
    seen: set[str] = set()
    found = ""
    while True:
        data = [source for source in node.input if not is_control(source)]
        if len(data) <= number:
            return found
        found = tensor_of(data[number])
        source = nodes.get(node_of(found))
        if source is None or source.op not in ("Identity", "RefIdentity") or found in seen:
            return found
        seen.add(found)
        node, number = source, 0
