"""The one way of a call: choose the variant, bind the inputs, find the function, run it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from compat_hub.errors import InputTypeError
from compat_hub.format.inputs import bind_inputs
from compat_hub.format.spec import ModuleSpec
from compat_hub.format.variant import GraphVariant, Signature
from compat_hub.hub_module.signature_function import (
    CallKey,
    CallResult,
    SignatureFunction,
    given_name,
)
from compat_hub.programs.state_tensor import StateTensor
from compat_hub.state.module_state import ModuleState
from compat_hub.tf_private import saved_models
from compat_hub.tf_private.keras3_callers import is_untracked, warn_of_untracked

INFERENCE: frozenset[str] = frozenset()
_TRAIN = frozenset({"train"})
RETURNED = ("",)  # the output of a call that names none, whatever the signature calls it

IsWatched = Callable[[StateTensor], bool]


def watch_all(_: StateTensor) -> bool:
    """Lets a gradient tape see every variable."""
    return True


class ChosenSignature(NamedTuple):
    """A signature in the variant that a call runs, with the outputs that it wants.

    Attributes:
        variant: The variant that runs.
        signature: The signature, as this variant has it.
        outputs: The names of the wanted outputs.
        update_ops: Whether the variant's update ops run.
    """

    variant: GraphVariant
    signature: Signature
    outputs: tuple[str, ...]
    update_ops: bool

    @property
    def where(self) -> str:
        """How messages name it."""
        return f"{self.variant.where}, signature {self.signature.name!r}"

    def bind(self, inputs: Any, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The values by input name, in the signature's order.

        Args:
            inputs: What the caller passes: a dict by input name, or the only value.
            arguments: Further inputs by name.

        Raises:
            InputTypeError: Inputs are missing or extra.
        """
        infos, has_default = self.signature.inputs, self.variant.has_default
        return bind_inputs(infos, inputs, has_default, self.where, arguments)


