"""Conditionals of TF1, Switch and Merge outside of loops, raised to If with branch functions.

Which branch a node is in follows from the Switches before it: each output of a Switch lives in one
branch of its predicate only, and so does all that needs it, up to a Merge of both branches. No
collection is needed.

The rule is that of deadness: a Switch sends a dead tensor the way not taken, a node with a dead
input does not run and sends dead tensors on, and a Merge gives the input that is alive
(tensorflow/core/common_runtime/propagator_state.cc and executor.cc; Yu et al., "Dynamic Control
Flow in Large-Scale Machine Learning", EuroSys 2018, https://arxiv.org/abs/1805.01772).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping

from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.node_def_pb2 import NodeDef

from compat_hub.graphdef.edit import copy_node
from compat_hub.graphdef.names import is_control, node_of, tensor_of
from compat_hub.graphdef.passes.control_flow.make_function import (
    CycleError,
    Facts,
    IrreducibleError,
    function_name,
    make_function,
    small_constant,
    topological_order,
)
from compat_hub.graphdef.passes.control_flow.split_conditionals import Context, take_apart
from compat_hub.graphdef.private_attrs import LOWER
from compat_hub.graphdef.subgraph import dependents

_MAX_ROUNDS = 1000


@dataclasses.dataclass
class _Conditional:
    """The nodes that become one If."""

    switches: list[str] = dataclasses.field(default_factory=list)
    branches: tuple[list[str], list[str]] = dataclasses.field(default_factory=lambda: ([], []))
    merges: list[str] = dataclasses.field(default_factory=list)


def raise_conditionals(
    nodes: dict[str, NodeDef],
    effects: Collection[str],
    facts: Facts,
) -> tuple[dict[str, NodeDef], list[FunctionDef], dict[str, str]]:
    """Raises all conditionals among nodes without loops, innermost first.

    A Merge stays, as an Identity of its name; other nodes may refer to it as before.

    Args:
        nodes: The nodes by name. Tensors of other nodes are given.
        effects: Names of nodes that run even if no tensor needs them, in a branch only when it is
            taken.
        facts: What is known of the graph, other nodes included.

    Returns:
        The nodes, the branch functions, and for each of `effects` within a branch the node that now
        stands for it.

    Raises:
        IrreducibleError: Some Switch or Merge does not belong to a conditional.
    """
    if not any(n.op in {"Switch", "Merge"} for n in nodes.values()):
        return nodes, [], {}
    try:
        return _raise_all(nodes, effects, facts, entangled=False)
    except CycleError:
        return _raise_all(nodes, effects, facts, entangled=True)


def _raise_all(
    nodes: Mapping[str, NodeDef], effects: Collection[str], facts: Facts, entangled: bool
) -> tuple[dict[str, NodeDef], list[FunctionDef], dict[str, str]]:
    nodes = {name: copy_node(node) for name, node in nodes.items()} if entangled else dict(nodes)
    contexts = _find_contexts(nodes)
    functions: list[FunctionDef] = []
    moved: dict[str, str] = {}
    switches = {n.name: node_of(n.input[0]) for n in nodes.values() if n.op == "Switch"}
    for depth in range(max(map(len, contexts.values()), default=0) + 1, 0, -1):
        if entangled:
            _take_apart(nodes, contexts, depth, facts)
            switches.update(
                {n.name: node_of(n.input[0]) for n in nodes.values() if n.op == "Switch"}
            )
        for conditional in _find_conditionals(nodes, contexts, depth):
            wanted = {moved.get(e, e) for e in effects}
            name, made = _raise(conditional, nodes, contexts, wanted, facts)
            functions.extend(made)
            inside = {*conditional.branches[0], *conditional.branches[1]}
            moved.update({e: name for e in effects if moved.get(e, e) in inside})
    _reconnect(nodes, switches)
    leftover = next((n.name for n in nodes.values() if n.op in {"Switch", "Merge"}), None)
    if leftover:
        raise IrreducibleError(leftover, "belongs to no conditional")
    topological_order(nodes)
    return nodes, functions, moved


def _take_apart(
    nodes: dict[str, NodeDef], contexts: dict[str, Context], depth: int, facts: Facts
) -> None:
    """Splits every conditional at a depth that needs itself, in place, until none does."""
    for _ in range(_MAX_ROUNDS):
        for conditional in _find_conditionals(nodes, contexts, depth):
            inside = {*conditional.branches[0], *conditional.branches[1], *conditional.switches}
            later = (dependents(nodes, conditional.merges) & inside) if conditional.merges else ()
            if later:
                switches = conditional.switches
                take_apart(nodes, contexts, conditional.branches, switches, later, facts)
                break
        else:
            return


def _reconnect(nodes: dict[str, NodeDef], switches: Mapping[str, str]) -> None:
    """Lets control inputs on Switches that are gone wait for what was switched, in place."""

    def follow(source: str) -> str:
        while is_control(source) and source[1:] not in nodes and source[1:] in switches:
            source = f"^{switches[source[1:]]}"
        return source

    for node in nodes.values():
        if any(is_control(i) and i[1:] in switches for i in node.input):
            node.input[:] = list(dict.fromkeys(map(follow, node.input)))


def _find_contexts(nodes: Mapping[str, NodeDef]) -> dict[str, Context]:
    contexts: dict[str, Context] = {}

    def context_of(source: str) -> Context:
        return _tensor_context(source, nodes, contexts)

    for name in topological_order(nodes):
        node = nodes[name]
        if node.op == "Merge":
            contexts[name] = _merged_context(node, context_of)
            continue
        found = [context_of(i) for i in node.input]
        longest = max(found, key=len, default=())
        for context in found:
            if longest[: len(context)] != context:
                raise IrreducibleError(name, "needs branches of two unrelated conditionals")
        contexts[name] = longest
    return contexts


def _tensor_context(
    source: str, nodes: Mapping[str, NodeDef], contexts: Mapping[str, Context]
) -> Context:
    name = node_of(source)
    if name not in nodes:
        return ()
    context = contexts[name]
    if nodes[name].op == "Switch" and not is_control(source):
        output = int(tensor_of(source).rpartition(":")[2])
        return (*context, (_predicate(nodes[name], nodes), output))
    return context


def _predicate(switch: NodeDef, nodes: Mapping[str, NodeDef]) -> str:
    """The tensor that decides, behind the Identities that TF1 puts before it."""
    tensor = tensor_of(switch.input[1])
    while (node := nodes.get(node_of(tensor))) is not None and node.op == "Identity":
        tensor = tensor_of(node.input[0])
    return tensor


def _merged_context(merge: NodeDef, context_of: Callable[[str], Context]) -> Context:
    data = [i for i in merge.input if not is_control(i)]
    found = [context_of(i) for i in data]
    if len(found) == 2 and all(found):
        (*outer, (predicate, side)), (*other_outer, (other_predicate, other_side)) = found
        if outer == other_outer and predicate == other_predicate and {side, other_side} == {0, 1}:
            return tuple(outer)
    raise IrreducibleError(merge.name, "merges what are not the two branches of one conditional")


def _find_conditionals(
    nodes: Mapping[str, NodeDef], contexts: Mapping[str, Context], depth: int
) -> list[_Conditional]:
    """The conditionals whose branches are at a depth, each with all nodes that belong together."""
    leaders: dict[str, str] = {}

    def leader(name: str) -> str:
        while leaders.setdefault(name, name) != name:
            leaders[name] = leaders[leaders[name]]
            name = leaders[name]
        return name

    def is_inside(name: str) -> bool:
        return name in nodes and len(contexts[name]) == depth

    def is_switch(name: str) -> bool:
        return name in nodes and nodes[name].op == "Switch" and len(contexts[name]) == depth - 1

    members = {}
    for name, node in nodes.items():
        merges = node.op == "Merge" and len(contexts[name]) == depth - 1
        if not (is_inside(name) or merges):
            continue
        members[name] = node
        for source in map(node_of, node.input):
            if is_inside(source) or is_switch(source):
                members[source] = nodes[source]
                leaders[leader(source)] = leader(name)
    found: dict[str, _Conditional] = {}
    for name, node in members.items():
        conditional = found.setdefault(leader(name), _Conditional())
        if is_inside(name):
            conditional.branches[contexts[name][-1][1]].append(name)
        elif node.op == "Merge":
            conditional.merges.append(name)
        else:
            conditional.switches.append(name)
    return list(found.values())


def _raise(
    conditional: _Conditional,
    nodes: dict[str, NodeDef],
    contexts: dict[str, Context],
    effects: Collection[str],
    facts: Facts,
) -> tuple[str, list[FunctionDef]]:
    """Replaces one conditional among `nodes`, in place."""
    members = {*conditional.switches, *conditional.branches[0], *conditional.branches[1]}
    if not conditional.switches:
        raise IrreducibleError(next(iter(members)), "is in a branch that no Switch leads to")
    given, captured, controls, constants = _captures(conditional, nodes, members)
    anchor = next(iter(conditional.merges), None) or next(iter(conditional.switches))
    name = f"{anchor}/if"
    while name in nodes:
        name += "_"
    merges = [nodes[m] for m in conditional.merges]
    outputs = [facts.types[f"{m.name}:0"] for m in merges]
    functions = []
    for side in (0, 1):
        results = [_input_of_side(m, side, nodes, contexts) for m in merges]
        inside = set(conditional.branches[side])
        wanted = [n for n in conditional.branches[side] if n in effects]
        wanted += [c[1:] for m in merges for c in m.input if is_control(c) and c[1:] in inside]
        functions.append(
            make_function(
                function_name(name, "true" if side else "false"),
                [*(nodes[n] for n in conditional.branches[side]), *constants[side]],
                given[side],
                [facts.types[t] for t in captured],
                results,
                outputs,
                wanted,
                facts,
            )
        )
    new = NodeDef(name=name, op="If")
    new.input.extend([nodes[conditional.switches[0]].input[1], *captured])
    new.input.extend(controls)
    new.attr["Tcond"].type = facts.types[tensor_of(new.input[0])].dtype
    new.attr["Tin"].list.type.extend(facts.types[t].dtype for t in captured)
    new.attr["Tout"].list.type.extend(o.dtype for o in outputs)
    new.attr["output_shapes"].list.shape.extend(o.shape for o in outputs)
    new.attr["else_branch"].func.name = functions[0].signature.name
    new.attr["then_branch"].func.name = functions[1].signature.name
    new.attr[LOWER].b = True
    context = contexts[conditional.switches[0]]
    for member in members:
        del nodes[member], contexts[member]
    nodes[name], contexts[name] = new, context
    for k, merge in enumerate(merges):
        identity = NodeDef(name=merge.name, op="Identity", input=[f"{name}:{k}"])
        identity.input.extend(i for i in merge.input if is_control(i) and node_of(i) not in members)
        identity.attr["T"].type = outputs[k].dtype
        nodes[merge.name] = identity
    return name, functions


def _captures(
    conditional: _Conditional, nodes: Mapping[str, NodeDef], members: Collection[str]
) -> tuple[tuple[dict[str, int], ...], list[str], list[str], tuple[list[NodeDef], ...]]:
    """What a conditional takes from outside.

    Returns:
        For each branch the position of what its tensors stand for, the tensors captured by
        position, the control inputs, and for each branch the constants that it gets of its own.
    """
    captured: dict[str, int] = {}
    given: tuple[dict[str, int], dict[str, int]] = ({}, {})
    controls: dict[str, None] = {}
    constants: tuple[list[NodeDef], list[NodeDef]] = ([], [])
    for name in conditional.switches:
        position = captured.setdefault(tensor_of(nodes[name].input[0]), len(captured))
        for side in (0, 1):
            given[side][f"{name}:{side}"] = position
        controls.update({i: None for i in nodes[name].input if is_control(i)})
    for side in (0, 1):
        for name in conditional.branches[side]:
            outside = [s for s in nodes[name].input if node_of(s) not in members]
            controls.update({s: None for s in outside if is_control(s)})
            for tensor in (tensor_of(s) for s in outside if not is_control(s)):
                constant = small_constant(nodes.get(node_of(tensor)))
                if constant is not None:
                    constants[side].append(constant)
                    continue
                given[side][tensor] = captured.setdefault(tensor, len(captured))
    return given, list(captured), list(controls), constants


def _input_of_side(
    merge: NodeDef, side: int, nodes: Mapping[str, NodeDef], contexts: Mapping[str, Context]
) -> str:
    data = [i for i in merge.input if not is_control(i)]
    return next(i for i in data if _tensor_context(i, nodes, contexts)[-1][1] == side)
