"""A signature of a variant as a callable: named values in, named values out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from compat_hub.errors import SignatureError
from compat_hub.format.inputs import convert_input
from compat_hub.format.variant import GraphVariant, Signature
from compat_hub.graphdef.subgraph import consumed_tensors
from compat_hub.hub_module.fast_call import FastCall
from compat_hub.programs.gaps import check_gap, may_have_gaps
from compat_hub.programs.graph_function import GraphFunction
from compat_hub.programs.program import Program, shared_program
from compat_hub.programs.state_tensor import StateTensor


class CallKey(NamedTuple):
    """The key of a signature function.

    Attributes:
        tags: The variant.
        signature: The signature's name.
        outputs: Names of the wanted outputs; nothing else is computed.
        inputs: Names of the inputs that are given; the others keep their default.
        update_ops: Whether the variant's update ops run, as in a training call.
        losses: Whether the losses that depend on the inputs are computed.
        portable: Whether it has to run and train where compat_hub is not.
        given: Names of outputs whose values the caller gives; the nodes before them do not run.
    """

    tags: frozenset[str]
    signature: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    update_ops: bool = False
    losses: bool = False
    portable: bool = False
    given: tuple[str, ...] = ()


class CallResult(NamedTuple):
    """The result of a call.

    Attributes:
        outputs: The wanted outputs by name.
        losses: The regularization losses that depend on the inputs of this call, scalars.
    """

    outputs: dict[str, Any]
    losses: list[tf.Tensor]


class SignatureFunction:
    """One signature with a choice of inputs and outputs, on a graph function of its own.

    Raises:
        SignatureError: A wanted output depends on a placeholder that no input feeds.
        ModuleFormatError: The call needs an op that TensorFlow does not have.
        CheckpointError: It needs a variable that the checkpoint does not have.
    """

    def __init__(
        self,
        variant: GraphVariant,
        signature: Signature,
        key: CallKey,
        state: Mapping[str, StateTensor],
    ) -> None:
        self.where = f"{variant.where}, signature {signature.name!r}"
        self._inputs = {name: signature.inputs[name] for name in key.inputs}
        # An input and an output may have one name.
        self._inputs |= {given_name(name): signature.outputs[name] for name in key.given}
        self._outputs = {name: signature.outputs[name] for name in key.outputs}
        feeds = {
            tensor: spec
            for info in self._inputs.values()
            for tensor, spec in zip(info.components, info.component_specs(), strict=True)
        }
        fetches = [tensor for info in self._outputs.values() for tensor in info.components]
        given = [*feeds, *state]
        self._check_is_fed(variant, given)
        self._check_is_used(variant, key.given, fetches, given)

        def losses() -> list[str]:
            return variant.input_losses(given) if key.losses else []

        def update_ops() -> list[str]:
            return variant.runnable_update_ops(given) if key.update_ops else []

        missing = variant.variables_missing_in(state)
        if may_have_gaps(variant, missing):
            wanted = [*fetches, *losses(), *update_ops()]
            check_gap(variant, wanted, feeds, missing, self.where)

        def build() -> Program:
            return Program(
                variant,
                feeds,
                state,
                [*fetches, *losses()],
                update_ops(),
                name=signature.name,
                portable=key.portable,
            )

        self.function = GraphFunction(lambda: shared_program(variant, key, build), state)

    def __call__(
        self, values: Mapping[str, Any], is_watched: Callable[[StateTensor], bool]
    ) -> CallResult:
        """Calls it with values by input name, which are converted and checked."""
        given: dict[str, tf.Tensor] = {}  # two inputs may name one tensor
        for name, info in self._inputs.items():
            tensors = convert_input(values[name], name, info, self.where)
            given.update(zip(info.components, tensors, strict=True))
        results = iter(self.function([*given.values()], is_watched))
        outputs = {
            name: info.pack([next(results) for _ in info.components])
            for name, info in self._outputs.items()
        }
        return CallResult(outputs, list(results))

    @functools.cached_property
    def fast_call(self) -> FastCall | None:
        """The shortest way through it, or None where values are made of several tensors."""
        infos = [*self._inputs.values(), *self._outputs.values()]
        # Two inputs may name one tensor.
        fed = {tensor for info in self._inputs.values() for tensor in info.components}
        if any(info.is_composite for info in infos) or len(fed) != len(self._inputs):
            return None
        return FastCall(self.function, self._inputs, list(self._outputs))

    def _check_is_used(
        self,
        variant: GraphVariant,
        outputs: Sequence[str],
        fetches: Sequence[str],
        given: Sequence[str],
    ) -> None:
        if not outputs:
            return
        graph_def = variant.subgraph(fetches, given)
        for name in outputs:
            components = self._inputs[given_name(name)].components
            if not consumed_tensors(graph_def, components):
                wanted = ", ".join(map(repr, self._outputs)) or "none"
                raise SignatureError(
                    f"In {self.where}: no wanted output depends on the given output {name!r}. "
                    f"Wanted: {wanted}. Give an output that another one is computed from."
                )

    def _check_is_fed(self, variant: GraphVariant, given: Sequence[str]) -> None:
        for name, info in self._outputs.items():
            unfed = variant.unfed_placeholders(info.components, given)
            if unfed:
                raise SignatureError(
                    f"In {self.where}: the output {name!r} depends on the placeholder "
                    f"{unfed[0]!r}, which is not an input of this signature. "
                    "Ask for other outputs, or call a signature that has it as an input."
                )


def given_name(output: str) -> str:
    """The name among the inputs of an output whose value the caller gives."""
    return f"output {output}"
