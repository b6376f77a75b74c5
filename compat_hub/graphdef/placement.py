"""Where a node without inputs runs: in which frame of a loop, in which branch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorflow.core.framework.node_def_pb2 import NodeDef

from compat_hub.graphdef.names import node_of


def wait_for(
    tensor: str, nodes: Mapping[str, Any], name: str, dtype: int | None = None
) -> tuple[str, list[NodeDef]]:
    """A control input that puts a node where a tensor is: in its frame, in its branch.

    A Switch is itself outside of the branches that its outputs are in. What has to be in the branch
    waits for an identity of the output.

    Args:
        tensor: The tensor.
        nodes: The nodes of the graph by name.
        name: What the identity is called, if there has to be one.
        dtype: The tensor's dtype, if it is not the one that its node says.

    Returns:
        The control input, and the nodes to add to the graph.
    """
    source = nodes.get(node_of(tensor))
    if source is None or source.op not in ("Switch", "RefSwitch"):
        return f"^{node_of(tensor)}", []
    identity = NodeDef(name=name, op="Identity", input=[tensor])
    identity.attr["T"].type = source.attr["T"].type if dtype is None else dtype
    return f"^{name}", [identity]
