"""What the Keras layers share: a target to call, its weights and its losses.

A target knows nothing of Keras. A layer asks it for variables and losses once, and calls it.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import tensorflow as tf

from compat_hub.errors import HubError, InputTypeError, SignatureError, UnknownNameError
from compat_hub.format.inputs import bind_inputs
from compat_hub.format.spec import ModuleSpec, Tags
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.hub_module.hub_module import HubModule, constant_bool, load
from compat_hub.hub_module.signature_function import CallResult
from compat_hub.keras_layers import tf_keras_private
from compat_hub.programs.program import StateTensor
from compat_hub.programs.xla import find_uncompilable_op
from compat_hub.state.module_state import Missing
from compat_hub.state.variables import StateVariable
from compat_hub.tf_private import autograph_marks


class Target(Protocol):
    """What a layer calls.

    Attributes:
        resolved_object: What the layer's handle led to.
        trainable_variables: The variables that the layer trains when it is trainable.
        frozen_variables: Its other variables.
        variable_names: A name of its own for each of the trainable, then of the frozen variables;
            the same wherever and however often the handle is loaded.
        regularization_losses: Callables without arguments that give a scalar each.
    """

    resolved_object: Any
    trainable_variables: list[tf.Variable]
    frozen_variables: list[tf.Variable]
    variable_names: list[str]
    regularization_losses: list[Callable[[], tf.Tensor]]

    def __call__(self, inputs: Any, training: Any, trainable: bool) -> tuple[Any, list[tf.Tensor]]:
        """Gives the layer's output, and the losses that depend on the inputs.

        Args:
            inputs: What the layer was called with.
            training: Whether this is a training call; a bool or a boolean scalar tensor.
            trainable: Whether a gradient tape shall see the trainable variables.
        """
        ...

    def output_shapes(self, input_shapes: Any, dtype: tf.DType) -> Any:
        """The nest of output shapes for a nest of input shapes.

        Args:
            input_shapes: A nest of `tf.TensorShape`.
            dtype: Of the inputs, where the target does not know it.
        """
        ...

    def output_specs(self, inputs: Any, training: bool) -> Any:
        """The nest of `tf.TypeSpec` that a call gives, traced and not run.

        Args:
            inputs: What the layer is called with, with a `tf.TypeSpec` for each symbolic tensor.
            training: Whether it is a training call.
        """
        ...

    def input_dtype(self) -> tf.DType | None:
        """The dtype of the one input that a call has to give; None where it is not known."""
        ...

    def uncompilable_op(self, trainable: bool) -> str | None:
        """What XLA does not compile of the target, None if it compiles all.

        Args:
            trainable: Whether there are training calls, and gradients.
        """
        ...


def make_target(
    handle: Any,
    *,
    arguments: Mapping[str, Any] | None = None,
    tags: Tags = None,
    signature: str | None = None,
    signature_outputs_as_dict: bool | None = None,
    output_key: str | None = None,
    load_options: Any = None,
    train_only: str | None = None,
    allow_host_access: bool = False,
    allow_links: bool = False,
    missing: Missing | None = None,
) -> Target:
    """Loads the handle where it is one, and checks that the arguments fit together.

    Raises:
        SignatureError: They do not.
    """
    obj = handle
    if isinstance(handle, str | os.PathLike | ModuleSpec):
        obj = load(
            handle,
            tags=tags,
            options=load_options,
            allow_host_access=bool(allow_host_access),
            allow_links=bool(allow_links),
            missing=missing or "error",
        )
    elif isinstance(handle, HubModule) and (tags is not None or missing is not None):
        raise SignatureError(
            "`tags` choose the variant while a module is loaded, and `missing` the variables that "
            "it has; this HubModule is loaded already. Pass them to compat_hub.load()."
        )
    if output_key is not None and signature_outputs_as_dict:
        raise SignatureError(
            f"KerasLayer for {handle!r}: output_key={output_key!r} asks for one output and "
            "signature_outputs_as_dict=True for all of them. Pass one of the two."
        )
    kind: Any = _HubModuleTarget if isinstance(obj, HubModule) else _CallableTarget
    return kind(
        obj,
        dict(arguments or {}),
        signature,
        bool(signature_outputs_as_dict),
        output_key,
        train_only,
    )


class _HubModuleTarget:
    """A signature of a module in TF1 Hub format."""

    def __init__(
        self,
        module: HubModule,
        arguments: dict[str, Any],
        signature: str | None,
        as_dict: bool,
        output_key: str | None,
        train_only: str | None,
    ) -> None:
        self.resolved_object = module
        self._arguments = arguments
        self._signature = signature
        self._outputs = None if as_dict else (output_key or "default",)
        found = module.spec.signature(signature, module.tags)
        self._known = {*found.inputs, *self._inputs_in_training()}
        unknown = sorted(set(arguments) - self._known)
        if unknown:
            raise InputTypeError(
                f"KerasLayer for {module.spec.handle!r}: `arguments` has {unknown}, which are no "
                f"inputs of the signature {found.name!r}. Its inputs are {sorted(self._known)}."
            )
        for name in self._outputs or ():
            if name not in found.outputs:
                raise UnknownNameError(
                    f"KerasLayer for {module.spec.handle!r}: the signature {found.name!r} has no "
                    f"output {name!r}. It has {sorted(found.outputs)}: pass one of them as "
                    "output_key, or signature_outputs_as_dict=True."
                )
        self.trainable_variables, self.frozen_variables = _split(
            module.trainable_variables, module.variables, train_only, repr(module.spec.handle)
        )
        names = _names_in(module.variable_map)
        self.variable_names = [
            names[id(v)] for v in [*self.trainable_variables, *self.frozen_variables]
        ]
        self._watched = {id(v) for v in self.trainable_variables}
        self.regularization_losses: list[Callable[[], tf.Tensor]] = [*module.regularization_losses]

    @autograph_marks.unconverted
    def __call__(self, inputs: Any, training: Any, trainable: bool) -> tuple[Any, list[tf.Tensor]]:
        def is_watched(state: StateTensor) -> bool:
            return (
                trainable
                and isinstance(state, StateVariable)
                and id(state.variable) in self._watched
            )

        def call(flag: bool) -> CallResult:
            return self.resolved_object.call_signature(
                self._cast(inputs, flag),
                self._signature,
                self._outputs,
                training=flag,
                arguments=self._arguments_of(flag),
                losses=trainable,
                is_watched=is_watched,
            )

        flag = constant_bool(training)
        if flag is not None:
            result = call(flag)
        else:
            result = self.resolved_object.call_either(training, call, trainable)
        output = result.outputs[self._outputs[0]] if self._outputs else result.outputs
        return output, result.losses

    def output_shapes(self, input_shapes: Any, dtype: tf.DType) -> Any:
        del dtype  # the signature says it
        infos = self._infos(training=False)
        shapes = self._named(input_shapes, training=False)
        specs = {name: tf.TensorSpec(shape, infos[name].dtype) for name, shape in shapes.items()}
        return _shapes_of(self.output_specs(specs, False))

    def output_specs(self, inputs: Any, training: bool) -> Any:
        infos = self._infos(training)
        given = self._named(inputs, training)
        named = {name: _like(value, infos[name]) for name, value in given.items()}
        return _trace(lambda values: self(values, training, False)[0], named)

    def input_dtype(self) -> tf.DType | None:
        infos = self._infos(training=False)
        has_default = self.resolved_object.variant(training=False).has_default
        names = [n for n in infos if n not in self._arguments]
        left = [n for n in names if not has_default(infos[n])] if len(names) > 1 else names
        return infos[left[0]].dtype if len(left) == 1 else None

    @functools.cache  # noqa: B019
    def uncompilable_op(self, trainable: bool) -> str | None:
        infos = self._infos(trainable)
        has_default = self.resolved_object.variant(trainable).has_default
        specs = {
            name: info.type_spec
            for name, info in infos.items()
            if name not in self._arguments and not has_default(info)
        }
        strings = [name for name in specs if infos[name].dtype == tf.string]
        if strings:
            return f"strings, as the input {strings[0]!r}"

        def call(values: Any) -> Any:
            return self(values, False, False)[0]

        def step(values: Any) -> Any:
            with tf.GradientTape() as tape:
                output, losses = self(values, True, True)
                tensors = tf.nest.flatten([output, losses], expand_composites=True)
                floats = [t for t in tensors if t.dtype.is_floating]
            return output, tape.gradient(floats, self.trainable_variables)

        try:
            # Traced for XLA, and not compiled: gradients of conditionals are made otherwise then.
            function = step if trainable else call
            traced = tf.function(function, autograph=False, jit_compile=True)
            graph_def = traced.get_concrete_function(specs).graph.as_graph_def()
        except HubError as error:  # there is no gradient
            return str(error)
        return find_uncompilable_op(graph_def)

    def _infos(self, training: bool) -> Mapping[str, TensorInfo]:
        """What the signature takes, in the variant that such a call runs."""
        module = self.resolved_object
        return module.spec.signature(self._signature, module.variant(training).tags).inputs

    def _inputs_in_training(self) -> Mapping[str, TensorInfo]:
        """The same, or nothing where the variant of training calls does not have the signature."""
        module = self.resolved_object
        name = "default" if self._signature is None else self._signature
        found = module.variant(training=True).signatures.get(name)
        return {} if found is None else found.inputs

    def _arguments_of(self, training: bool) -> dict[str, Any]:
        infos = self._infos(training)
        return {n: v for n, v in self._arguments.items() if n in infos}

    def _named(self, inputs: Any, training: bool) -> Mapping[str, Any]:
        """The inputs by name.

        A model gives a layer the same inputs in training and in inference: those that only the
        other one takes, as labels, are left out.
        """
        module = self.resolved_object
        infos = self._infos(training)
        if isinstance(inputs, Mapping):
            others = self._known - infos.keys()
            inputs = {n: v for n, v in inputs.items() if n not in others}
        variant, arguments = module.variant(training), self._arguments_of(training)
        where = f"{variant.where}, signature {self._signature or 'default'!r}"
        named = bind_inputs(infos, inputs, variant.has_default, where, arguments)
        return {n: v for n, v in named.items() if n not in arguments}

    def _cast(self, inputs: Any, training: bool) -> Any:
        """Casts tensors to the declared dtype within one kind: floats to floats, ints to ints.

        Keras has by now made tensors of what the user passed, float64 or int64 for numpy's
        defaults, float16 under a mixed precision policy.
        """
        if inputs is None:
            return None
        infos = self._infos(training)
        named = self._named(inputs, training)
        return {name: _cast_within_kind(value, infos[name].dtype) for name, value in named.items()}


class _CallableTarget:
    """A callable, or a signature of a plain SavedModel, as tensorflow_hub's KerasLayer takes it."""

    def __init__(
        self,
        obj: Any,
        arguments: dict[str, Any],
        signature: str | None,
        as_dict: bool,
        output_key: str | None,
        train_only: str | None,
    ) -> None:
        self.resolved_object = obj
        self._arguments = arguments
        self._signature = signature
        self._output_key = output_key
        if signature and bool(output_key is not None) == as_dict:
            raise SignatureError(
                f"To call the signature {signature!r}, pass output_key or "
                "signature_outputs_as_dict=True."
            )
        if as_dict and not signature:
            raise SignatureError("signature_outputs_as_dict=True needs a `signature`.")
        self._callable = _find_callable(obj, signature)
        self._has_training = tf_keras_private.has_training_argument(self._callable)
        trainable = list(getattr(obj, "trainable_variables", ()))
        self.trainable_variables, self.frozen_variables = _split(
            trainable, getattr(obj, "variables", ()), train_only, type(obj).__name__
        )
        names = _unique_names([*getattr(obj, "variables", ()), *trainable])
        self.variable_names = [
            names[id(v)] for v in [*self.trainable_variables, *self.frozen_variables]
        ]
        self.regularization_losses = list(getattr(obj, "regularization_losses", ()))
        for loss in self.regularization_losses:
            if not callable(loss):
                raise SignatureError(
                    "The `regularization_losses` of a callable must be callables without "
                    f"arguments that return a scalar each, found {loss!r}."
                )

    def __call__(self, inputs: Any, training: Any, trainable: bool) -> tuple[Any, list[tf.Tensor]]:
        del trainable  # such a callable reads its variables itself
        if self._signature and isinstance(inputs, Mapping):
            args, kwargs = (), {**self._arguments, **inputs}
        else:
            args, kwargs = (inputs,), self._arguments
        result = self._call(training, args, kwargs)
        if self._output_key is not None:
            if not isinstance(result, Mapping) or self._output_key not in result:
                names = sorted(result) if isinstance(result, Mapping) else type(result).__name__
                raise UnknownNameError(
                    f"There is no output {self._output_key!r} (output_key): the call gave {names}."
                )
            result = result[self._output_key]
        return result, []

    def output_shapes(self, input_shapes: Any, dtype: tf.DType) -> Any:
        specs = tf.nest.map_structure(lambda shape: tf.TensorSpec(shape, dtype), input_shapes)
        return _shapes_of(self.output_specs(specs, False))

    def output_specs(self, inputs: Any, training: bool) -> Any:
        return _trace(lambda values: self(values, training, False)[0], inputs)

    def input_dtype(self) -> tf.DType | None:
        return None

    def uncompilable_op(self, trainable: bool) -> str | None:
        del trainable
        return "a callable, of which it is not known what it does"

    def _call(self, training: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if not self._has_training:
            return self._callable(*args, **kwargs)
        constant = tf.get_static_value(training) if tf.is_tensor(training) else training
        if constant is not None:
            return self._callable(*args, training=bool(constant), **kwargs)
        return tf.cond(
            tf.cast(training, tf.bool),
            lambda: self._callable(*args, training=True, **kwargs),
            lambda: self._callable(*args, training=False, **kwargs),
        )


def _trace(function: Callable[[Any], Any], inputs: Any) -> Any:
    """What a function gives for a nest of type specs, and of values that are fixed."""
    flat = tf.nest.flatten(inputs)
    # TensorFlow warns of names that no parameter can have, such as numbers.
    specs = {f"leaf_{k}": leaf for k, leaf in enumerate(flat) if isinstance(leaf, tf.TypeSpec)}

    def call(given: Mapping[str, Any]) -> Any:
        values = [given.get(f"leaf_{k}", leaf) for k, leaf in enumerate(flat)]
        return function(tf.nest.pack_sequence_as(inputs, values))

    outputs = tf.function(call).get_concrete_function(specs).structured_outputs
    return tf.nest.map_structure(tf.type_spec_from_value, outputs)


def _shapes_of(specs: Any) -> Any:
    return tf.nest.map_structure(lambda spec: spec.shape, specs)


def _find_callable(obj: Any, signature: str | None) -> Callable[..., Any]:
    if signature is None:
        if callable(obj):
            return obj
        raise SignatureError(
            "The loaded object is not callable: pass `signature`, one of "
            f"{sorted(getattr(obj, 'signatures', {}))}."
        )
    signatures = getattr(obj, "signatures", {})
    if signature not in signatures:
        raise UnknownNameError(
            f"The loaded object has no signature {signature!r}. It has {sorted(signatures)}."
        )
    return signatures[signature]


def _split(
    trainable: Sequence[tf.Variable],
    variables: Sequence[tf.Variable],
    train_only: str | None,
    what: str,
) -> tuple[list[tf.Variable], list[tf.Variable]]:
    """The variables to train and the others, each once."""
    selected = list(trainable)
    if train_only is not None:
        try:
            pattern = re.compile(train_only)
        except re.error as error:
            raise SignatureError(
                f"train_only={train_only!r} is no regular expression: {error}."
            ) from error
        selected = [v for v in trainable if pattern.search(v.name)]
        if not selected:
            names = ", ".join(v.name for v in trainable) or "none at all"
            raise SignatureError(
                f"train_only={train_only!r} matches no trainable variable of {what}. "
                f"It has: {names}."
            )
    ids = {id(v) for v in selected}
    return selected, [v for v in variables if id(v) not in ids]


def _names_in(variable_map: Mapping[str, Any]) -> dict[int, str]:
    """The name of each variable, by its id."""
    names = {}
    for name, value in variable_map.items():
        if isinstance(value, Sequence):
            names.update({id(part): f"{name}/part_{k}" for k, part in enumerate(value)})
        else:
            names[id(value)] = name
    return names


def _unique_names(variables: Iterable[tf.Variable]) -> dict[int, str]:
    """A name of its own for each variable, by its id."""
    names: dict[int, str] = {}
    for variable in variables:
        if id(variable) not in names:
            name = variable.name.removesuffix(":0")
            candidates = (f"{name}_{k}" if k else name for k in itertools.count())
            names[id(variable)] = next(c for c in candidates if c not in names.values())
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


def as_shapes(nest: Any) -> Any:
    """A nest of tuples and lists of dimensions as a nest of `tf.TensorShape`."""
    if isinstance(nest, Mapping):
        return {key: as_shapes(value) for key, value in nest.items()}
    kinds = (list, tuple, Mapping, tf.TensorShape)
    if isinstance(nest, list | tuple) and any(isinstance(part, kinds) for part in nest):
        return type(nest)(as_shapes(part) for part in nest)
    return tf.TensorShape(nest)
