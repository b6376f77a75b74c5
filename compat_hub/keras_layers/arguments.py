"""Whether a layer's arguments are of the kinds that they have to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from compat_hub.errors import InputTypeError


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return value in (True, False)


def _are_patterns(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, list | tuple) and all(map(_is_text, value)))


def _are_options(value: Any) -> bool:
    return isinstance(value, tf.saved_model.LoadOptions)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value))


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "arguments": (_is_mapping, "a dict of inputs by name"),
    "load_options": (_are_options, "a tf.saved_model.LoadOptions"),
    "output_key": (_is_text, "the name of an output"),
    "signature_outputs_as_dict": (_is_flag, "True or False"),
    "train_only": (_are_patterns, "a regular expression, or a list of them"),
}


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Checks the arguments of a layer that nothing else checks, by name.

    Raises:
        InputTypeError: One is of a kind that it cannot be.
    """
    for name, (is_one, what) in _KINDS.items():
        value = arguments.get(name)
        if value is not None and not is_one(value):
            raise InputTypeError(
                f"The argument {name!r} of a KerasLayer is {what}, found {value!r:.200}."
            )
