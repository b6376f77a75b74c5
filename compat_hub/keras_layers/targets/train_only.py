"""`train_only`: which of a layer's trainable variables train."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import tensorflow as tf

from compat_hub.errors import SignatureError

Patterns = str | Sequence[str] | None

_SHOWN = 10


def find_trained(
    patterns: Patterns,
    trainable: Mapping[str, tf.Variable],
    frozen: Mapping[str, tf.Variable],
    what: str,
) -> dict[str, tf.Variable]:
    """The trainable variables that some pattern finds by their names; all where there is none.

    Args:
        patterns: Regular expressions, or one.
        trainable: The variables that may train, by the names that `inspect` shows.
        frozen: The others.
        what: How messages name the module.

    Raises:
        SignatureError: One is no regular expression, or finds no trainable variable.
    """
    if patterns is None:
        return dict(trainable)
    given = [patterns] if isinstance(patterns, str) else list(patterns)
    if not given:
        raise SignatureError(
            "train_only is an empty list: nothing would train. Pass trainable=False, or None as "
            "train_only to train all."
        )
    found: set[str] = set()
    for pattern in given:
        matching = _search(pattern, trainable)
        if not matching:
            raise SignatureError(_nothing_found(pattern, trainable, frozen, what))
        found.update(matching)
    return {name: variable for name, variable in trainable.items() if name in found}


def _search(pattern: str, variables: Mapping[str, tf.Variable]) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise SignatureError(
            f"train_only={pattern!r} is not a regular expression: {error}."
        ) from error
    return [n for n, v in variables.items() if any(map(compiled.search, _spellings(n, v)))]


def _spellings(name: str, variable: tf.Variable) -> tuple[str, ...]:
    """The name, that of the whole variable if it is a part, and both as TensorFlow's tensors."""
    return name, re.sub(r"/part_\d+$", "", name), f"{name}:0", variable.name


def _nothing_found(
    pattern: str,
    trainable: Mapping[str, tf.Variable],
    frozen: Mapping[str, tf.Variable],
    what: str,
) -> str:
    message = f"train_only={pattern!r} matches no trainable variable of {what}."
    fixed = _search(pattern, frozen)
    if fixed:
        message += f" It matches {fixed[0]!r}, which the module's author made not trainable."
    names = [*trainable]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{message} The trainable variables are: {', '.join(names[:_SHOWN]) or 'none'}{more}."
