"""Who needs which part of a variant's graph."""

from __future__ import annotations

from collections.abc import Iterator

from compat_hub.variant import GraphVariant


def users(
    variant: GraphVariant, initial_values: bool = False
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Who needs a part of the graph, which tensors and nodes of it, and what is fed to it.

    What only a checkpoint's own save and restore nodes need, nobody needs.

    Args:
        variant: The variant.
        initial_values: Whether the variables' initializers are used, as there is no checkpoint.
    """
    inputs = []
    for name, signature in variant.signatures.items():
        fed = [tensor for info in signature.inputs.values() for tensor in info.components]
        wanted = [tensor for info in signature.outputs.values() for tensor in info.components]
        inputs.extend(fed)
        yield f"signature {name!r}", wanted, fed
    yield "the regularization losses", [*variant.regularization_losses], inputs
    yield "the update ops", [*variant.update_ops], inputs
    yield "the tables", [*variant.table_initializers], inputs
    if initial_values:
        wanted = [info.initial_value for info in variant.variables if info.initial_value]
        yield "the variables' initial values", wanted, []
