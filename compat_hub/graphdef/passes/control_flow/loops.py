"""Loops of TF1, frames of Enter, Merge, Switch, NextIteration and Exit, raised to While.

The frames follow from the nodes: Enter leads into one, Exit out of it, and every other node is in
the frame of its inputs. So a graph that lost its collections of loop contexts is no worse off. The
executor knows no more of frames either (Yu et al., "Dynamic Control Flow in Large-Scale Machine
Learning", EuroSys 2018, https://arxiv.org/abs/1805.01772).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto
from tensorflow.core.framework.types_pb2 import DT_BOOL, DT_INT32

from compat_hub.graphdef.edit import int_constant
from compat_hub.graphdef.names import is_control, node_of, tensor_of
from compat_hub.graphdef.passes.control_flow.conditionals import raise_conditionals
from compat_hub.graphdef.passes.control_flow.make_function import (
    Facts,
    IrreducibleError,
    TensorType,
    ancestors_within,
    function_name,
    make_function,
    topological_order,
)
from compat_hub.graphdef.private_attrs import LOWER, ORIGINAL_OUTPUTS

# The names of the frames around a node, outermost first.
_Frame = tuple[bytes, ...]

_STRUCTURE = frozenset({"Enter", "Merge", "NextIteration", "Switch", "LoopCond"})


@dataclasses.dataclass
class _Variable:
    """One loop variable: the nodes that carry it around."""

    enter: NodeDef
    merge: NodeDef
    next: NodeDef
    switches: list[NodeDef] = dataclasses.field(default_factory=list)
    exits: list[NodeDef] = dataclasses.field(default_factory=list)


def raise_loops(
    nodes: dict[str, NodeDef], facts: Facts
) -> tuple[dict[str, NodeDef], list[FunctionDef]]:
    """Raises all loops, innermost first, and the conditionals inside of them.

    An Exit stays, as an Identity of its name; other nodes may refer to it as before.

    Args:
        nodes: The graph's nodes by name.
        facts: What is known of the graph; the types of new tensors are added.

    Returns:
        The nodes outside of loops, and the functions of conditions and bodies.

    Raises:
        IrreducibleError: Some frame is not a loop as tf.while_loop makes it.
    """
    if not any(n.op == "Enter" for n in nodes.values()):
        return nodes, []
    nodes = dict(nodes)
    frames = _find_frames(nodes)
    members: dict[_Frame, list[str]] = {}
    for name, frame in frames.items():
        members.setdefault(frame, []).append(name)
    functions: list[FunctionDef] = []
    for frame in sorted(members, key=len, reverse=True):
        if not frame:
            continue
        inside = {name: nodes.pop(name) for name in members[frame]}
        outside = members.setdefault(frame[:-1], [])
        exits = [
            nodes[n]
            for n in outside
            if n in nodes and nodes[n].op == "Exit" and node_of(nodes[n].input[0]) in inside
        ]
        new, made = _raise(inside, exits, facts)
        functions.extend(made)
        for node in new:
            if node.name not in nodes:
                outside.append(node.name)
            nodes[node.name] = node
    return nodes, functions


def _find_frames(nodes: Mapping[str, NodeDef]) -> dict[str, _Frame]:
    frames: dict[str, _Frame] = {}
    for name in topological_order(nodes):
        node = nodes[name]
        found = {frames[s] for s in map(node_of, node.input) if s in frames}
        found.discard(())
        if len(found) > 1:
            raise IrreducibleError(name, "has inputs from two loops")
        frame = found.pop() if found else ()
        if node.op == "Enter":
            frame = (*frame, node.attr["frame_name"].s)
        elif node.op == "Exit":
            if not frame:
                raise IrreducibleError(name, "leaves a loop that it is not in")
            frame = frame[:-1]
        frames[name] = frame
    return frames


def _raise(
    inside: dict[str, NodeDef],
    exits: list[NodeDef],
    facts: Facts,
) -> tuple[list[NodeDef], list[FunctionDef]]:
    """The nodes that take the place of one loop."""
    conditions = [n for n in inside.values() if n.op == "LoopCond"]
    if len(conditions) != 1:
        raise IrreducibleError(next(iter(inside)), "is in a frame without one condition")
    variables = _find_variables(inside, conditions[0], exits)
    invariants = [n for n in inside.values() if n.op == "Enter" and n.attr["is_constant"].b]
    entered = {v.enter.name for v in variables} | {n.name for n in invariants}
    for node in inside.values():
        if node.op == "Enter" and node.name not in entered:
            raise IrreducibleError(node.name, "enters a loop and is no loop variable")

    name = f"{conditions[0].name}/while"
    counter, limit = f"{name}/counter", f"{name}/maximum_iterations"
    given = {f"{counter}/in:0": 0, f"{limit}/in:0": 1}
    for k, variable in enumerate(variables):
        for tensor in (variable.merge.name + ":0", *(f"{s.name}:1" for s in variable.switches)):
            given[tensor] = 2 + k
    for k, node in enumerate(invariants):
        given[f"{node.name}:0"] = 2 + len(variables) + k
    integer = TensorType(DT_INT32, TensorShapeProto())
    loop_types = [integer, integer]
    for variable in variables:
        merged = facts.types[f"{variable.merge.name}:0"]
        behind = merged.behind or facts.types[f"{variable.enter.name}:0"].behind
        loop_types.append(dataclasses.replace(merged, behind=behind))
    loop_types += [facts.types[f"{n.name}:0"] for n in invariants]

    nexts = [v.next for v in variables]
    effects = [i[1:] for n in nexts for i in n.input if is_control(i)]
    effects = [e for e in effects if inside[e].op not in _STRUCTURE]
    one, add = int_constant(f"{counter}/one", 1), NodeDef(name=f"{counter}/add", op="AddV2")
    add.input.extend([f"{counter}/in:0", f"{one.name}:0"])
    add.attr["T"].type = DT_INT32
    results = [f"{add.name}:0", f"{limit}/in:0", *(n.input[0] for n in nexts)]
    results += [f"{n.name}:0" for n in invariants]
    body, functions = _region(
        function_name(name, "body"),
        inside,
        [one, add],
        given,
        loop_types,
        results,
        loop_types,
        effects,
        facts,
    )
    condition, more = _region(
        function_name(name, "cond"),
        inside,
        [],
        given,
        loop_types,
        [conditions[0].input[0]],
        [TensorType(DT_BOOL, TensorShapeProto())],
        [],
        facts,
    )

    loop = NodeDef(name=name, op="While")
    loop.input.extend([f"{counter}:0", f"{limit}:0"])
    enters = [*(v.enter for v in variables), *invariants]
    loop.input.extend(n.input[0] for n in enters)
    loop.input.extend(dict.fromkeys(i for n in enters for i in n.input if is_control(i)))
    loop.attr["T"].list.type.extend(t.dtype for t in loop_types)
    loop.attr["output_shapes"].list.shape.extend(t.shape for t in loop_types)
    loop.attr["body"].func.name = body.signature.name
    loop.attr["cond"].func.name = condition.signature.name
    loop.attr["parallel_iterations"].i = variables[0].enter.attr["parallel_iterations"].i or 10
    loop.attr[LOWER].b = True
    loop.attr[ORIGINAL_OUTPUTS].i = len(loop_types)
    new = [int_constant(counter, 0), int_constant(limit, -1), loop]
    facts.types[f"{counter}:0"] = facts.types[f"{limit}:0"] = integer
    for k, variable in enumerate(variables):
        for node in variable.exits:
            identity = NodeDef(name=node.name, op="Identity", input=[f"{name}:{2 + k}"])
            identity.input.extend(
                i for i in node.input if is_control(i) and node_of(i) not in inside
            )
            identity.attr["T"].type = loop_types[2 + k].dtype
            new.append(identity)
    return new, [*functions, body, *more, condition]


def _find_variables(
    inside: Mapping[str, NodeDef], condition: NodeDef, exits: list[NodeDef]
) -> list[_Variable]:
    variables: dict[str, _Variable] = {}
    for merge in inside.values():
        if merge.op != "Merge":
            continue
        sources = [inside.get(node_of(i)) for i in merge.input if not is_control(i)]
        by_op = {s.op: s for s in sources if s is not None}
        if by_op.keys() >= {"Enter", "NextIteration"} and len(sources) == 2:
            variables[merge.name] = _Variable(by_op["Enter"], merge, by_op["NextIteration"])
        elif "NextIteration" in by_op or "Enter" in by_op:
            raise IrreducibleError(merge.name, "does not merge a way into a loop and a way back")
    switched: dict[str, _Variable] = {}
    for node in inside.values():
        if node.op == "Switch" and node_of(node.input[1]) == condition.name:
            variable = variables.get(node_of(node.input[0]))
            if variable is None:
                raise IrreducibleError(node.name, "switches what is no loop variable")
            variable.switches.append(node)
            switched[f"{node.name}:0"] = variable
    for node in exits:
        if tensor_of(node.input[0]) not in switched:
            raise IrreducibleError(node.name, "leaves a loop with what is no loop variable")
        switched[tensor_of(node.input[0])].exits.append(node)
    if not variables:
        raise IrreducibleError(condition.name, "is the condition of a loop without variables")
    return list(variables.values())


def _region(
    name: str,
    inside: Mapping[str, NodeDef],
    extra: list[NodeDef],
    given: Mapping[str, int],
    argument_types: list[TensorType],
    results: list[str],
    result_types: list[TensorType],
    effects: list[str],
    facts: Facts,
) -> tuple[FunctionDef, list[FunctionDef]]:
    """The function of a part of a loop, and the functions of the conditionals inside."""
    wanted = [*results, *(f"^{e}" for e in effects)]
    needed = ancestors_within(inside, wanted, given)
    # A control dependency on the loop's own nodes is met by being in the loop.
    structure = {n: v for n, v in needed.items() if _is_structure(v, inside)}
    body = ancestors_within({n: v for n, v in needed.items() if n not in structure}, wanted, given)
    nodes, functions, moved = raise_conditionals(body, effects, facts)
    function = make_function(
        name,
        [*nodes.values(), *extra],
        given,
        argument_types,
        results,
        result_types,
        [moved.get(e, e) for e in effects],
        facts,
    )
    return function, functions


def _is_structure(node: NodeDef, inside: Mapping[str, NodeDef]) -> bool:
    """Whether a node carries the loop, as against a conditional in its body."""
    if node.op in {"Enter", "NextIteration", "LoopCond"}:
        return True
    sources = [inside[s].op for s in map(node_of, node.input) if s in inside]
    if node.op == "Merge":
        return "NextIteration" in sources
    return node.op == "Switch" and "LoopCond" in sources
