"""What of a variant cannot be used, since something that it needs is not there.

That is an op which this TensorFlow does not have, or a variable which the module's checkpoint does
not have. What needs neither works.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

from compat_hub.errors import CheckpointError, HubError, ModuleFormatError
from compat_hub.format.variant import GraphVariant, Signature, format_tags
from compat_hub.programs.known_ops import (
    explain_unknown_ops,
    ops_not_registered,
    places_of_unknown_ops,
)
from compat_hub.sources.fresh_copy import fresh_copy
from compat_hub.tf_private import op_registry

_SHOWN = 4


class IncompleteModuleWarning(UserWarning):
    """Something of a module was left out of what was written, since it cannot be used."""


@dataclasses.dataclass(frozen=True)
class Gap:
    """What a part of a variant needs, and is not there.

    Attributes:
        ops: The ops that TensorFlow does not have, and where each is.
        variables: The names of variables without a value.
    """

    ops: Mapping[str, str]
    variables: tuple[str, ...]


def may_have_gaps(variant: GraphVariant, missing: Set[str]) -> bool:
    """Whether some part of a variant may have a gap: most variants have none."""
    return bool(missing or ops_not_registered(variant))


def find_gap(
    variant: GraphVariant, wanted: Sequence[str], fed: Iterable[str], missing: Set[str]
) -> Gap | None:
    """What tensors and nodes need and is not there, or None where all is.

    Args:
        variant: The variant.
        wanted: The tensors and nodes.
        fed: The inputs that are given, not the state.
        missing: The names of the variables without a value.
    """
    if not may_have_gaps(variant, missing):
        return None
    fed = [*fed]
    needed = variant.needed_nodes(wanted, fed)
    tables = [name for name in needed if op_registry.makes_resource(variant.nodes[name].op)]
    initializers = [
        op for op in variant.table_initializers if variant.needed_nodes([op]).intersection(tables)
    ]
    ops = places_of_unknown_ops(variant, [*wanted, *initializers], fed)
    variables = tuple(v.name for v in variant.variables if v.name in missing & needed)
    return Gap(ops, variables) if ops or variables else None


def check_gap(
    variant: GraphVariant,
    wanted: Sequence[str],
    fed: Iterable[str],
    missing: Set[str],
    where: str,
) -> None:
    """Raises where tensors and nodes need what is not there.

    Args:
        variant: The variant.
        wanted: The tensors and nodes.
        fed: The inputs that are given, not the state.
        missing: The names of the variables without a value.
        where: How the message names what needs them.

    Raises:
        ModuleFormatError: TensorFlow lacks an op.
        CheckpointError: The checkpoint lacks a variable.
    """
    gap = find_gap(variant, wanted, fed, missing)
    if gap is not None:
        raise _error(variant, gap, where)


def gap_of_signature(
    variant: GraphVariant,
    signature: Signature,
    missing: Set[str],
    training: bool = False,
    outputs: Iterable[str] | None = None,
) -> Gap | None:
    """What a call of a signature, with all inputs, needs and is not there.

    Args:
        variant: The variant.
        signature: One of its signatures.
        missing: The names of the variables without a value.
        training: Whether it is a training call, with the variant's update ops.
        outputs: The names of the wanted outputs, all of them when None.
    """
    fed = [tensor for info in signature.inputs.values() for tensor in info.components]
    infos = [signature.outputs[n] for n in (signature.outputs if outputs is None else outputs)]
    wanted = [tensor for info in infos for tensor in info.components]
    if training:
        wanted += variant.runnable(variant.update_ops, fed)
    return find_gap(variant, wanted, fed, missing)


def tables_without_ops(variant: GraphVariant) -> set[str]:
    """The tables that cannot be filled, by their node: TensorFlow lacks an op for it."""
    if not ops_not_registered(variant):
        return set()
    return {
        name
        for op in variant.table_initializers
        if places_of_unknown_ops(variant, [op], [])
        for name in variant.needed_nodes([op])
        if op_registry.makes_resource(variant.nodes[name].op)
    }


def check_usable(variants: Iterable[GraphVariant], missing: Set[str]) -> None:
    """Raises where no output of any signature can be computed.

    Raises:
        ModuleFormatError: TensorFlow lacks ops.
        CheckpointError: The checkpoint lacks variables.
    """
    errors = []
    for variant in variants:
        for where, wanted, fed in _outputs(variant):
            gap = find_gap(variant, wanted, fed, missing)
            if gap is None:
                return
            errors.append(_error(variant, gap, where))
    if errors:
        raise errors[0]


def check_complete(
    variants: Iterable[GraphVariant], all_variants: Iterable[GraphVariant], missing: Set[str]
) -> None:
    """Raises where a checkpoint is complete for no variant of the module: no exporter wrote it.

    Args:
        variants: The variants that are asked for.
        all_variants: All of the module.
        missing: The names of the variables, of any of these, that the checkpoint does not have.

    Raises:
        CheckpointError: It is not complete for any.
    """
    if not missing or any(_is_complete(variant, missing) for variant in all_variants):
        return
    for variant in variants:
        for signature in variant.signatures.values():
            gap = gap_of_signature(variant, signature, missing)
            if gap is not None and gap.variables:
                gap = Gap({}, gap.variables)
                raise _error(variant, gap, f"{variant.where}, signature {signature.name!r}")


def _is_complete(variant: GraphVariant, missing: Set[str]) -> bool:
    gaps = [gap_of_signature(variant, s, missing) for s in variant.signatures.values()]
    return not any(gap is not None and gap.variables for gap in gaps)


def require_signature(variant: GraphVariant, signature: Signature, missing: Set[str]) -> None:
    """Raises where a call of a signature for all outputs needs what is not there.

    Raises:
        ModuleFormatError: TensorFlow lacks an op.
        CheckpointError: The checkpoint lacks a variable.
    """
    gap = gap_of_signature(variant, signature, missing)
    if gap is not None:
        raise _error(variant, gap, f"{variant.where}, signature {signature.name!r}")


def explain_gap(gap: Gap) -> str:
    """A sentence on what is not there."""
    if gap.ops:
        return explain_unknown_ops(gap.ops)
    shown = ", ".join(map(repr, gap.variables[:_SHOWN]))
    more = f" and {len(gap.variables) - _SHOWN} more" if len(gap.variables) > _SHOWN else ""
    which = "which is" if len(gap.variables) == 1 else "which are"
    return f"it needs {shown}{more}, {which} not in the checkpoint of the module"


def _outputs(variant: GraphVariant) -> Iterator[tuple[str, list[str], list[str]]]:
    for signature in variant.signatures.values():
        fed = [tensor for info in signature.inputs.values() for tensor in info.components]
        where = f"{variant.where}, signature {signature.name!r}"
        for info in signature.outputs.values():
            yield where, list(info.components), fed


def _error(variant: GraphVariant, gap: Gap, where: str) -> HubError:
    if gap.ops:
        return ModuleFormatError(
            f"In {where}: {explain_gap(gap)} What does not need it can be used: other signatures, "
            "or another variant, which `tags` choose."
        )
    others = (
        f"load(handle, tags=[]) is the variant {format_tags([])} alone. " if variant.tags else ""
    )
    return CheckpointError(
        f"In {where}: {explain_gap(gap)} (variables/variables). Either the module was exported "
        "from a variant that has no such variables, or the copy is damaged. "
        "load(handle, missing='initial'), or the same argument of a KerasLayer, gives them the "
        f"initial values of the graph, to train from. {others}{fresh_copy(variant.handle)}"
    )
