"""`install_as_tensorflow_hub`: `import tensorflow_hub` gives compat_hub in this process."""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import types
from typing import Any

from compat_hub._public import HOMES
from compat_hub.errors import BackendError

_NAME = "tensorflow_hub"
_VERSION = "0.16.1"  # of the release whose names these are
# The files of tensorflow_hub that programs import, and what is taken from each.
_SUBMODULES = {
    "estimator": ["LatestModuleExporter", "register_module_for_export"],
    "feature_column": [
        "image_embedding_column",
        "sparse_text_embedding_column",
        "text_embedding_column",
    ],
    "feature_column_v2": ["text_embedding_column_v2"],
    "image_util": [
        "ImageModuleInfo",
        "attach_image_module_info",
        "get_expected_image_size",
        "get_num_image_channels",
    ],
    "keras_layer": ["KerasLayer"],
    "module": ["Module", "eval_function_for_module", "load_module_spec"],
    "module_spec": ["ModuleSpec"],
    "module_v2": ["load", "resolve"],
    "native_module": ["add_signature", "attach_message", "create_module_spec"],
    "saved_model_module": ["create_module_spec_from_saved_model"],
}


class _StandIn(types.ModuleType):
    """A module whose names are those of compat_hub, imported when they are used."""

    def __init__(self, name: str, names: list[str]) -> None:
        super().__init__(name, f"compat_hub, which stands for {name}.")
        is_package = name == _NAME
        self.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=is_package)
        self.__all__ = sorted(names)
        if is_package:
            self.__path__: list[str] = []
            self.__version__ = _VERSION

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("__all__", ()):
            value = getattr(importlib.import_module("compat_hub"), name)
            setattr(self, name, value)
            return value
        raise AttributeError(
            f"compat_hub stands for {self.__name__} here, and has no {name!r}. It has: "
            f"{', '.join(self.__dict__.get('__all__', ()))}."
        )

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.__all__]


def install_as_tensorflow_hub() -> None:
    """Makes `import tensorflow_hub` give compat_hub, from now on and in this process.

    It is for packages that import tensorflow_hub themselves, whose last release does not import
    beside a current setuptools. The submodules that programs import are there, too, such as
    `tensorflow_hub.keras_layer`. A second call changes nothing.

    Examples:
        >>> compat_hub.install_as_tensorflow_hub()  # doctest: +SKIP
        >>> import tensorflow_hub as hub  # doctest: +SKIP
        >>> hub.load is compat_hub.load  # doctest: +SKIP
        True

    Raises:
        BackendError: The genuine tensorflow_hub has been imported in this process: what others
            have taken from it would stay.
    """
    known = sys.modules.get(_NAME)
    if isinstance(known, _StandIn):
        return
    if known is not None or any(name.startswith(f"{_NAME}.") for name in sys.modules):
        raise BackendError(
            "tensorflow_hub has been imported in this process already, and what others have taken "
            "from it would stay. Call compat_hub.install_as_tensorflow_hub() before any import of "
            "it; or run the program by `compat-hub run-program`."
        )
    package = _StandIn(_NAME, [*HOMES, "errors"])
    sys.modules[_NAME] = package
    for name, names in _SUBMODULES.items():
        submodule = sys.modules[f"{_NAME}.{name}"] = _StandIn(f"{_NAME}.{name}", names)
        setattr(package, name, submodule)
