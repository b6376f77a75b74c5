"""Makes the target that a layer calls, from the layer's arguments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from compat_hub.errors import SignatureError
from compat_hub.format.spec import ModuleSpec, Tags
from compat_hub.hub_module.hub_module import HubModule
from compat_hub.hub_module.load import load
from compat_hub.keras_layers.targets.any_callable import CallableTarget
from compat_hub.keras_layers.targets.hub_module import HubModuleTarget
from compat_hub.keras_layers.targets.target import Target
from compat_hub.keras_layers.targets.train_only import Patterns
from compat_hub.state.module_state import Missing


def make_target(
    handle: Any,
    *,
    arguments: Mapping[str, Any] | None = None,
    tags: Tags = None,
    signature: str | None = None,
    signature_outputs_as_dict: bool | None = None,
    output_key: str | None = None,
    load_options: Any = None,
    train_only: Patterns = None,
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
    kind: Any = HubModuleTarget if isinstance(obj, HubModule) else CallableTarget
    return kind(
        obj,
        dict(arguments or {}),
        signature,
        bool(signature_outputs_as_dict),
        output_key,
        train_only,
    )
