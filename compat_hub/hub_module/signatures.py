"""`HubModule.signatures`: a callable for each signature, as after `tf.saved_model.load`."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from compat_hub.errors import InputTypeError
from compat_hub.format.inputs import join_components
from compat_hub.tf_private import autograph_marks

if TYPE_CHECKING:
    from compat_hub.hub_module.hub_module import HubModule


class SignatureCallable:
    """One entry of `HubModule.signatures`.

    Attributes:
        name: The signature's name.
    """

    def __init__(self, module: HubModule, name: str) -> None:
        self._module = module
        self.name = name
        infos = module.get_input_info_dict(name)
        self._composites = infos if any(i.is_composite for i in infos.values()) else None
        self._where = module.spec.variant(module.tags).where

    @autograph_marks.unconverted
    def __call__(self, /, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Applies the signature in inference.

        Args:
            *args: The only input, where there is one.
            **kwargs: Inputs by name. A sparse one may also be given as `x_indices`, `x_values`
                and `x_dense_shape`, a ragged one as `x_component_0`, `x_component_1`, ...

        Returns:
            All outputs by name.
        """
        if len(args) > 1 or (args and kwargs):
            raise InputTypeError(
                f"Module {self._module.spec.handle!r}: the signature {self.name!r} takes its "
                "inputs by keyword, or its only one by position."
            )
        inputs: Any = args[0] if args else kwargs
        infos = self._composites
        if infos and isinstance(inputs, Mapping):
            inputs = join_components(infos, inputs, f"{self._where}, signature {self.name!r}")
        return self._module.dispatcher.outputs(inputs, self.name, None, False)

    @functools.cached_property
    def concrete_function(self) -> Any:
        """The signature as a `tf.types.experimental.ConcreteFunction`, for tools that take these.

        `tf.lite.TFLiteConverter.from_concrete_functions`, say. Its inputs are those without a
        default, in their declared shapes.
        """
        infos = self._module.get_input_info_dict(self.name)
        has_default = self._module.spec.variant(self._module.tags).has_default
        specs = {n: info.named_spec(n) for n, info in infos.items() if not has_default(info)}
        with tf.init_scope():
            return tf.function(self, autograph=False).get_concrete_function(**specs)

    @property
    def inputs(self) -> list[tf.Tensor]:
        """The tensors of `graph` that stand for inputs and captured variables."""
        return self.concrete_function.inputs

    @property
    def outputs(self) -> list[tf.Tensor]:
        """The tensors of `graph` that are returned."""
        return self.concrete_function.outputs

    @property
    def graph(self) -> tf.Graph:
        """The graph of `concrete_function`."""
        return self.concrete_function.graph

    @property
    def variables(self) -> tuple[tf.Variable, ...]:
        """The variables that the signature uses."""
        return tuple(self.concrete_function.variables)

    @property
    def trainable_variables(self) -> tuple[tf.Variable, ...]:
        """The variables that the signature uses and that train."""
        return tuple(v for v in self.variables if v.trainable)

    @property
    def structured_input_signature(self) -> tuple[tuple[()], dict[str, Any]]:
        """The type specs of positional and keyword arguments, as of a `ConcreteFunction`."""
        infos = self._module.get_input_info_dict(self.name)
        return (), {name: info.type_spec for name, info in infos.items()}

    @property
    def structured_outputs(self) -> dict[str, Any]:
        """The type specs of the outputs, as of a `ConcreteFunction`."""
        infos = self._module.get_output_info_dict(self.name)
        return {name: info.type_spec for name, info in infos.items()}


class Signatures(Mapping[str, SignatureCallable]):
    """The inference signatures of a module, or those of the variant that it is pinned to."""

    def __init__(self, module: HubModule) -> None:
        self._module = module

    def __getitem__(self, name: str) -> SignatureCallable:
        # In a call None is the default; as a key it is none.
        signature = self._module.spec.signature(str(name), self._module.tags)
        return SignatureCallable(self._module, signature.name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._module.get_signature_names())

    def __len__(self) -> int:
        return len(self._module.get_signature_names())

    def __repr__(self) -> str:
        return f"<signatures {', '.join(self)}>"
