"""Reference variables of TF1 rewritten to resource variables.

A reference variable is a buffer that its readers share: an op reads it when that op runs. Here each
reader gets a read of its own, which waits for all that the reader waits for; the order that control
dependencies demand between a write and a read therefore holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.framework.types_pb2 import DT_RESOURCE

from compat_hub.graphdef.edit import copy_node, follow, new_graph
from compat_hub.graphdef.names import is_control, node_of, tensor_of
from compat_hub.graphdef.private_attrs import NOTED_SHAPES

GraphDef = Any

REFERENCE_VARIABLE_OPS = frozenset({"Variable", "VariableV2"})
VARIABLE_OPS = REFERENCE_VARIABLE_OPS | {"VarHandleOp"}

# Ops that pass a reference on, and what they are for a resource.
PASSING_OPS = {
    "RefEnter": "Enter",
    "RefExit": "Exit",
    "RefIdentity": "Identity",
    "RefMerge": "Merge",
    "RefNextIteration": "NextIteration",
    "RefSwitch": "Switch",
}
# Ops that write through a reference and return it, and their twins for a resource.
_WRITING = {
    "Assign": "AssignVariableOp",
    "AssignAdd": "AssignAddVariableOp",
    "AssignSub": "AssignSubVariableOp",
    "ScatterAdd": "ResourceScatterAdd",
    "ScatterDiv": "ResourceScatterDiv",
    "ScatterMax": "ResourceScatterMax",
    "ScatterMin": "ResourceScatterMin",
    "ScatterMul": "ResourceScatterMul",
    "ScatterSub": "ResourceScatterSub",
    "ScatterUpdate": "ResourceScatterUpdate",
    "ScatterNdAdd": "ResourceScatterNdAdd",
    "ScatterNdSub": "ResourceScatterNdSub",
    "ScatterNdUpdate": "ResourceScatterNdUpdate",
}
# Ops that take a reference and return values.
_QUERYING = {"IsVariableInitialized": "VarIsInitializedOp", "CountUpTo": "ResourceCountUpTo"}
_KEEPS_T = frozenset(
    {"ResourceScatterNdAdd", "ResourceScatterNdSub", "ResourceScatterNdUpdate", "ResourceCountUpTo"}
)


class UnknownReferenceOpError(ValueError):
    """A node writes to a reference variable in a way that has no twin for resources."""


@dataclasses.dataclass(frozen=True)
class _Reference:
    """A tensor that was a reference: where its resource is, and which writes come before it."""

    handle: str
    dtype: int
    after: tuple[str, ...] = ()


def to_resource_variables(
    graph_def: GraphDef, variables: Mapping[str, int], fetches: Sequence[str]
) -> tuple[GraphDef, list[str]]:
    """Rewrites all uses of reference variables.

    Args:
        graph_def: A graph without the variables' own nodes: inputs that name them dangle, and name
            resources afterwards.
        variables: Dtype by the tensor of each reference variable.
        fetches: Tensors that will be fetched; references among them are replaced by reads.

    Returns:
        The graph (`graph_def` itself where no node uses such a variable) and the fetches.

    Raises:
        UnknownReferenceOpError: An op writes to a reference and has no twin for resources.
    """
    references = _find_references(graph_def, variables)
    used = {tensor_of(i) for node in graph_def.node for i in node.input if not is_control(i)}
    if not references.keys() & (used | set(fetches)):
        return graph_def, list(fetches)
    result = new_graph(
        graph_def, [new for node in graph_def.node for new in _rewrite(node, references)]
    )
    reads: dict[str, str] = {}
    for tensor in fetches:
        if tensor in references and tensor not in reads:
            read = _read(f"{node_of(tensor)}/fetch_{tensor[-1]}", references[tensor])
            result.node.append(read)
            reads[tensor] = f"{read.name}:0"
    _drop_waits_for_given(result)
    return result, [reads.get(tensor, tensor) for tensor in fetches]


def _drop_waits_for_given(graph_def: GraphDef) -> None:
    """Removes, in place, control inputs on nodes that are not there: their tensors are given."""
    names = {node.name for node in graph_def.node}
    for node in graph_def.node:
        kept = [i for i in node.input if not is_control(i) or i[1:] in names]
        if len(kept) < len(node.input):
            node.input[:] = kept


def _find_references(graph_def: GraphDef, variables: Mapping[str, int]) -> dict[str, _Reference]:
    """Every tensor that is a reference, also behind the ops that pass it on."""
    references = {tensor: _Reference(tensor, dtype) for tensor, dtype in variables.items()}

    def visit(node: NodeDef) -> bool:
        known = [references[t] for t in map(tensor_of, node.input) if t in references]
        if known and node.op in _WRITING:
            source = known[0]
            references[f"{node.name}:0"] = _Reference(
                source.handle, source.dtype, (f"^{node.name}",)
            )
        elif known:
            for k in range(2 if node.op == "RefSwitch" else 1):
                tensor = f"{node.name}:{k}"
                references[tensor] = _Reference(tensor, known[0].dtype)
        return bool(known)

    follow([n for n in graph_def.node if n.op in PASSING_OPS or n.op in _WRITING], visit)
    return references


def _rewrite(node: NodeDef, references: Mapping[str, _Reference]) -> list[NodeDef]:
    """The nodes that take the place of one."""
    positions = [
        k for k, i in enumerate(node.input) if not is_control(i) and tensor_of(i) in references
    ]
    if not positions:
        return [node]
    new = copy_node(node)
    new.attr.pop(NOTED_SHAPES, None)
    if node.op in PASSING_OPS:
        new.op = PASSING_OPS[node.op]
        new.attr["T"].type = DT_RESOURCE
        return [*_pass_handles(new, positions, references), new]
    if 0 in positions and (node.op in _WRITING or node.op in _QUERYING):
        reads = _read_inputs(new, [k for k in positions if k], references)
        _take_handles(new, [0], references)
        _change_op(new, references[tensor_of(node.input[0])].dtype)
        return [*reads, new]
    if node.op == "Identity":
        reference = references[tensor_of(node.input[0])]
        new.op = "ReadVariableOp"
        new.attr.clear()
        new.attr["dtype"].type = reference.dtype
        _take_handles(new, positions, references)
        return [new]
    if _writes_unknown(node):
        raise UnknownReferenceOpError(
            f"the node {node.name!r} of type {node.op!r} writes to the reference variable "
            f"{node.input[positions[0]]!r}, and resource variables have no such op"
        )
    return [*_read_inputs(new, positions, references), new]


def _writes_unknown(node: NodeDef) -> bool:
    return node.op.startswith(("Apply", "SparseApply", "Scatter", "Assign", "Ref")) or (
        node.op in {"DestroyTemporaryVariable", "TemporaryVariable"}
    )


def _take_handles(
    node: NodeDef, positions: Sequence[int], references: Mapping[str, _Reference]
) -> None:
    """Replaces references among the inputs by their resources, in place."""
    for k in positions:
        reference = references[tensor_of(node.input[k])]
        node.input[k] = reference.handle
        node.input.extend(a for a in reference.after if a not in node.input)


def _pass_handles(
    node: NodeDef, positions: Sequence[int], references: Mapping[str, _Reference]
) -> list[NodeDef]:
    """As `_take_handles`; a write comes before the resource that is passed on, not the node.

    The node may merge two branches, and a write in the one not taken never happens.
    """
    identities = []
    for k in positions:
        reference = references[tensor_of(node.input[k])]
        node.input[k] = reference.handle
        if reference.after:
            identity = NodeDef(name=f"{node.name}/written_{k}", op="Identity")
            identity.input.extend([reference.handle, *reference.after])
            identity.attr["T"].type = DT_RESOURCE
            node.input[k] = f"{identity.name}:0"
            identities.append(identity)
    return identities


def _read_inputs(
    node: NodeDef, positions: Sequence[int], references: Mapping[str, _Reference]
) -> list[NodeDef]:
    """Replaces references among the inputs by reads, in place, and returns the reads."""
    reads = []
    waits = [i for i in node.input if is_control(i)]
    # The op would have looked at the buffer when all its other inputs were there.
    values = [i for k, i in enumerate(node.input) if k not in positions and not is_control(i)]
    waits += [f"^{node_of(i)}" for i in values if node.op not in {"Merge", "Switch", "Enter"}]
    for k in positions:
        read = _read(f"{node.name}/read_{k}", references[tensor_of(node.input[k])])
        read.input.extend(w for w in dict.fromkeys(waits) if w not in read.input)
        node.input[k] = f"{read.name}:0"
        reads.append(read)
    return reads


def _read(name: str, reference: _Reference) -> NodeDef:
    read = NodeDef(name=name, op="ReadVariableOp", input=[reference.handle, *reference.after])
    read.attr["dtype"].type = reference.dtype
    return read


def _change_op(node: NodeDef, dtype: int) -> None:
    """Turns a node that writes to a reference into its twin, in place."""
    node.op = _WRITING.get(node.op) or _QUERYING[node.op]
    for key in set(node.attr) - {"Tindices", "limit"}:
        del node.attr[key]
    if node.op != "VarIsInitializedOp":
        node.attr["T" if node.op in _KEEPS_T else "dtype"].type = dtype
