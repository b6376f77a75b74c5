"""Loops that TF1 was told not to differentiate, with `back_prop=False`: none gets a gradient."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.control_flow_pb2 import (
    CondContextDef,
    ControlFlowContextDef,
    WhileContextDef,
)

from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.private_attrs import NOTED_SHAPES

GraphDef = Any


def find_undifferentiated_exits(
    while_contexts: Iterable[bytes], cond_contexts: Iterable[bytes]
) -> frozenset[str]:
    """The Exit nodes of loops with `back_prop=False`, loops within loops and branches included.

    Args:
        while_contexts: The serialized WhileContextDefs of a MetaGraph's collection.
        cond_contexts: Its serialized CondContextDefs.
    """
    exits: set[str] = set()
    try:
        for value in while_contexts:
            exits.update(_exits(WhileContextDef.FromString(value)))
        for value in cond_contexts:
            for nested in CondContextDef.FromString(value).nested_contexts:
                exits.update(_nested_exits(nested))
    except DecodeError:  # the graph runs without its collections
        return frozenset()
    return frozenset(exits)


def _exits(context: WhileContextDef) -> Iterator[str]:
    if not context.back_prop:
        yield from map(node_of, context.loop_exit_names)
    for nested in context.nested_contexts:
        yield from _nested_exits(nested)


def _nested_exits(context: ControlFlowContextDef) -> Iterator[str]:
    if context.HasField("while_ctxt"):
        yield from _exits(context.while_ctxt)
    for nested in context.cond_ctxt.nested_contexts:
        yield from _nested_exits(nested)


def stop_gradients(graph_def: GraphDef, exits: Collection[str]) -> None:
    """Lets no gradient enter loops by these Exits, in place.

    What an Exit gives has its name still, and comes from a StopGradient.
    """
    taken = {node.name for node in graph_def.node}
    for node in [n for n in graph_def.node if n.op == "Exit" and n.name in exits]:
        name = node.name
        node.name = f"{name}/undifferentiated"
        while node.name in taken:
            node.name += "_"
        taken.add(node.name)
        stop = NodeDef(name=name, op="StopGradient", input=[node.name], device=node.device)
        stop.attr["T"].type = node.attr["T"].type
        if NOTED_SHAPES in node.attr:
            stop.attr[NOTED_SHAPES].CopyFrom(node.attr[NOTED_SHAPES])
        graph_def.node.append(stop)
