"""Nodes made calls of functions that compute what their op computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tensorflow.core.framework.graph_pb2 import GraphDef

from compat_hub.graphdef.edit import copy_node, split_inputs
from compat_hub.graphdef.function_library import all_nodes, rename_functions
from compat_hub.graphdef.names import is_control
from compat_hub.graphdef.passes.inline_functions import inline_calls

NodeDef = Any
FunctionDefLibrary = Any
OpDef = Any

_PREFIX = "CompatHub_"


def substitute(graph_def: Any, function_of: Callable[[NodeDef], FunctionDefLibrary | None]) -> bool:
    """Makes nodes of a graph calls of functions in its library, in place.

    In the functions that the graph has, such nodes become the bodies at once.

    Args:
        graph_def: The graph.
        function_of: Gives for a node the function that it becomes a call of, the first of a
            library, with those that this one needs; or None, where the node stays. Nodes with the
            same attributes share one.

    Returns:
        Whether there was something to do.
    """
    made: dict[tuple[Any, ...], str] = {}
    own = {function.signature.name for function in graph_def.library.function}
    for node in list(all_nodes(graph_def)):
        if node.op in own:  # a call of a function that is named like an op
            continue
        attrs = [k for k in sorted(node.attr) if k[0] != "_"]
        key = (node.op, *((k, node.attr[k].SerializeToString(deterministic=True)) for k in attrs))
        if key not in made:
            library = function_of(node)
            if library is None:
                continue
            made[key] = _add(graph_def.library, library, f"{_PREFIX}{node.op}_{len(made)}")
        node.op = made[key]
        node.attr.clear()
    added = {f.signature.name: f for f in graph_def.library.function if f.signature.name not in own}
    for function in graph_def.library.function:
        if function.signature.name in own:
            _inline_in(function, added)
    return bool(made)


def _inline_in(function: Any, added: Mapping[str, Any]) -> None:
    """Puts bodies in the place of calls in a function, in place.

    Bodies of loops and branches stay functions, and TensorFlow finds no gradient of a call in them.
    """
    calls = {node.name: node for node in function.node_def if node.op in added}
    if not calls:
        return
    results: dict[str, str] = {}
    nodes = []
    for node in function.node_def:
        if node.name in calls:
            nodes.extend(_body(node, added[node.op], results))
        else:
            nodes.append(node)

    def resolve(name: str) -> str:
        for _ in range(len(calls)):  # a result may be another call's
            name = results.get(name, name)
        return name

    for node in nodes:
        node.input[:] = [resolve(name) for name in node.input]
    for name, value in function.ret.items():
        function.ret[name] = resolve(value)
    copies = [copy_node(node) for node in nodes]
    del function.node_def[:]
    function.node_def.extend(copies)


def _body(call: NodeDef, function: Any, results: dict[str, str]) -> list[NodeDef]:
    """The nodes that a call becomes, a NoOp of its name among them; adds what its outputs are."""
    data, controls = split_inputs(call)
    arguments = dict(zip([a.name for a in function.signature.input_arg], data, strict=True))

    def inside(name: str) -> str:
        if is_control(name):
            return f"^{call.name}/{name[1:]}"
        return arguments.get(name) or f"{call.name}/{name}"

    nodes = []
    for inner in function.node_def:
        node = copy_node(inner)
        node.name = f"{call.name}/{inner.name}"
        node.input[:] = [*map(inside, inner.input), *controls]
        nodes.append(node)
    end = type(call)(name=call.name, op="NoOp")
    end.input.extend(f"^{node.name}" for node in nodes)
    for arg in function.signature.output_arg:
        results[f"{call.name}:{arg.name}:0"] = inside(function.ret[arg.name])
    return [*nodes, end]


def _add(library: FunctionDefLibrary, added: FunctionDefLibrary, name: str) -> str:
    """Adds functions to a library under names that begin with `name`, that of the first."""
    holder = GraphDef()
    holder.library.CopyFrom(added)
    first = holder.library.function[0].signature.name
    rename_functions(holder, f"_of_{name}")
    holder_names = {f"{first}_of_{name}": name}
    for function in holder.library.function:
        function.signature.name = holder_names.get(function.signature.name, function.signature.name)
    library.MergeFrom(holder.library)
    return name


def inline_substitutes(graph_def: Any, op_def: Callable[[str], OpDef]) -> dict[str, list[str]]:
    """Puts the bodies of functions that `substitute` added in the place of their calls, in place.

    Other calls stay, and so do calls in functions. Nodes keep their names; those that are new are
    named after the node that they belong to.

    Args:
        graph_def: The graph.
        op_def: Gives the OpDef of a registered op.

    Returns:
        The names of the new nodes, by the name of the node that became them.
    """
    part = GraphDef(node=graph_def.node, versions=graph_def.versions)
    added = [f for f in graph_def.library.function if f.signature.name.startswith(_PREFIX)]
    part.library.function.extend(added)
    calls = [n.name for n in part.node if n.op in {f.signature.name for f in added}]
    before = {node.name for node in part.node}
    inlined = inline_calls(part, op_def, lambda *_: "")
    del graph_def.node[:]
    graph_def.node.extend(inlined.node)
    new = [node.name for node in inlined.node if node.name not in before]
    return {call: [name for name in new if name.startswith(f"{call}/")] for call in calls}
