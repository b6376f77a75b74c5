"""What a graph tells of the machine and program that built it: devices, files, debug names.

A module is read elsewhere. There such a device or file is not, and nobody is to know its name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from typing import Any

from compat_hub.graphdef.function_library import all_nodes
from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.subgraph import index_nodes

NodeDef = Any
GraphDef = Any

# A function call's ConfigProto: how many devices of each type the process had.
_CONFIG = "config_proto"
_RESTORING = frozenset({"Restore", "RestoreSlice", "RestoreV2"})


def clear_devices(graph_def: GraphDef) -> None:
    """Removes the devices of all nodes, in place, those of functions included."""
    for node in all_nodes(graph_def):
        node.device = ""
        if _CONFIG in node.attr:
            node.attr[_CONFIG].s = b""


def drop_debug_names(graph_def: GraphDef) -> None:
    """Removes what TensorFlow 2.16 began to note at variables, in place.

    TensorFlow 1 refuses a node with an attribute that it does not know.
    """
    for node in all_nodes(graph_def):
        if node.op == "VarHandleOp" and "debug_name" in node.attr:
            del node.attr["debug_name"]


def rename_files(graph_def: GraphDef, names: Mapping[str, str]) -> None:
    """Replaces paths in the shared names of tables, in place.

    TensorFlow makes a vocabulary's shared name from its path.

    Args:
        graph_def: The graph.
        names: By path, what stands in its place: no two may be the same.
    """
    if not names:
        return
    renamed = {os.fsencode(path): name.encode() for path, name in names.items()}
    longest_first = sorted(renamed, key=len, reverse=True)
    paths = re.compile(b"|".join(map(re.escape, longest_first)))
    for node in all_nodes(graph_def):
        if "shared_name" in node.attr:
            old = node.attr["shared_name"].s
            node.attr["shared_name"].s = paths.sub(lambda found: renamed[found.group()], old)


def clear_checkpoint_paths(graph_def: GraphDef, needed: Collection[str]) -> None:
    """Empties, in place, the paths of checkpoints that only initializers read.

    Args:
        graph_def: The graph of a module whose own checkpoint has the values of its variables.
        needed: The nodes that something other than initializers needs.
    """
    nodes = index_nodes(graph_def)
    for node in graph_def.node:
        if node.op in _RESTORING and node.name not in needed:
            path = nodes.get(node_of(node.input[0]))
            if path is not None and path.op == "Const" and path.name not in needed:
                path.attr["value"].tensor.string_val[:] = [b""]
