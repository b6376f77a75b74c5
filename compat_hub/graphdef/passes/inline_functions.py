"""Calls of library functions replaced by the functions' bodies.

TensorFlow 2 runs such calls, but finds no gradient for them: the runtime lost the SymbolicGradient
op, and an imported function has no Python gradient. Op by op, every gradient is known. A function
with a gradient function of its own keeps it: see `CUSTOM_GRADIENT_ATTR`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.framework.types_pb2 import DT_RESOURCE

from compat_hub.graphdef.edit import copy_node, new_graph, split_inputs
from compat_hub.graphdef.function_library import callees_first
from compat_hub.graphdef.names import is_control
from compat_hub.graphdef.op_outputs import flat_index
from compat_hub.graphdef.private_attrs import GRADIENT

GraphDef = Any
FunctionDef = Any
OpDef = Any

# TensorFlow looks up a node's gradient under the name in this attribute, when it has one.
CUSTOM_GRADIENT_ATTR = GRADIENT

_PARTITIONED_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_MAX_DEPTH = 64
_MAX_NODES = 300_000  # functions that call others twice, and these again, make as many as they like


def inline_calls(
    graph_def: GraphDef,
    op_def: Callable[[str], OpDef],
    custom_gradient: Callable[[str, str], str],
) -> GraphDef:
    """Replaces each call of a library function by the function's body.

    The call's node stays, as an IdentityN over the body's results: so its name, its outputs and
    control dependencies on it keep their meaning.

    Args:
        graph_def: The graph.
        op_def: Gives the OpDef of a registered op.
        custom_gradient: Gives the name of the registered gradient for a function and its gradient
            function, by the names of the two.

    Returns:
        `graph_def` itself where it calls nothing, else a new graph. A call of a function that calls
        itself stays a call. The functions that If, While
        and their like refer to stay in its library.
    """
    functions = _not_recursive({f.signature.name: f for f in graph_def.library.function})
    if not any(called_function(node, functions) for node in graph_def.node):
        return graph_def
    gradients = {g.function_name: g.gradient_func for g in graph_def.library.gradient}
    stateful = _stateful_functions(functions, op_def)
    nodes = list(graph_def.node)
    for _ in range(_MAX_DEPTH):
        inlined: list[NodeDef] = []
        for node in nodes:
            name = called_function(node, functions)
            if name is None:
                inlined.append(node)
                continue
            gradient = custom_gradient(name, gradients[name]) if name in gradients else None
            inlined.extend(_inline(node, functions[name], functions, stateful, op_def, gradient))
            if len(inlined) > _MAX_NODES:
                raise ValueError(f"their calls make more than {_MAX_NODES} nodes")
        if len(inlined) == len(nodes):
            break
        nodes = inlined
    return new_graph(graph_def, nodes, only_needed=True)


def _not_recursive(functions: Mapping[str, FunctionDef]) -> dict[str, FunctionDef]:
    """The functions that do not call themselves, nor any that does."""
    calls = {
        name: {c for n in f.node_def if (c := called_function(n, functions)) is not None}
        for name, f in functions.items()
    }
    return {name: functions[name] for name in callees_first(calls)}


def called_function(node: NodeDef, functions: Mapping[str, FunctionDef]) -> str | None:
    """The library function that a node calls, or None where it is no call."""
    if node.op in functions:
        return node.op
    if node.op in _PARTITIONED_CALLS and node.attr["f"].func.name in functions:
        return node.attr["f"].func.name
    return None


def _inline(
    call: NodeDef,
    function: FunctionDef,
    functions: Mapping[str, FunctionDef],
    stateful: Container[str],
    op_def: Callable[[str], OpDef],
    gradient: str | None,
) -> list[NodeDef]:
    data, controls = split_inputs(call)
    types = [_arg_type(arg, call) for arg in function.signature.input_arg]

    # Each argument gets a node of its own, so that nodes without inputs can wait for the arguments
    # as a call does: in a branch not taken, or in another frame of a loop, they must not run.
    nodes: list[NodeDef] = []
    arguments = {}
    arrived: dict[str, list[str]] = {}  # by argument, what it means to wait for it
    for arg, source, dtype in zip(function.signature.input_arg, data, types, strict=True):
        if dtype == DT_RESOURCE:  # that of a variable, or of a table, is there before any call
            arguments[arg.name] = source
            arrived[f"^{arg.name}"] = controls
            continue
        node = NodeDef(name=f"{call.name}/argument/{arg.name}", op="Identity", input=[source])
        node.input.extend(controls)
        node.attr["T"].type = dtype
        nodes.append(node)
        arguments[arg.name] = f"{node.name}:0"
        arrived[f"^{arg.name}"] = [f"^{node.name}"]
    waits = [*controls, *(f"^{n.name}" for n in nodes)]

    body = {n.name: n for n in function.node_def}

    def resolve(name: str) -> str:
        if is_control(name):
            return f"^{call.name}/{name[1:]}"
        if name in arguments:
            return arguments[name]
        node, _, output = name.partition(":")
        op = body[node].op
        signature = functions[op].signature if op in functions else op_def(op)
        index = flat_index(body[node], signature, output) if output else 0
        return f"{call.name}/{node}:{index}"

    for inner in function.node_def:
        node = copy_node(inner)
        node.name = f"{call.name}/{inner.name}"
        del node.input[:]
        for name in inner.input:
            sources = arrived[name] if name in arrived else [resolve(name)]
            node.input.extend(s for s in sources if not is_control(s) or s not in node.input)
        if not any(not is_control(i) and i not in arguments for i in inner.input):
            node.input.extend(w for w in waits if w not in node.input)
        for name, value in inner.attr.items():
            if value.WhichOneof("value") == "placeholder":
                node.attr[name].CopyFrom(call.attr[value.placeholder])
        if "frame_name" in inner.attr:  # a loop of its own in each call
            node.attr["frame_name"].s = f"{call.name}/".encode() + inner.attr["frame_name"].s
        nodes.append(node)

    results = [resolve(function.ret[arg.name]) for arg in function.signature.output_arg]
    result_types = [_arg_type(arg, call) for arg in function.signature.output_arg]
    end = NodeDef(name=call.name, op="IdentityN" if results else "NoOp")
    if gradient and results:
        results += data
        result_types += types
        end.attr[CUSTOM_GRADIENT_ATTR].s = gradient.encode()
    end.input.extend(results)
    end.input.extend(_effects(call.name, function, functions, stateful, op_def))
    end.input.extend(c for c in controls if c not in end.input)
    if results:
        end.attr["T"].list.type.extend(result_types)
    return [*nodes, end]


def _arg_type(arg: Any, call: NodeDef) -> Any:
    return call.attr[arg.type_attr].type if arg.type_attr else arg.type


def _effects(
    prefix: str,
    function: FunctionDef,
    functions: Mapping[str, FunctionDef],
    stateful: Container[str],
    op_def: Callable[[str], OpDef],
) -> Iterable[str]:
    """Control inputs on what the function does besides computing its results."""
    effects = list(dict.fromkeys(function.control_ret.values()))
    if not effects:  # a function of TF1: all of its stateful nodes run
        effects = [
            n.name for n in function.node_def if _is_stateful(n, functions, stateful, op_def)
        ]
    return [f"^{prefix}/{name}" for name in effects]


def _stateful_functions(
    functions: Mapping[str, FunctionDef], op_def: Callable[[str], OpDef]
) -> frozenset[str]:
    """The functions in which some node is stateful, be it in a function that is called there.

    Args:
        functions: Those that do not call themselves, each one behind those that it calls.
        op_def: Gives the OpDef of a registered op.
    """
    found: set[str] = set()
    for name, function in functions.items():
        if any(_is_stateful(node, functions, found, op_def) for node in function.node_def):
            found.add(name)
    return frozenset(found)


def _is_stateful(
    node: NodeDef,
    functions: Mapping[str, FunctionDef],
    stateful: Container[str],
    op_def: Callable[[str], OpDef],
) -> bool:
    called = called_function(node, functions)
    if called is not None:
        return called in stateful
    definition = op_def(node.op)
    return definition is not None and definition.is_stateful
