"""Random ops without a seed, and how `tf.random.set_seed` reaches them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from tensorflow.core.framework.node_def_pb2 import NodeDef

from compat_hub.graphdef.function_library import all_nodes

GraphDef = Any
OpDef = Any


def unseeded_nodes(graph_def: GraphDef, op_def: Callable[[str], OpDef]) -> list[NodeDef]:
    """The random ops of a graph and its functions that draw by the kernel's own choice."""
    random = _random_ops(graph_def, op_def)
    return [
        node
        for node in (all_nodes(graph_def) if random else ())
        if node.op in random and not any(_int(node, name) for name in ("seed", "seed2"))
    ]


def draws(graph_def: GraphDef, op_def: Callable[[str], OpDef]) -> bool:
    """Whether a graph or one of its functions draws random numbers, with a seed or without."""
    return bool(_random_ops(graph_def, op_def))


def _random_ops(graph_def: GraphDef, op_def: Callable[[str], OpDef]) -> set[str]:
    return {op for op in {n.op for n in all_nodes(graph_def)} if takes_seeds(op_def(op))}


def _int(node: NodeDef, name: str) -> int:
    return node.attr[name].i if name in node.attr else 0  # asking would make an empty attribute


def seed_nodes(nodes: list[NodeDef], seed: int) -> None:
    """Gives each node a seed of its own that follows from `seed` and its name, in place."""
    for node in nodes:
        node.attr["seed"].i = seed
        node.attr["seed2"].i = zlib.crc32(node.name.encode()) & 0x7FFFFFFF


def takes_seeds(op_def: OpDef) -> bool:
    """Whether an op draws random numbers, by a seed that it holds as attributes."""
    return op_def is not None and {"seed", "seed2"} <= {attr.name for attr in op_def.attr}
