"""The target of a layer on any callable, or on a signature of a plain SavedModel."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import tensorflow as tf

from compat_hub.errors import SignatureError, UnknownNameError
from compat_hub.keras_layers import tf_keras_private
from compat_hub.keras_layers.targets.target import Target, shapes_of, trace
from compat_hub.keras_layers.targets.train_only import Patterns
from compat_hub.tf_private import autograph_marks


class CallableTarget(Target):
    """A callable, or a signature of a plain SavedModel, as tensorflow_hub's KerasLayer takes it."""

    def __init__(
        self,
        obj: Any,
        arguments: dict[str, Any],
        signature: str | None,
        as_dict: bool,
        output_key: str | None,
        train_only: Patterns,
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
        variables = [*getattr(obj, "variables", ()), *trainable]
        self.set_variables(trainable, variables, _unique_names(variables))
        self.train_only(train_only)
        self.regularization_losses = list(getattr(obj, "regularization_losses", ()))
        for loss in self.regularization_losses:
            if not callable(loss):
                raise SignatureError(
                    "The `regularization_losses` of a callable must be callables without "
                    f"arguments that return a scalar each, found {loss!r}."
                )

    @property
    def where(self) -> str:
        return f"an object of type {type(self.resolved_object).__name__}"

    def describe(self) -> str:
        return self.where + (f", signature {self._signature!r}" if self._signature else "")

    def __call__(self, inputs: Any, training: Any, trainable: bool) -> tuple[Any, list[tf.Tensor]]:
        del trainable  # such a callable reads its variables itself
        inputs = tf.nest.map_structure(_as_tensor, inputs)
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
        return shapes_of(self.output_specs(specs, False))

    def output_specs(self, inputs: Any, training: bool) -> Any:
        return trace(lambda values: self(values, training, False)[0], inputs)

    def input_dtype(self) -> tf.DType | None:
        return None

    def uncompilable_op(self, trainable: bool) -> str | None:
        del trainable
        return "a callable, of which it is not known what it does"

    def _call(self, training: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        call = functools.partial(autograph_marks.call_converted, self._callable, *args, **kwargs)
        if not self._has_training:
            return call()
        constant = tf.get_static_value(training) if tf.is_tensor(training) else training
        if constant is not None:
            return call(training=bool(constant))
        return tf.cond(
            tf.cast(training, tf.bool), lambda: call(training=True), lambda: call(training=False)
        )


def _as_tensor(value: Any) -> Any:
    """Numbers as tensors; tf_keras makes them before it calls the layer, and Keras 3 does not."""
    is_number = isinstance(value, np.ndarray | np.generic | float | int)
    return tf.convert_to_tensor(cast(Any, value)) if is_number else value


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


def _unique_names(variables: Iterable[tf.Variable]) -> dict[int, str]:
    """A unique name for each variable, by its id."""
    names: dict[int, str] = {}
    for variable in variables:
        if id(variable) not in names:
            name = variable.name.removesuffix(":0")
            candidates = (f"{name}_{k}" if k else name for k in itertools.count())
            names[id(variable)] = next(c for c in candidates if c not in names.values())
    return names
