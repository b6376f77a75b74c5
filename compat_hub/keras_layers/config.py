"""A layer's config: how a layer says in JSON where its module is, and finds it again."""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import json
import os
import uuid
import warnings
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from compat_hub.common.masking import masked
from compat_hub.errors import (
    ConfigError,
    HubError,
    InputTypeError,
    ResolveError,
    UnsafeModuleError,
)
from compat_hub.format.spec import ModuleSpec, is_module_directory
from compat_hub.hub_module.hub_module import HubModule
from compat_hub.hub_module.load import load
from compat_hub.keras_layers.arguments import check_arguments
from compat_hub.keras_layers.embedded import is_same_graph, pack, unpacked
from compat_hub.keras_layers.untrusted_handle import UntrustedHandleError, check_untrusted_handle
from compat_hub.sources.resolve import is_here, resolve

SHARED_MODULE = "shared_module"
ALLOW_HOST_ACCESS = "allow_host_access"
ALLOW_LINKS = "allow_links"
EMBED_MODULE = "embed_module"
_EMBEDDED = "embedded_module"
_PERMISSIONS = {
    ALLOW_HOST_ACCESS: "lets the graph of the module touch the host",
    ALLOW_LINKS: "lets links lead out of the module's folder",
}

_users: weakref.WeakKeyDictionary[HubModule, weakref.WeakSet[Any]] = weakref.WeakKeyDictionary()
_ids: weakref.WeakKeyDictionary[HubModule, str] = weakref.WeakKeyDictionary()
# Not in a config, which anybody may write; None where no layer asks.
_allowed: contextvars.ContextVar[frozenset[str] | None] = contextvars.ContextVar(
    "allowed", default=None
)


class Saving(Protocol):
    """The functions of `tf_keras.saving` and `keras.saving` that this file uses."""

    def get_registered_object(self, name: str) -> Any:
        """Gives the object that `custom_objects` has under a name."""
        ...

    def deserialize_keras_object(self, config: dict[str, Any]) -> Any:
        """Makes an object, or gives the one of the same `shared_object_id`."""
        ...


@dataclasses.dataclass(frozen=True)
class Maker:
    """The Keras that makes layers from configs.

    Attributes:
        keras: Its package, `"tf_keras"` or `"keras"`.
        saving: The `saving` of that package.
        registered_package: What the layer's class and `SharedModule` are registered with.
    """

    keras: str
    saving: Saving
    registered_package: str


def add_user(layer: Any, module: Any) -> None:
    """Notes that a layer is on a module: the configs of layers on one module say so."""
    if isinstance(module, HubModule):
        _users.setdefault(module, weakref.WeakSet()).add(layer)


def shared_id(module: Any) -> str | None:
    """A name for a module that several layers are on, None for any other."""
    if not isinstance(module, HubModule) or len(_users.get(module, ())) < 2:
        return None
    return _ids.setdefault(module, uuid.uuid4().hex)


def describe(
    where: str, handle: Any, module: Any, options: Mapping[str, Any], load_options: Any
) -> dict[str, Any]:
    """The arguments of a layer, for JSON.

    Args:
        where: How messages name the layer.
        handle: What it was made from.
        module: What that led to.
        options: Its other arguments by name.
        load_options: Its `tf.saved_model.LoadOptions`, or None.

    Raises:
        ConfigError: The module is not known by a path, or JSON cannot hold an argument.
    """
    config: dict[str, Any] = {"handle": _describe_handle(where, handle, module)}
    for name, value in options.items():
        if value is not None:
            config[name] = _for_json(value, f"The argument {name!r} of {where}")
    if load_options is not None:
        config["load_options"] = _describe_load_options(load_options)
    if config.get(EMBED_MODULE):
        config[_EMBEDDED] = _packed(where, module)
    if isinstance(module, HubModule):
        if module.tags is not None:
            config["tags"] = sorted(module.tags)
        shared = shared_id(module)
        config.update({name: True for name in _PERMISSIONS if getattr(module.spec, name)})
        if shared is not None:
            config[SHARED_MODULE] = shared
    return config


