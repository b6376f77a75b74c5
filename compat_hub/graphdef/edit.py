"""The small steps of which passes consist: nodes copied and made, graphs begun anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.framework.types_pb2 import DT_INT32, DT_INT64

from compat_hub.graphdef.function_library import needed_functions
from compat_hub.graphdef.names import is_control

GraphDef = Any


def copy_node(node: Any) -> NodeDef:
    """A copy that may be changed."""
    copy = NodeDef()
    copy.CopyFrom(node)
    return copy


def split_inputs(node: Any) -> tuple[list[str], list[str]]:
    """A node's inputs: those that are tensors, and control inputs."""
    data = [source for source in node.input if not is_control(source)]
    return data, [source for source in node.input if is_control(source)]


def int_constant(
    name: str, value: int | Sequence[int], *inputs: str, dtype: Any = DT_INT32
) -> NodeDef:
    """A constant of int32 or int64: a scalar for a number, else a vector."""
    node = NodeDef(name=name, op="Const", input=inputs)
    node.attr["dtype"].type = dtype
    tensor = node.attr["value"].tensor
    tensor.dtype = dtype
    tensor.tensor_shape.SetInParent()
    values = [value] if isinstance(value, int) else value
    if not isinstance(value, int):
        tensor.tensor_shape.dim.add(size=len(values))
    (tensor.int64_val if dtype == DT_INT64 else tensor.int_val).extend(values)
    return node


def new_graph(graph_def: GraphDef, nodes: Iterable[Any], only_needed: bool = False) -> GraphDef:
    """A graph of other nodes, of the same versions, with copies of all of them.

    Args:
        graph_def: The graph whose versions and function library it has.
        nodes: Its nodes.
        only_needed: Whether it has only those functions that the nodes need.
    """
    result = type(graph_def)(versions=graph_def.versions, node=nodes)
    if only_needed:
        needed_functions(result.node, graph_def.library, into=result.library)
    else:
        result.library.CopyFrom(graph_def.library)
    return result


def follow(nodes: Iterable[Any], visit: Callable[[Any], bool]) -> None:
    """Visits nodes again and again, until a round learns nothing new.

    No order of the nodes would do: a loop of TF1 is a circle.

    Args:
        nodes: The nodes.
        visit: Returns whether a node needs no further visit.
    """
    pending = list(nodes)
    while pending:
        rest = [node for node in pending if not visit(node)]
        if len(rest) == len(pending):
            return
        pending = rest
