"""Raises the control flow of a graph where it can be, and leaves the rest as it is."""

from __future__ import annotations

import dataclasses

from compat_hub.errors import ModuleFormatError
from compat_hub.graphdef.analysis.side_effects import find_effects, find_stateful
from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.passes.control_flow.beside import put_beside
from compat_hub.graphdef.passes.control_flow.make_function import IrreducibleError
from compat_hub.graphdef.passes.control_flow.raise_control_flow import (
    has_control_flow,
    raise_control_flow,
)
from compat_hub.graphdef.passes.tensor_arrays_to_lists import (
    TensorArrayError,
    has_tensor_arrays,
    to_tensor_lists,
)
from compat_hub.graphdef.run_passes import Pass, check_names, run_passes
from compat_hub.graphdef.subgraph import ancestors, cut, index_nodes
from compat_hub.programs.importing import infer_types
from compat_hub.programs.rewriting import Rewrite
from compat_hub.sources.fresh_copy import fresh_copy


def is_to_be_raised(rewrite: Rewrite) -> bool:
    """Whether a graph has control flow of TF1, or TensorArrays that have to become lists."""
    return has_control_flow(rewrite.graph_def) or (
        rewrite.is_portable and has_tensor_arrays(rewrite.graph_def)
    )


def raise_what_can_be(rewrite: Rewrite) -> None:
    """Raises the control flow that the wanted tensors need by the passes of `RAISING`.

    Where one of them refuses, the tensors that need what it refused are computed as they were,
    beside the others.
    """
    wanted = list(dict.fromkeys([*rewrite.fetches, *rewrite.targets]))
    reasons: dict[str, str] = {}
    while len(reasons) < len(wanted):
        good = [w for w in wanted if w not in reasons]
        attempt = _attempt(rewrite, good if reasons else None)
        try:
            run_passes(RAISING, attempt)
        except (IrreducibleError, TensorArrayError) as error:
            index = index_nodes(rewrite.graph_def)
            stuck = [w for w in good if error.node in ancestors(index, [w], rewrite.given)]
            why = f"control flow that it needs cannot be differentiated: {error}"
            reasons.update(dict.fromkeys(stuck or good, why))
            continue
        own = {f.signature.name: f for f in rewrite.graph_def.library.function}
        check_names(rewrite.where, attempt.graph_def, own)
        effects = effects_besides(attempt)
        names: dict[str, str] | None = {}
        if reasons:
            names = put_beside(
                attempt.graph_def,
                rewrite.graph_def,
                list(reasons),
                good,
                rewrite.given,
                rewrite.op_def,
            )
            if names is None:
                break
        targets = [node_of(names[t]) for t in rewrite.targets if t in names]
        rewrite.graph_def = attempt.graph_def
        rewrite.fetches = [names.get(f, f) for f in rewrite.fetches]
        rewrite.targets = [*attempt.targets, *targets]
        rewrite.effects = effects
        rewrite.refused = {names[w]: why for w, why in reasons.items()}
        return
    why = next(iter(reasons.values()))
    rewrite.refused = dict.fromkeys(rewrite.fetches, why)


def effects_besides(rewrite: Rewrite) -> list[str]:
    """The names of the nodes, other than the targets, that do something besides computing."""
    # What freezes a SavedModel, or converts it, needs functions that can be inlined.
    find = find_stateful if rewrite.is_portable else find_effects
    return [n for n in find(rewrite.graph_def, rewrite.op_def) if n not in rewrite.targets]


def _attempt(rewrite: Rewrite, wanted: list[str] | None) -> Rewrite:
    """The rewriting of the part of a graph that some of its tensors and targets need."""
    if wanted is None:
        return dataclasses.replace(rewrite, fetches=[*rewrite.fetches], targets=[*rewrite.targets])
    graph_def = rewrite.graph_def
    return dataclasses.replace(
        rewrite,
        graph_def=cut(graph_def, index_nodes(graph_def), wanted, rewrite.given),
        fetches=[f for f in rewrite.fetches if f in wanted],
        targets=[t for t in rewrite.targets if t in wanted],
    )


def tensor_arrays_to_lists(attempt: Rewrite) -> None:
    """TensorArrays become lists, and what passed their handles on goes."""
    attempt.graph_def = to_tensor_lists(attempt.graph_def)


def cut_again(attempt: Rewrite) -> None:
    """Nodes go that nothing wanted needs any more."""
    nodes = index_nodes(attempt.graph_def)
    wanted = [*attempt.fetches, *attempt.targets]
    attempt.graph_def = cut(attempt.graph_def, nodes, wanted, attempt.given)


def loops_and_conditionals(attempt: Rewrite) -> None:
    """Loops become While and conditionals If.

    Raises:
        ModuleFormatError: Something wanted is within one: not even TensorFlow 1 gives it.
    """
    types = infer_types(attempt.variant, attempt.graph_def, attempt.given, attempt.handles)
    attempt.graph_def, attempt.targets = raise_control_flow(
        attempt.graph_def, types, attempt.targets, attempt.op_def
    )
    outside = {node.name for node in attempt.graph_def.node}
    for name in [*attempt.fetches, *attempt.targets]:
        if name not in attempt.given and node_of(name) not in outside:
            raise ModuleFormatError(
                f"In {attempt.where}: {name!r} is wanted, and is within a loop or a branch, where "
                "nothing outside can read it. The module is damaged. "
                f"{fresh_copy(attempt.variant.handle)}"
            )


# In this order, in each attempt to raise control flow.
RAISING = (Pass(tensor_arrays_to_lists), Pass(cut_again), Pass(loops_and_conditionals))
