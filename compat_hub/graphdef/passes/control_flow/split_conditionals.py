"""Conditionals whose branches hold a later conditional's nodes too, taken apart.

`tf.gradients` of a conditional makes them: the nodes of the gradient are in the branch that the
forward nodes are in, use tensors of that branch directly, and need its Merge as well. One If cannot
need itself. So the branch's tensors that later nodes use leave it by a Merge, and come back by a
Switch; the branch not taken gives a zero that nobody looks at.
"""

from __future__ import annotations

from collections.abc import Collection

from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto
from tensorflow.core.framework.types_pb2 import DT_RESOURCE, DT_VARIANT

from compat_hub.graphdef.names import is_control, node_of, tensor_of
from compat_hub.graphdef.passes.control_flow.make_function import (
    Facts,
    IrreducibleError,
    TensorType,
)

# The branches that a node is in, outermost first: predicate and output of the Switch.
Context = tuple[tuple[str, int], ...]


def take_apart(
    nodes: dict[str, NodeDef],
    contexts: dict[str, Context],
    branches: tuple[Collection[str], Collection[str]],
    switches: Collection[str],
    later: Collection[str],
    facts: Facts,
) -> None:
    """Cuts all edges from the earlier to the later nodes of one conditional, in place.

    Args:
        nodes: The nodes by name.
        contexts: The branches that each is in; those of new nodes are added.
        branches: The nodes in the branch of False and in that of True.
        switches: The Switches that lead into the branches.
        later: Those of the nodes and Switches that need a Merge of the conditional.
        facts: What is known of the graph; the types of new tensors are added.

    Raises:
        IrreducibleError: A tensor that later nodes use has no zero.
    """
    predicate = nodes[next(iter(switches))].input[1]
    returned: dict[str, str] = {}
    for side in (0, 1):
        for name in branches[side]:
            if name not in later:
                continue
            node = nodes[name]
            sources = []
            for source in node.input:
                maker = node_of(source)
                earlier = (maker in branches[side] or maker in switches) and maker not in later
                if not earlier:
                    sources.append(source)
                elif not is_control(source):
                    tensor = tensor_of(source)
                    if tensor not in returned:
                        returned[tensor] = _lead_around(
                            tensor, side, predicate, nodes, contexts, switches, facts
                        )
                    sources.append(returned[tensor])
            node.input[:] = sources


def _lead_around(
    tensor: str,
    side: int,
    predicate: str,
    nodes: dict[str, NodeDef],
    contexts: dict[str, Context],
    switches: Collection[str],
    facts: Facts,
) -> str:
    """Lets a tensor of a branch into the branch once more, from outside; returns its name there."""
    maker = node_of(tensor)
    stem = tensor.replace(":", "/output_")
    again = f"{stem}/again"
    if maker in switches:
        outside, outer = nodes[maker].input[0], contexts[maker]
    else:
        outer = contexts[maker][:-1]
        outside = _lead_out(tensor, side, stem, nodes, contexts, facts)
    kind = facts.types[tensor]
    switch = NodeDef(name=again, op="Switch", input=[outside, predicate])
    switch.attr["T"].type = kind.dtype
    nodes[again], contexts[again] = switch, outer
    for output in (0, 1):
        facts.types[f"{again}:{output}"] = kind
    return f"{again}:{side}"


def _lead_out(
    tensor: str,
    side: int,
    stem: str,
    nodes: dict[str, NodeDef],
    contexts: dict[str, Context],
    facts: Facts,
) -> str:
    kind = facts.types[tensor]
    if kind.dtype in {DT_RESOURCE, DT_VARIANT}:
        raise IrreducibleError(node_of(tensor), "is used by the gradient of its conditional")
    inner = contexts[node_of(tensor)]
    absent, merge = f"{stem}/absent", f"{stem}/merge"
    zero = NodeDef(name=absent, op="Const")
    zero.attr["dtype"].type = zero.attr["value"].tensor.dtype = kind.dtype
    zero.attr["value"].tensor.tensor_shape.SetInParent()
    nodes[absent], contexts[absent] = zero, (*inner[:-1], (inner[-1][0], 1 - side))
    facts.types[f"{absent}:0"] = TensorType(kind.dtype, TensorShapeProto())
    nodes[merge] = NodeDef(name=merge, op="Merge", input=[tensor, f"{absent}:0"])
    nodes[merge].attr["T"].type = kind.dtype
    contexts[merge] = inner[:-1]
    facts.types[f"{merge}:0"] = TensorType(kind.dtype, TensorShapeProto(unknown_rank=True))
    return f"{merge}:0"
