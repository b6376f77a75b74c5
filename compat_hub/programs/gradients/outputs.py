"""Of each output of a graph, what a gradient of it reaches, and whether there is one."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from compat_hub.errors import NoGradientError
from compat_hub.graphdef.analysis.gradient_flow import (
    Flow,
    Gradient,
    GradientFlow,
    is_differentiable,
)
from compat_hub.tf_private import gradient_registry, op_registry


@dataclasses.dataclass(frozen=True)
class OutputGradients:
    """Where the gradients of a function's outputs go.

    Attributes:
        reached: For each output, the positions of the arguments that get a gradient of it.
        refused: By the position of an output that cannot be differentiated: why.
    """

    reached: Sequence[frozenset[int]]
    refused: Mapping[int, str]

    def of(self, outputs: Collection[int]) -> frozenset[int]:
        """The positions of the arguments that get a gradient of some of these outputs.

        Raises:
            NoGradientError: One of the outputs cannot be differentiated.
        """
        for k in sorted(outputs):
            if k in self.refused:
                raise NoGradientError(self.refused[k])
        return frozenset().union(*(self.reached[k] for k in outputs))


def find_output_gradients(
    graph_def: Any, fetches: Sequence[str], given: Mapping[str, int], known: Mapping[str, str]
) -> OutputGradients:
    """Follows the gradients of some tensors through a graph.

    Args:
        graph_def: The graph.
        fetches: The names of the outputs.
        given: The dtypes of the tensors that are given, in the order of the arguments.
        known: By the name of a tensor that cannot be differentiated: why. It may need control flow
            of TF1. Others are refused for an op on the way that has no gradient.
    """
    sources = [name for name, dtype in given.items() if is_differentiable(dtype)]
    positions = {name: k for k, name in enumerate(given)}
    flow = GradientFlow(graph_def, sources, op_registry.op_def, gradient_of)
    flows = [flow.of([] if fetch in known else [fetch]) for fetch in fetches]
    refused = {}
    for k, (fetch, found) in enumerate(zip(fetches, flows, strict=True)):
        why = known.get(fetch) or no_gradient(found)
        if why is not None:
            refused[k] = why
    reached = [frozenset(positions[name] for name in found.reached) for found in flows]
    return OutputGradients(reached, refused)


class NoGradientWarning(UserWarning):
    """An output of what is written for others has no gradient there, and raises no error."""


def warn_of_refusal(reasons: Sequence[str]) -> None:
    """Says of outputs that are written as constants to a gradient why they are."""
    more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    warnings.warn(
        f"{reasons[0]} In what is written that output{more} has no gradient, and raises no error.",
        NoGradientWarning,
        stacklevel=2,
    )


def gradient_of(op: str) -> Gradient:
    """What TensorFlow has registered for a kind of op."""
    try:
        found = gradient_registry.gradient_function(op)
    except LookupError:
        return Gradient.MISSING
    return Gradient.NONE if found is None else Gradient.FUNCTION


def no_gradient(flow: Flow) -> str | None:
    """Why a gradient raises an error, or None where it does not."""
    if not flow.missing:
        return None
    node, op = flow.missing[0]
    others = f" and {len(flow.missing) - 1} more" if len(flow.missing) > 1 else ""
    return f"TensorFlow has no gradient of the op {op!r} (node {node!r}{others})"
