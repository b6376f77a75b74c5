"""A signature to run: of a module in TF1 Hub format, or of a plain SavedModel."""

from __future__ import annotations

import abc
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat_hub.errors import (
    HubError,
    InputTypeError,
    ModuleFormatError,
    SignatureError,
    UnknownNameError,
)
from compat_hub.format.inputs import bind_inputs
from compat_hub.format.spec import (
    ModuleSpec,
    Tags,
    is_module_directory,
    is_saved_model,
    load_module_spec,
    normalize_tags,
)
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.format.variant import Signature
from compat_hub.hub_module.hub_module import HubModule
from compat_hub.hub_module.load import load
from compat_hub.sources.resolve import resolve
from compat_hub.v1.image_modules import get_expected_image_size


class RunnableSignature(abc.ABC):
    """One signature.

    Attributes:
        handle: The model.
        where: How messages name the signature.
        signature: What it takes and gives.
        optional: The inputs that may be left out.
    """

    handle: str
    where: str
    signature: Signature
    optional: Collection[str]

    def check_inputs(self, given: Collection[str]) -> None:
        """Raises where inputs are missing.

        Raises:
            InputTypeError: They are.
        """
        optional = [self.signature.inputs[name] for name in self.optional]
        values = dict.fromkeys(given)
        bind_inputs(self.signature.inputs, values, lambda info: info in optional, self.where)

    @abc.abstractmethod
    def image_size(self, name: str) -> Sequence[int]:
        """`[height, width]` of the images that an input takes."""

    @abc.abstractmethod
    def load(self) -> None:
        """Loads the model, where that is not done."""

    @abc.abstractmethod
    def __call__(self, inputs: Mapping[str, Any], outputs: Sequence[str]) -> Mapping[str, Any]:
        """The wanted outputs."""


def find_signature(
    handle: str | os.PathLike[str] | ModuleSpec,
    name: str | None,
    tags: Tags,
    allow_host_access: bool,
    allow_links: bool,
) -> RunnableSignature:
    """Finds a signature of a model, and loads no module in TF1 Hub format for it.

    Args:
        handle: A handle or a `ModuleSpec`.
        name: The signature's name. When None it is `"default"`; of a plain SavedModel, which may
            lack that, `"serving_default"` or the only one.
        tags: The variant, that for inference when None.
        allow_host_access: As for `compat_hub.load`.
        allow_links: As for `compat_hub.load`.
    """
    if not isinstance(handle, ModuleSpec):
        path = resolve(handle, allow_links=allow_links)
        if not is_module_directory(path) and is_saved_model(path):
            try:
                model = load(
                    path, tags, allow_host_access=allow_host_access, allow_links=allow_links
                )
            except HubError:
                raise
            except (ValueError, KeyError, OSError, RuntimeError, tf.errors.OpError) as error:
                raise ModuleFormatError(
                    f"The SavedModel {os.fspath(handle)!r} cannot be loaded: {error}"
                ) from error
            if not isinstance(model, HubModule):
                return _OfSavedModel(os.fspath(handle), model, name)
            return _OfModule(model.spec, name, model.tags, model)
    spec = load_module_spec(handle, allow_host_access=allow_host_access, allow_links=allow_links)
    return _OfModule(spec, name, tags)


class _OfModule(RunnableSignature):
    def __init__(
        self, spec: ModuleSpec, name: str | None, tags: Tags, module: HubModule | None = None
    ) -> None:
        self.handle = spec.handle
        variant = spec.variant(frozenset() if tags is None else normalize_tags(tags))
        self.signature = spec.signature(name, variant.tags)
        self.where = f"{variant.where}, signature {self.signature.name!r}"
        inputs = self.signature.inputs
        self.optional = {key for key, info in inputs.items() if variant.has_default(info)}
        self._spec = spec
        self._tags = variant.tags
        self._module = module

    def image_size(self, name: str) -> Sequence[int]:
        return expected_image_size(self._module or self._spec, self.signature.name, name)

    def load(self) -> None:
        if self._module is None:
            self._module = load(self._spec, self._tags)

    def __call__(self, inputs: Mapping[str, Any], outputs: Sequence[str]) -> Mapping[str, Any]:
        assert self._module is not None
        return self._module.call_signature(inputs, self.signature.name, outputs).outputs


class _OfSavedModel(RunnableSignature):
    optional = frozenset()

    def __init__(self, handle: str, model: Any, asked: str | None) -> None:
        self.handle = handle
        functions = getattr(model, "signatures", {})
        names = list(functions)
        if not names:
            raise ModuleFormatError(f"The SavedModel {handle!r} has no signatures to run.")
        name = asked or ""
        if asked is None:
            served = [known for known in ("default", "serving_default") if known in names]
            name = [*served, names[0] if len(names) == 1 else "default"][0]
        if name not in names:
            raise UnknownNameError(
                f"The SavedModel {handle!r} has no signature {name!r}. It has: "
                f"{', '.join(map(repr, sorted(names)))}."
            )
        self._model = model  # it holds the variables
        self._function = functions[name]
        _, inputs = self._function.structured_input_signature
        outputs = self._function.structured_outputs
        self.signature = Signature(name, _infos(inputs), _infos(outputs))
        self.where = f"the SavedModel {handle!r}, signature {name!r}"

    def image_size(self, name: str) -> Sequence[int]:
        shape: Any = self.signature.inputs[name].get_shape()
        sizes = shape.as_list()[1:3] if shape.rank == 4 else []
        if sizes and all(sizes):
            return sizes
        raise InputTypeError(
            f"In {self.where}: input {name!r} does not tell the size of the images that it takes. "
            "Pass it as the image size."
        )

    def load(self) -> None:
        pass

    def __call__(self, inputs: Mapping[str, Any], outputs: Sequence[str]) -> Mapping[str, Any]:
        found = self._function(**inputs)
        return {name: found[name] for name in outputs}


def _infos(specs: Mapping[str, Any]) -> dict[str, TensorInfo]:
    return {name: TensorInfo(specs[name], (name,)) for name in sorted(specs)}


def expected_image_size(module: HubModule | ModuleSpec, signature: str, name: str) -> Sequence[int]:
    """As `get_expected_image_size`, with what to do where the module does not tell.

    Raises:
        InputTypeError: The module does not tell.
    """
    try:
        return get_expected_image_size(module, signature, name)
    except SignatureError as error:
        raise InputTypeError(f"{error} Pass it as the image size.") from error
