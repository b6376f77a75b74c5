"""A part of a graph as a function of the library."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.node_def_pb2 import NodeDef

from compat_hub.graphdef.analysis.side_effects import has_effect
from compat_hub.graphdef.edit import copy_node, split_inputs
from compat_hub.graphdef.names import is_control, node_of, tensor_of
from compat_hub.graphdef.op_outputs import named_output

OpDef = Any

_SMALL = 1024  # bytes


@dataclasses.dataclass(frozen=True)
class TensorType:
    """What is known of a tensor before the graph runs.

    Attributes:
        dtype: Its dtype, a number of `types.proto`.
        shape: Its static shape, a TensorShapeProto.
        behind: Of a resource the dtype and shape of the variable, of a list those of its elements,
            where known.
    """

    dtype: Any
    shape: Any
    behind: tuple[Any, Any] | None = None


# By the name of a tensor.
Types = MutableMapping[str, TensorType]


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of a graph that is being raised.

    Attributes:
        types: The type of every tensor; those of new tensors are added.
        op_def: Gives the OpDef of a registered op.
        pure: Names of the functions made so far that do nothing besides computing their results.
    """

    types: Types
    op_def: Callable[[str], OpDef]
    pure: set[str] = dataclasses.field(default_factory=set)


class IrreducibleError(ValueError):
    """Control flow that is neither a loop nor a conditional as TF1's Python API makes them.

    Attributes:
        node: The name of the node that does not fit.
    """

    def __init__(self, node: str, why: str) -> None:
        super().__init__(f"the node {node!r} {why}")
        self.node = node


class CycleError(IrreducibleError):
    """A node needs itself, and not by way of a loop."""

    def __init__(self, node: str) -> None:
        super().__init__(node, "is part of a cycle that is no loop")


def topological_order(nodes: Mapping[str, NodeDef]) -> list[str]:
    """The names of nodes such that each comes after what it needs.

    The way back of a loop, from NextIteration to Merge, does not count.

    Raises:
        CycleError: There is another cycle.
    """
    waiting: dict[str, int] = {}
    consumers: dict[str, list[str]] = {}
    for name, node in nodes.items():
        sources = {node_of(i) for i in node.input}
        if node.op == "Merge":
            sources = {s for s in sources if s not in nodes or nodes[s].op != "NextIteration"}
        sources &= nodes.keys()
        waiting[name] = len(sources)
        for source in sources:
            consumers.setdefault(source, []).append(name)
    ready = [name for name, count in waiting.items() if not count]
    order = []
    while ready:
        name = ready.pop()
        order.append(name)
        for consumer in consumers.get(name, ()):
            waiting[consumer] -= 1
            if not waiting[consumer]:
                ready.append(consumer)
    if len(order) < len(nodes):
        stuck = next(name for name in nodes if waiting[name])
        raise CycleError(stuck)
    return order


def ancestors_within(
    nodes: Mapping[str, NodeDef], wanted: Iterable[str], given: Mapping[str, Any]
) -> dict[str, NodeDef]:
    """The nodes among `nodes` that `wanted` needs when the tensors `given` are there."""
    found: dict[str, NodeDef] = {}
    stack = list(wanted)
    while stack:
        name = stack.pop()
        node = node_of(name)
        if (
            node in found
            or node not in nodes
            or (not is_control(name) and tensor_of(name) in given)
        ):
            continue
        found[node] = nodes[node]
        stack.extend(nodes[node].input)
    return found


def small_constant(node: NodeDef | None) -> NodeDef | None:
    """A copy of a small constant for the inside of a function, or None where it is none.

    A shape that enters as an argument is not known when the function is built.
    """
    if node is None or node.op != "Const" or node.ByteSize() > _SMALL:
        return None
    copy = copy_node(node)
    del copy.input[:]
    return copy


def function_name(*parts: str) -> str:
    """A name that TensorFlow allows for a function, made from names of nodes."""
    return re.sub(r"[^A-Za-z0-9_]", "_", "_".join(parts)).lstrip("_") or "region"


def make_function(
    name: str,
    nodes: Iterable[NodeDef],
    given: Mapping[str, int],
    argument_types: Sequence[TensorType],
    results: Sequence[str],
    result_types: Sequence[TensorType],
    effects: Iterable[str],
    facts: Facts,
) -> FunctionDef:
    """Makes a function of nodes.

    Args:
        name: The function's name.
        nodes: Its body. Control inputs on other nodes are dropped: the call waits for them.
        given: For each tensor that comes from outside, the argument that holds it.
        argument_types: The types of the arguments.
        results: The tensors to return: of the body, or given.
        result_types: Their types.
        effects: Names of nodes of the body that run even if no result needs them.
        facts: What is known of the graph.
    """
    body = {n.name: n for n in nodes}  # a constant may come several times
    prefix = "argument_"
    while any(n.startswith(prefix) for n in body):
        prefix += "_"
    function = FunctionDef()
    function.signature.name = name
    for k, kind in enumerate(argument_types):
        _describe(function.signature.input_arg.add(name=f"{prefix}{k}"), kind)

    def refer(tensor: str) -> str:
        tensor = tensor_of(tensor)
        if tensor in given:
            return f"{prefix}{given[tensor]}"
        source, _, index = tensor.rpartition(":")
        if source not in body:
            raise IrreducibleError(source, f"is used in {name!r} from outside")
        return f"{source}:{named_output(body[source], facts.op_def(body[source].op), int(index))}"

    for node in body.values():
        data, controls = split_inputs(node)
        copy = function.node_def.add()
        copy.CopyFrom(node)
        inside = dict.fromkeys(c for c in controls if c[1:] in body)
        copy.input[:] = [*map(refer, data), *inside]
    for k, (tensor, kind) in enumerate(zip(results, result_types, strict=True)):
        _describe(function.signature.output_arg.add(name=f"result_{k}"), kind)
        function.ret[f"result_{k}"] = refer(tensor)
    # The runtime drops what only a result needs that the caller does not use.
    more = [n.name for n in body.values() if has_effect(n, facts.op_def, facts.pure)]
    if not more:
        facts.pure.add(name)
    for effect in dict.fromkeys([*effects, *more]):
        function.signature.control_output.append(effect)
        function.control_ret[effect] = effect
    definitions = [facts.op_def(node.op) for node in body.values()]
    function.signature.is_stateful = any(d is not None and d.is_stateful for d in definitions)
    return function


def _describe(arg: Any, kind: TensorType) -> None:
    """Fills in an argument or result of a function's signature.

    A gradient through a loop in a loop finds the variable behind a resource only here: TensorFlow
    takes it from the signature (`_set_handle_data` in python/framework/function_def_to_graph.py).
    """
    arg.type = kind.dtype
    if kind.behind is not None:
        dtype, shape = kind.behind
        arg.handle_data.add(dtype=dtype, shape=shape)
