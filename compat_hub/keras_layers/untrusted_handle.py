"""Where a handle may lead that is in a file which may come from anybody."""

from __future__ import annotations

from typing import Any

from compat_hub.errors import UnsafeModuleError
from compat_hub.format.spec import is_module_directory, is_saved_model
from compat_hub.sources.resolve import is_here, resolve

_TRUST = (
    "If you trust the file, pass safe_mode=False to load_model, which .keras files heed, or say "
    "where the module is, be it the same place: "
    "load_model(..., custom_objects={{{handle!r}: {handle!r}}})."
)


class UntrustedHandleError(UnsafeModuleError):
    """A handle of a config leads where only the program may send it."""


def check_untrusted_handle(handle: Any) -> None:
    """Checks that a handle leads to a module in TF1 Hub format that is on this machine already.

    Such a module is checked before anything of it runs. A plain SavedModel runs its initializer
    when it is loaded, and nobody looks into it.

    Raises:
        UntrustedHandleError: It leads to the network, or to a plain SavedModel.
        ResolveError: It leads to nothing.
    """
    if not isinstance(handle, str):
        return
    trust = _TRUST.format(handle=handle)
    if not is_here(handle):
        raise UntrustedHandleError(
            f"The config has the handle {handle!r}, which is not on this machine, and a file that "
            f"may come from anybody shall not say what is downloaded. {trust} Or bring the module "
            f"to the cache before: compat_hub.resolve({handle!r})."
        )
    path = resolve(handle)
    if not is_module_directory(path) and is_saved_model(path):
        raise UntrustedHandleError(
            f"The config has the handle {handle!r}, a plain SavedModel: its graph is a program "
            f"that runs when it is loaded, and nobody has looked into it. {trust}"
        )