def restore(config: Mapping[str, Any], maker: Maker, is_trusted: bool) -> dict[str, Any]:
    """The arguments to make a layer with, from its config.

    The handle is replaced where `custom_objects` says so. Layers that were on one `HubModule` get
    one, if Keras makes them together.

    Args:
        config: The config.
        maker: The Keras whose layer it is.
        is_trusted: Whether the program vouches for the config, which may come from a file.

    Raises:
        UnsafeModuleError: The config is not trusted, and gives the module a permission, or leads to
            the network or to a plain SavedModel.
    """
    saving, shared_class = maker.saving, f"{maker.registered_package}>SharedModule"
    arguments = dict(config)
    shared = arguments.pop(SHARED_MODULE, None)
    handle, is_given = _relocate(arguments.get("handle"), saving)
    embedded = arguments.pop(_EMBEDDED, None)
    if embedded is not None and not is_given and not _leads_to(handle, embedded):
        handle = unpacked(embedded, f"the layer {arguments.get('name')!r}")
        arguments["missing"] = "initial"  # weights files have the values
    arguments["handle"] = handle
    if isinstance(arguments.get("load_options"), Mapping):
        arguments["load_options"] = tf.saved_model.LoadOptions(**arguments["load_options"])
    if isinstance(handle, HubModule | ModuleSpec):  # the program has read it
        for name in _PERMISSIONS:
            arguments.pop(name, None)
    allowed = frozenset(name for name in _PERMISSIONS if arguments.get(name))
    if allowed and not is_trusted:
        what = " and ".join(f"{_PERMISSIONS[name]} ({name}=True)" for name in sorted(allowed))
        raise UnsafeModuleError(
            f"The config {what}, and a file may come from anybody. If you trust the file and the "
            "module, pass safe_mode=False to load_model, which .keras files heed."
        )
    if not (is_trusted or is_given):
        check_untrusted_handle(handle)
    if isinstance(handle, HubModule):  # it is loaded already, with the tags that it has
        arguments.pop("tags", None)
    elif shared is not None:
        tags, load_options = arguments.pop("tags", None), arguments.pop("load_options", None)
        missing = arguments.pop("missing", "error")

        def make(key: str, **options: Any) -> Any:
            return saving.deserialize_keras_object(
                {
                    "class_name": shared_class,
                    "registered_name": shared_class,
                    "module": None,
                    "config": options,
                    "shared_object_id": f"{shared_class}/{shared}/{key}",
                }
            )

        if make("probe") is not make("probe"):
            warnings.warn(_no_longer_shared(arguments, maker), SharedModuleWarning, stacklevel=3)
        with _allowing(allowed):
            arguments["handle"] = make(
                "module", handle=handle, tags=tags, load_options=load_options, missing=missing
            )
    return arguments


@contextlib.contextmanager
def _allowing(permissions: frozenset[str]) -> Iterator[None]:
    token = _allowed.set(permissions)
    try:
        yield
    finally:
        _allowed.reset(token)


class SharedModuleWarning(UserWarning):
    """Layers that shared a module get one each, so they no longer share weights."""


