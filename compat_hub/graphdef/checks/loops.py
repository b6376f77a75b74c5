"""Whether what a loop hands to its next iteration, and out of it, stays on its way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import control_flow_pb2

from compat_hub.graphdef.names import is_control

GraphDef = Any
NodeDef = Any

_ENTER = frozenset({"Enter", "RefEnter"})
_MERGE = frozenset({"Merge", "RefMerge"})
_NEXT = frozenset({"NextIteration", "RefNextIteration"})
_EXIT = frozenset({"Exit", "RefExit"})
_WITH_ITERATIONS = frozenset({*_ENTER, "While", "StatelessWhile"})
# The runtime divides by one more, as a number of 32 bits, and makes a place for each.
_MOST_PARALLEL = 2**20


def find_bad_iteration(graph_def: GraphDef) -> str | None:
    """A message on a NextIteration that leads to no loop variable, or None where all do.

    Or one on an Exit that is in no loop, from which the runtime goes out to a frame that is not
    there; or on a loop that runs so many iterations at a time as no runtime does.

    A loop variable is a Merge of an Enter and a NextIteration. The runtime takes any other node
    behind a NextIteration for one that has all of its inputs, in an iteration where some never
    come, and reads what is not there.

    Args:
        graph_def: The graph; its functions are looked at, too.
    """
    bodies = (graph_def.node, *(function.node_def for function in graph_def.library.function))
    for nodes in bodies:
        for node in nodes:
            if node.op in _WITH_ITERATIONS and "parallel_iterations" in node.attr:
                count = node.attr["parallel_iterations"].i
                if not 0 <= count <= _MOST_PARALLEL:
                    return f"the node {node.name!r} has {count} parallel iterations"
        nexts = {node.name for node in nodes if node.op in _NEXT}
        if nexts:
            problem = _problem(nodes, nexts)
            if problem:
                return problem
        if any(node.op in _EXIT for node in nodes):
            outside = _exit_outside(nodes)
            if outside:
                return f"the node {outside!r} leads out of a loop and is in none"
    return None


def find_bad_context(contexts: Iterable[bytes]) -> str | None:
    """A message on a context of a loop that says what no loop does, or None where none says it.

    The loop of its gradient runs as many iterations at a time.

    Args:
        contexts: What the collection of loops' contexts has: serialized `WhileContextDef`s.
    """
    stack = []
    for data in contexts:
        try:
            stack.append(control_flow_pb2.WhileContextDef.FromString(data))
        except DecodeError:
            continue  # the import says so
    while stack:
        context = stack.pop()
        count = context.parallel_iterations
        if not 0 <= count <= _MOST_PARALLEL:
            return f"the context {context.context_name!r} has {count} parallel iterations"
        for nested in context.nested_contexts:
            kind = nested.WhichOneof("ctxt")
            if kind == "while_ctxt":
                stack.append(nested.while_ctxt)
    return None


def _problem(nodes: Sequence[NodeDef], nexts: set[str]) -> str | None:
    enters = {node.name for node in nodes if node.op in _ENTER}
    around = set()
    for node in nodes:
        given = [_node_of(source) for source in node.input]
        taken = nexts.intersection(given)
        if not taken:
            continue
        data = given[: sum(not is_control(source) for source in node.input)]
        is_variable = node.op in _MERGE and len(data) == 2 and enters.intersection(data)
        if not is_variable or not taken.issubset(data):
            return f"the node {node.name!r} is behind {min(taken)!r} and is no loop variable"
        around.update(taken)
    if nexts - around:
        return f"the node {min(nexts - around)!r} leads to no loop variable"
    return None


def _exit_outside(nodes: Sequence[NodeDef]) -> str | None:
    """An Exit whose input is in no loop: as many Exits as Enters are on each way to it."""
    by_name = {node.name: node for node in nodes}
    depths: dict[str, int] = {}
    stack = [node.name for node in nodes if node.op in _EXIT]
    begun: set[str] = set()
    while stack:
        node = by_name[stack[-1]]
        given = [by_name[n] for n in map(_node_of, node.input) if n in by_name]
        before = [n for n in given if n.op not in _NEXT]  # what comes around is as deep
        waiting = [n.name for n in before if n.name not in depths and n.name not in begun]
        begun.add(node.name)
        if waiting:
            stack += waiting
            continue
        stack.pop()
        depth = max((depths.get(n.name, 0) for n in before), default=0)
        if node.op in _EXIT and not depth:
            return node.name
        depths[node.name] = depth + (node.op in _ENTER) - (node.op in _EXIT)
    return None


def _node_of(source: str) -> str:
    """The node of an input, in a graph or in a function: of `"a:1"`, `"a:output:0"` or `"^a"`."""
    return source.removeprefix("^").partition(":")[0]
