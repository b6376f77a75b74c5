"""What of a variant's graph runs, and with what it is fed."""

from __future__ import annotations

from collections.abc import Iterator

from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef.names import tensor_of
from compat_hub.tf_private import op_registry


def users(
    variant: GraphVariant, initial_values: bool = False
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Who needs a part of the graph, which tensors and nodes of it, and what is fed to it for sure.

    An input with a default is not fed for sure, as a caller may leave it out. Nobody feeds anything
    to tables, to initial values, or to a loss that depends on no input. Update ops, and losses that
    depend on inputs, run with the inputs of the signature that is called: there is one entry for
    each. Ignore nodes that only the checkpoint's save and restore ops use.

    Args:
        variant: The variant.
        initial_values: Whether the variables' initializers are used, as there is no checkpoint.
    """
    losses = variant.regularization_losses
    state = _state_tensors(variant) if losses or variant.update_ops else []
    free = set(variant.runnable(losses)) if losses else set[str]()
    for name, signature in variant.signatures.items():
        inputs = signature.inputs.values()
        fed = [t for info in inputs if not variant.has_default(info) for t in info.components]
        wanted = [tensor for info in signature.outputs.values() for tensor in info.components]
        yield f"signature {name!r}", wanted, fed
        # With all inputs given, and the state, more can run than without.
        given = [*state, *(tensor for info in inputs for tensor in info.components)]
        if variant.update_ops:
            update_ops = variant.runnable(variant.update_ops, given)
            yield f"the update ops in a call of signature {name!r}", update_ops, fed
        if not free.issuperset(losses):
            bound = [loss for loss in variant.runnable(losses, given) if loss not in free]
            yield f"the regularization losses of signature {name!r}", bound, fed
    yield "the regularization losses", [*free], []
    yield "the tables", [*variant.table_initializers], []
    if initial_values:
        wanted = [info.initial_value for info in variant.variables if info.initial_value]
        yield "the variables' initial values", wanted, []


def all_wanted(variant: GraphVariant, initial_values: bool = False) -> list[str]:
    """All tensors and nodes that some user of the graph may want, without asking which can run.

    Args:
        variant: The variant.
        initial_values: As for `users`.
    """
    outputs = [o for s in variant.signatures.values() for o in s.outputs.values()]
    wanted = [component for output in outputs for component in output.components]
    wanted += [*variant.regularization_losses, *variant.update_ops, *variant.table_initializers]
    if initial_values:
        wanted += [info.initial_value for info in variant.variables if info.initial_value]
    return wanted


def _state_tensors(variant: GraphVariant) -> list[str]:
    """The tensors that a module's state stands for in each call."""
    makers = [op for op in variant.nodes_by_op if op_registry.is_state_op(op)]
    tables = [tensor_of(name) for op in makers for name in variant.nodes_by_op[op]]
    return [*tables, *variant.assets, *variant.variable_tensors]