class SharedModule:
    """Makes the one `HubModule` of several layers; the layers' files register it with Keras."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """Loads the module; without a handle, makes an object that tells whether Keras shares."""
        if not config:
            return cls()
        allowed = _allowed.get()
        handle: Any = config.get("handle")
        options = config.get("load_options")
        if allowed is None:  # Keras makes it for a config in a file
            check_untrusted_handle(handle)
        permissions: dict[str, Any] = dict.fromkeys(allowed or (), True)
        try:
            check_arguments({"load_options": options})
            missing = config.get("missing", "error")
            tags = config.get("tags")
            return load(handle, tags=tags, options=options, missing=missing, **permissions)
        except InputTypeError as error:  # Keras 3 would replace a TypeError by its own error
            raise ConfigError(
                f"The module that layers share cannot be loaded as its config says: {error}"
            ) from error

    def get_config(self) -> dict[str, Any]:
        """The config of the object without a handle."""
        return {}


def explain(where: str, handle: Any, error: HubError, maker: Maker) -> HubError:
    """The error for a module that a config does not lead to, which says how to go on."""
    text = os.fspath(handle) if isinstance(handle, str | os.PathLike) else repr(handle)
    if isinstance(error, UntrustedHandleError):
        return UnsafeModuleError(f"{where} cannot be made from its config: {error}")
    if isinstance(error, UnsafeModuleError):
        named = (f", {name}=True" for name in _PERMISSIONS if name in str(error))
        return UnsafeModuleError(
            f"{where} cannot be made from its config: {error} Or pass the module loaded: "
            f"load_model(..., custom_objects={{{text!r}: "
            f"compat_hub.load({text!r}{next(named, '')})}})."
        )
    is_relative = "://" not in text and not os.path.isabs(os.path.expanduser(text))
    relative = f" The handle is relative to the current directory, {os.getcwd()}." * is_relative
    return type(error)(
        f"{where} was saved with the handle {text!r}, which does not lead to its module here: "
        f"{error}{relative} If the module is elsewhere now, say where, for the handle or for a "
        f'folder above it: load_model(..., custom_objects={{{text!r}: "path/to/module"}}). '
        f"Where no load_model is called, {maker.keras}.saving.custom_object_scope takes the same "
        "dict."
    )


def _describe_handle(where: str, handle: Any, module: Any) -> str:
    if isinstance(handle, str | os.PathLike):
        return masked(os.fspath(handle))  # what was saved may go anywhere
    spec = module.spec if isinstance(module, HubModule) else handle
    if not isinstance(spec, ModuleSpec):
        raise ConfigError(
            f"{where} was made from an object of type {type(handle).__name__} and has no config: "
            "only a layer that was made from a path can be made again. Save the model's "
            'weights, or a SavedModel: save_format="tf" in tf_keras, model.export in Keras 3.'
        )
    if spec.path is None or not is_module_directory(spec.path):
        raise ConfigError(
            f"{where} is on a module that is in no folder ({spec.handle!r}), so it has no config. "
            "Export the module, and make the layer from the folder."
        )
    return spec.handle


def _packed(where: str, module: Any) -> str:
    spec = module.spec if isinstance(module, HubModule) else None
    if spec is None or spec.path is None:
        raise ConfigError(
            f"{where} has embed_module=True, and what it was made from is not a module in a folder."
        )
    return pack(spec.path, spec.allow_links)


def _leads_to(handle: Any, embedded: Any) -> bool:
    """Whether a handle leads to the module that is embedded, which has no values of its own."""
    if not isinstance(handle, str):
        return True  # the program has loaded it
    if not is_here(handle):
        return False
    try:
        return is_same_graph(resolve(handle), embedded, repr(handle))
    except ResolveError:
        return False


def _no_longer_shared(arguments: Mapping[str, Any], maker: Maker) -> str:
    handle = arguments["handle"]
    handle = masked(handle) if isinstance(handle, str) else handle
    return (
        f"The layer {arguments.get('name')!r} shared the module {handle!r} with other layers. "
        "Keras makes each layer for itself here, as in clone_model, from_config, and for models "
        "within models in an .h5 file: the layer gets a module, and weights, of its own. To share "
        f"again, wrap the call in {maker.keras}.saving.custom_object_scope({{{handle!r}: "
        "module}), with the module loaded by compat_hub.load."
    )


def _relocate(handle: Any, saving: Saving) -> tuple[Any, bool]:
    """The handle that `custom_objects` has for this one, or for a folder above it.

    Returns:
        The handle, and whether the program gave all of it.
    """
    if not isinstance(handle, str):
        return handle, False
    found = saving.get_registered_object(handle)
    if isinstance(found, str | os.PathLike | HubModule | ModuleSpec):
        return found, True
    folder, _, rest = handle.rstrip("/").rpartition("/")
    while folder:
        found = saving.get_registered_object(folder)
        if isinstance(found, str | os.PathLike):
            return os.path.join(os.fspath(found), rest), False
        folder, _, name = folder.rpartition("/")
        rest = f"{name}/{rest}"
    return handle, False


def _for_json(value: Any, what: str) -> Any:
    """The value in numbers, strings, lists and dicts."""
    if isinstance(value, Mapping):
        return {str(k): _for_json(v, what) for k, v in value.items()}
    if isinstance(value, tf.TensorShape):
        return None if value.rank is None else value.as_list()
    if isinstance(value, list | tuple):
        return [_for_json(v, what) for v in value]
    if isinstance(value, tf.Tensor) and hasattr(value, "numpy"):
        return _for_json(value.numpy(), what)
    if isinstance(value, np.ndarray | np.generic):
        return _for_json(value.tolist(), what)
    try:
        plain = value.decode() if isinstance(value, bytes) else value
        json.dumps(plain)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{what} cannot be written in JSON: {error}. Pass numbers, strings, lists of them, or "
            "tensors and arrays of such."
        ) from error
    return plain


def _describe_load_options(options: tf.saved_model.LoadOptions) -> dict[str, Any]:
    """The options that differ from the default, as arguments of `LoadOptions`."""
    default = tf.saved_model.LoadOptions()
    config = {}
    for name in options.__slots__:
        value = getattr(options, name)
        if value != getattr(default, name):
            config[name] = getattr(value, "value", value)  # a policy is an enum
    return config
