"""A module that a layer of Keras 3 calls, which finds none of its variables."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any


class UntrackedVariablesWarning(UserWarning):
    """A layer of Keras 3 holds a HubModule, whose variables it does not train."""


def is_untracked(find: Callable[[], Sequence[Any]]) -> bool:
    """Whether a layer of Keras 3 is called in training, and has none of the variables that exist.

    Keras 3 finds layers and its own variables in attributes, and no tf.Module. Its call context is
    private: seen in Keras 3.3 to 3.15.
    """
    state: Any = sys.modules.get("keras.src.backend.common.global_state")
    context = state and state.get_global_attribute("current_call_ctx")
    if context is None or getattr(context, "training", None) is not True:
        return False
    variables = find()
    found = getattr(context.entry_layer, "variables", ())
    known = {id(getattr(variable, "_value", variable)) for variable in found}
    return bool(variables) and not any(id(variable) in known for variable in variables)


def warn_of_untracked(handle: str, number: int) -> None:
    """Says what to put in the module's place."""
    warnings.warn(
        f"Module {handle!r}: a layer of Keras 3 calls this HubModule in training. Keras 3 finds no "
        f"variables in it, so fit trains none of its {number} trainable variables, and the model's "
        "files do not have them. Give the layer "
        "compat_hub.keras3.KerasLayer(module, trainable=True), which it finds, in the module's "
        "place; with trainable=False for one that shall not train.",
        UntrackedVariablesWarning,
        stacklevel=2,
    )
