"""From a graph variant to the graph that TensorFlow 2 runs and trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef.run_passes import Mode, run_passes
from compat_hub.programs.passes import PASSES
from compat_hub.programs.rewriting import Rewrite


@dataclasses.dataclass(frozen=True)
class RewrittenGraph:
    """A graph that computes something of a variant.

    Attributes:
        graph_def: The graph.
        fetches: Names of the wanted tensors in it.
        targets: Names of the nodes that stand for the targets that were asked for.
        effects: Names of further nodes that do something besides computing: an assignment, say.
            What some fetch needs happens at each call, even if the caller drops that output.
        refused: By the name of a fetch whose control flow runs as it is: why no gradient can be
            computed of it.
        draws: Whether it draws random numbers that `tf.random.set_seed` decides.
    """

    graph_def: Any
    fetches: list[str]
    targets: list[str]
    effects: list[str]
    refused: dict[str, str]
    draws: bool


def rewrite(
    variant: GraphVariant,
    fetches: Sequence[str],
    targets: Sequence[str],
    given: Mapping[str, tf.TypeSpec],
    handles: Mapping[str, tf.Tensor],
    portable: bool = False,
) -> RewrittenGraph:
    """Cuts the variant's graph to what is wanted and runs the passes of `PASSES` on that.

    Args:
        variant: The variant.
        fetches: Names of the wanted tensors.
        targets: Names of nodes that run besides.
        given: Specs of the tensors whose values are given: inputs and state. A reference variable
            is given as the handle of a resource, or as its value.
        handles: For those that are variables' handles, a tensor that knows the variable's shape.
        portable: Whether the graph has to run and train where compat_hub is not.

    Raises:
        ModuleFormatError: The graph cannot be run by this TensorFlow.
        GraphError: It assigns to a variable of which only the value is given.
    """
    done = Rewrite(
        variant,
        Mode.PORTABLE if portable else Mode.FUNCTION,
        variant.subgraph([*fetches, *targets], given),
        list(fetches),
        list(targets),
        given,
        handles,
    )
    run_passes(PASSES, done)
    return RewrittenGraph(
        done.graph_def, done.fetches, done.targets, done.effects, done.refused, done.draws
    )
