"""Whether a module would touch the host when it is used."""

from __future__ import annotations

from compat_hub.graph.host_access import host_access
from compat_hub.users import users
from compat_hub.variant import GraphVariant


def find_host_access(
    variant: GraphVariant, has_checkpoint: bool = True
) -> list[tuple[str, str, str, str]]:
    """The nodes that touch the host, among those that run when the module is used.

    Reading the module's own assets is not counted.

    Args:
        variant: The variant.
        has_checkpoint: Whether the variables get their values from one, and not from the graph.

    Returns:
        For each the op, the node, what it does, and what of the module needs it.
    """
    own = frozenset(variant.assets)
    library = variant.meta_graph.graph_def.library.function
    suspects = [*variant.nodes.values(), *(node for f in library for node in f.node_def)]
    if not any(host_access(node, own) for node in suspects):
        return []
    found: dict[tuple[str, str], tuple[str, str, str, str]] = {}
    for user, wanted, fed in users(variant, initial_values=not has_checkpoint):
        graph_def = variant.subgraph(wanted, fed)
        places = [(node.name, node) for node in graph_def.node]
        places += [
            (f"{function.signature.name}/{node.name}", node)
            for function in graph_def.library.function
            for node in function.node_def
        ]
        for name, node in places:
            what = host_access(node, own)
            if what is not None:
                found.setdefault((node.op, name), (node.op, name, what, user))
    return sorted(found.values())


def host_access_message(variant: GraphVariant, has_checkpoint: bool = True) -> str | None:
    """A message on how the variant would touch the host, or None where it would not."""
    found = find_host_access(variant, has_checkpoint)
    if not found:
        return None
    listed = "; ".join(
        f"{op!r}, node {node!r}, for {user}, {what}" for op, node, what, user in found
    )
    return (
        f"In {variant.where}: the graph would touch the host when it runs: {listed}. "
        "If you trust the module's source, load it with allow_host_access=True."
    )
