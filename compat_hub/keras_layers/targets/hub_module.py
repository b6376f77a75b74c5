"""The target of a layer on a module in TF1 Hub format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat_hub.common.masking import masked
from compat_hub.errors import HubError, InputTypeError, UnknownNameError
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.hub_module.dispatch import RETURNED, ChosenSignature, call_by_flag
from compat_hub.hub_module.hub_module import HubModule
from compat_hub.hub_module.signature_function import CallResult
from compat_hub.keras_layers.targets.target import Target, shapes_of, trace
from compat_hub.keras_layers.targets.train_only import Patterns
from compat_hub.programs.state_tensor import StateTensor
from compat_hub.programs.xla import find_uncompilable_op
from compat_hub.state.variables import StateVariable
from compat_hub.tf_private import autograph_marks


class HubModuleTarget(Target):
    """A signature of a module.

    Each call asks the module for the signature in the variant that runs. The layer takes what that
    variant takes: the inputs, arguments and outputs that only one of the two has, work with it.
    """

    def __init__(
        self,
        module: HubModule,
        arguments: dict[str, Any],
        signature: str | None,
        as_dict: bool,
        output_key: str | None,
        train_only: Patterns,
    ) -> None:
        self.resolved_object = module
        self._arguments = arguments
        self._signature = signature
        self._outputs = None if as_dict else RETURNED if output_key is None else (output_key,)
        choices = self._choices()
        self._input_names = {name for chosen in choices for name in chosen.signature.inputs}
        self._check_names(choices)
        self._input_dtype = self._find_input_dtype(choices[0])
        self._uncompilable: dict[bool, str | None] = {}  # as long as the same variables train
        names = _names_in(module.variable_map)
        self.set_variables(module.trainable_variables, module.variables, names)
        self.train_only(train_only)
        self.regularization_losses: list[Callable[[], tf.Tensor]] = [*module.regularization_losses]

    @property
    def where(self) -> str:
        return repr(masked(str(self.resolved_object.spec.handle)))

    def describe(self) -> str:
        pinned = self.resolved_object.tags
        variant = "" if pinned is None else f", variant {set(pinned) or 'set()'}"
        return f"{self.where}, signature {self._signature or 'default'!r}{variant}"

    def train_only(self, patterns: Patterns) -> None:
        super().train_only(patterns)
        self._watched = {id(v) for v in self.trainable_variables}
        self._uncompilable.clear()

    @autograph_marks.unconverted
    def __call__(self, inputs: Any, training: Any, trainable: bool) -> tuple[Any, list[tf.Tensor]]:
        def is_watched(state: StateTensor) -> bool:
            return (
                trainable
                and isinstance(state, StateVariable)
                and id(state.variable) in self._watched
            )

        def call(flag: bool) -> CallResult:
            dispatcher = self.resolved_object.dispatcher
            chosen = dispatcher.choose(self._signature, flag, self._outputs)
            values = self._cast(chosen, self._bind(chosen, inputs))
            return dispatcher.run(chosen, values, losses=trainable, is_watched=is_watched)

        result = call_by_flag(training, call, trainable)
        output = next(iter(result.outputs.values())) if self._outputs else result.outputs
        return output, result.losses

    def output_shapes(self, input_shapes: Any, dtype: tf.DType) -> Any:
        del dtype  # the signature says it
        chosen = self._choose(training=False)
        infos = chosen.signature.inputs
        shapes = self._without_arguments(self._bind(chosen, input_shapes))
        specs = {name: tf.TensorSpec(shape, infos[name].dtype) for name, shape in shapes.items()}
        return shapes_of(self.output_specs(specs, False))

    def output_specs(self, inputs: Any, training: bool) -> Any:
        chosen = self._choose(training)
        infos = chosen.signature.inputs
        given = self._without_arguments(self._bind(chosen, inputs))
        named = {name: _like(value, infos[name]) for name, value in given.items()}
        return trace(lambda values: self(values, training, False)[0], named)

    def input_dtype(self) -> tf.DType | None:
        return self._input_dtype

    def uncompilable_op(self, trainable: bool) -> str | None:
        if trainable not in self._uncompilable:
            self._uncompilable[trainable] = self._find_uncompilable_op(trainable)
        return self._uncompilable[trainable]

    def _find_uncompilable_op(self, trainable: bool) -> str | None:
        def call(values: Any) -> Any:
            return self(values, False, False)[0]

        def step(values: Any) -> Any:
            with tf.GradientTape() as tape:
                output, losses = self(values, True, True)
                tensors = tf.nest.flatten([output, losses], expand_composites=True)
                floats = [t for t in tensors if t.dtype.is_floating]
            return output, tape.gradient(floats, self.trainable_variables)

        try:
            chosen = self._choose(trainable)
            infos = self._without_arguments(chosen.signature.inputs)
            required = {n: i for n, i in infos.items() if not chosen.variant.has_default(i)}
            strings = [name for name, info in required.items() if info.dtype == tf.string]
            if strings:
                return f"strings, as the input {strings[0]!r}"
            # Traced for XLA, and not compiled: gradients of conditionals are made otherwise then.
            function = step if trainable else call
            traced = tf.function(function, autograph=False, jit_compile=True)
            specs = {name: info.type_spec for name, info in required.items()}
            graph_def = traced.get_concrete_function(specs).graph.as_graph_def()
        except HubError as error:  # there is no gradient, or no such signature
            return str(error)
        return find_uncompilable_op(graph_def)

    def _choose(self, training: bool) -> ChosenSignature:
        """The signature in the variant that such a call runs."""
        return self.resolved_object.dispatcher.choose(self._signature, training)

    def _choices(self) -> list[ChosenSignature]:
        """The signature in inference, then in training, as far as these variants have it."""
        found: list[ChosenSignature] = []
        errors: list[UnknownNameError] = []
        for training in False, True:
            try:
                found.append(self._choose(training))
            except UnknownNameError as error:
                errors.append(error)
        if not found:
            raise errors[0]
        return found

    def _check_names(self, choices: Sequence[ChosenSignature]) -> None:
        """Raises where neither variant has a name; a call raises where its own variant lacks it."""
        name, handle = choices[0].signature.name, self.resolved_object.spec.handle
        unknown = sorted(self._arguments.keys() - self._input_names)
        if unknown:
            raise InputTypeError(
                f"KerasLayer for {handle!r}: `arguments` has {unknown}, which are not inputs of "
                f"the signature {name!r}. Its inputs are {sorted(self._input_names)}."
            )
        known = {output for chosen in choices for output in chosen.signature.outputs}
        for wanted in self._outputs or ():
            output = wanted or choices[0].signature.default_output
            if output not in known:
                raise UnknownNameError(
                    f"KerasLayer for {handle!r}: the signature {name!r} has no output {output!r}. "
                    f"It has {sorted(known)}: pass one of them as output_key, or "
                    "signature_outputs_as_dict=True."
                )

    def _find_input_dtype(self, chosen: ChosenSignature) -> tf.DType | None:
        infos = self._without_arguments(chosen.signature.inputs)
        required = [i for i in infos.values() if not chosen.variant.has_default(i)]
        left = required if len(infos) > 1 else [*infos.values()]
        return left[0].dtype if len(left) == 1 else None

    def _without_arguments(self, named: Mapping[str, Any]) -> dict[str, Any]:
        return {n: v for n, v in named.items() if n not in self._arguments}

    def _bind(self, chosen: ChosenSignature, inputs: Any) -> dict[str, Any]:
        """The inputs by name, with the layer's arguments.

        A model gives a layer the same inputs in training and in inference: those that only the
        other variant takes, such as labels, are left out.
        """
        infos = chosen.signature.inputs
        if isinstance(inputs, Mapping):
            others = self._input_names - infos.keys()
            inputs = {n: v for n, v in inputs.items() if n not in others}
        arguments = {n: v for n, v in self._arguments.items() if n in infos}
        return chosen.bind(inputs, arguments)

    def _cast(self, chosen: ChosenSignature, named: Mapping[str, Any]) -> dict[str, Any]:
        """Casts tensors to the declared dtype within one kind: floats to floats, ints to ints.

        Keras has by now made tensors of what the user passed, float64 or int64 for numpy's
        defaults, float16 under a mixed precision policy.
        """
        infos = chosen.signature.inputs
        return {
            name: value if name in self._arguments else _cast_within_kind(value, infos[name].dtype)
            for name, value in named.items()
        }


def _names_in(variable_map: Mapping[str, Any]) -> dict[int, str]:
    """The name of each variable, by its id."""
    names = {}
    for name, value in variable_map.items():
        if isinstance(value, Sequence):
            names.update({id(part): f"{name}/part_{k}" for k, part in enumerate(value)})
        else:
            names[id(value)] = name
    return names


def _like(value: Any, info: TensorInfo) -> Any:
    """The spec of a ragged tensor with the ragged dimensions that are declared."""
    declared = info.type_spec
    if not isinstance(value, tf.RaggedTensorSpec) or not isinstance(declared, tf.RaggedTensorSpec):
        return value
    return tf.RaggedTensorSpec(
        value.shape, value.dtype, declared.ragged_rank, declared.row_splits_dtype
    )


def _cast_within_kind(value: Any, dtype: tf.DType) -> Any:
    if not hasattr(value, "dtype") or not isinstance(value.dtype, tf.DType):
        return value
    same = (value.dtype.is_floating and dtype.is_floating) or (
        value.dtype.is_integer and dtype.is_integer
    )
    if same and value.dtype.base_dtype != dtype:
        return tf.cast(value, dtype)
    return value