class Dispatcher:
    """Calls the signatures of one loaded module.

    Args:
        spec: The module.
        tags: The variant that every call is pinned to, or None.
        state: Its variables, tables and assets.
    """

    def __init__(self, spec: ModuleSpec, tags: frozenset[str] | None, state: ModuleState) -> None:
        self._spec = spec
        self._tags = tags
        self._state = state
        self._lock = threading.RLock()
        # By CallKey; and by (signature, outputs, training) those with all inputs, which `outputs`
        # may call fast. Nothing in it becomes stale: the variants never change, and a function
        # itself replaces a program whose seeds are old.
        self._functions: dict[Any, SignatureFunction] = {}
        self._has_warned = False  # of a layer that does not find the variables

    def variant(self, training: bool) -> GraphVariant:
        """The variant that a call uses; see `HubModule.variant`."""
        if self._tags is not None:
            return self._spec.variant(self._tags)
        return self._spec.variant(
            _TRAIN if training and _TRAIN in self._spec.variants else INFERENCE
        )

    def choose(
        self, signature: str | None, training: bool, outputs: Sequence[str] | None = None
    ) -> ChosenSignature:
        """The signature that a call uses, in the variant that it runs.

        Args:
            signature: Its name, `"default"` when None.
            training: Whether it is a training call.
            outputs: Names of the wanted outputs, all of them when None.

        Raises:
            UnknownNameError: There is no such variant, signature or output.
            InputTypeError: The name is not a string.
        """
        self._check_name(signature)
        variant = self.variant(training)
        found = self._spec.signature(signature, variant.tags)
        if outputs == RETURNED:
            outputs = (found.default_output,)
        wanted = found.select_outputs(outputs, variant.where)
        return ChosenSignature(variant, found, wanted, training and bool(variant.update_ops))

    def run(
        self,
        chosen: ChosenSignature,
        values: Mapping[str, Any],
        *,
        losses: bool = False,
        is_watched: IsWatched = watch_all,
        portable: bool = False,
        given: Mapping[str, Any] | None = None,
    ) -> CallResult:
        """Runs a signature on inputs that are bound.

        Args:
            chosen: What `choose` gave.
            values: What `chosen.bind` gave.
            losses: Whether to compute the regularization losses that depend on the inputs.
            is_watched: Tells for each variable whether a gradient tape sees it.
            portable: Whether the call is part of a program that will run where compat_hub is not.
            given: Values of outputs by name; the nodes before them do not run.
        """
        key = self._key(chosen, values, losses, portable or saved_models.is_saving(), given or ())
        function = self._functions.get(key)
        if function is None:
            with self._lock:
                function = self._functions.get(key)
                if function is None:
                    state = self._state.tensors(chosen.variant)
                    function = SignatureFunction(chosen.variant, chosen.signature, key, state)
                    self._functions[key] = function
        if given:
            values = {**values, **{given_name(name): value for name, value in given.items()}}
        return function(values, is_watched)

    def call(
        self,
        inputs: Any = None,
        signature: str | None = None,
        outputs: Sequence[str] | None = None,
        *,
        training: Any = False,
        arguments: Mapping[str, Any] | None = None,
        losses: bool = False,
        is_watched: IsWatched = watch_all,
        portable: bool = False,
    ) -> CallResult:
        """Applies a signature; see `HubModule.call_signature`."""

        def call(flag: bool) -> CallResult:
            chosen = self.choose(signature, flag, outputs)
            values = chosen.bind(inputs, arguments)
            if is_watched is watch_all and not self._has_warned:
                self._warn_of_untracked()
            return self.run(chosen, values, losses=losses, is_watched=is_watched, portable=portable)

        return call_by_flag(training, call, losses)

    def outputs(
        self, inputs: Any, signature: str | None, outputs: tuple[str, ...] | None, training: Any
    ) -> dict[str, Any]:
        """The outputs of a call that has nothing more to say: the shortest way, if there is one."""
        self._check_name(signature)
        if not isinstance(training, bool):
            return self.call(inputs, signature, outputs, training=training).outputs
        plain = (signature, outputs, training)
        function = self._functions.get(plain)
        fast = None if function is None else function.fast_call
        found = None if fast is None else fast(inputs)
        if found is None:
            found = self.call(inputs, signature, outputs, training=training).outputs
            if function is None:
                self._note_plain(plain)
        return found

    def _note_plain(self, plain: tuple[str | None, tuple[str, ...] | None, bool]) -> None:
        """Notes the function of calls with all inputs, where there has been such a call."""
        signature, outputs, training = plain
        chosen = self.choose(signature, training, outputs)
        function = self._functions.get(self._key(chosen, chosen.signature.inputs))
        if function is not None:
            self._functions[plain] = function

    @staticmethod
    def _key(
        chosen: ChosenSignature,
        inputs: Mapping[str, Any],
        losses: bool = False,
        portable: bool = False,
        given: Mapping[str, Any] | tuple[()] = (),
    ) -> CallKey:
        variant, signature, outputs, update_ops = chosen
        losses = losses and bool(variant.regularization_losses)
        return CallKey(
            variant.tags,
            signature.name,
            outputs,
            tuple(inputs),
            update_ops,
            losses,
            portable,
            tuple(given),
        )

    def _check_name(self, signature: object) -> None:
        if signature is not None and not isinstance(signature, str):
            raise InputTypeError(
                f"Module {self._spec.handle!r}: `signature` is a name, found a "
                f"{type(signature).__name__}. Several inputs are passed in one dict, by name."
            )

    def _warn_of_untracked(self) -> None:
        """Warns, once, where a layer of Keras 3 calls the module and finds no variables in it."""
        if is_untracked(lambda: self._state.trainable_variables):
            self._has_warned = True
            warn_of_untracked(self._spec.handle, len(self._state.trainable_variables))


def call_by_flag(training: Any, call: Callable[[bool], CallResult], losses: bool) -> CallResult:
    """Makes a call of training or of inference; both, in a `tf.cond`, if only the runtime knows.

    Args:
        training: A bool, or a boolean scalar tensor.
        call: Makes the call of inference, or of training.
        losses: Whether it computes the losses that depend on inputs.

    Returns:
        The outputs and the losses of the call that is made.
    """
    constant = constant_bool(training)
    if constant is not None:
        return call(constant)

    def branch(flag: bool) -> Callable[[], tuple[dict[str, Any], list[tf.Tensor]]]:
        def run() -> tuple[dict[str, Any], list[tf.Tensor]]:
            result = call(flag)
            terms = [tf.cast(loss, tf.float32) for loss in result.losses]
            return result.outputs, [tf.add_n([tf.zeros([]), *terms])] if losses else []

        return run

    outputs, total = tf.cond(tf.cast(training, tf.bool), branch(True), branch(False))
    return CallResult(outputs, total)


def constant_bool(value: Any) -> bool | None:
    """A flag as a Python bool, or None where only the running program knows it."""
    if isinstance(value, bool):
        return value
    if isinstance(value, tf.Variable):
        value = value.read_value()
    if tf.is_tensor(value):
        value = tf.get_static_value(value)
        return None if value is None else bool(value)
    return bool(value)
