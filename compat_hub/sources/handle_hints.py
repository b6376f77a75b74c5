"""What a handle that leads to no module was probably meant to be."""

from __future__ import annotations

import contextlib
import os
import re
import urllib.parse

from compat_hub.sources import cache_layout, files
from compat_hub.sources.kaggle import kaggle_name

_KAGGLE = "https://www.kaggle.com/models/"
_HOSTS = ("tfhub.dev/", "www.kaggle.com/", "kaggle.com/", "www.tfhub.dev/")
# As `kagglehub` has it: owner, model, framework, variation, and perhaps a version.
_KAGGLE_HANDLE = re.compile(
    r"[\w.-]+/[\w.-]+/(tensorflow[12]?|tf1|tf2|tflite|tfjs|keras|pytorch|jax|flax|transformers|other)"
    r"/[\w.-]+(/\d+)?",
    re.IGNORECASE,
)
_TFHUB_HANDLE = re.compile(r"@?[\w-]+(/[\w.-]+)+/\d+")
_MOST_FOLDERS = 100  # that are looked into
_SHOWN = 3


def hint_for_path(handle: str) -> str | None:
    """What to pass instead of a path that does not exist; None where nothing suggests itself.

    Example:
        ```python
        hint_for_path("google/nnlm/tensorFlow1/en-dim128/1")
        # "For the model on Kaggle, pass 'https://www.kaggle.com/models/google/nnlm/...'."
        ```
    """
    text = handle.removeprefix("/").rstrip("/")
    if text.lower().startswith(_HOSTS):
        return f"For that address on the web, pass {f'https://{text}'!r}."
    name = text.removeprefix("models/")
    if _KAGGLE_HANDLE.fullmatch(name):
        return f"For the model on Kaggle, pass {_KAGGLE + name!r}."
    if _TFHUB_HANDLE.fullmatch(text):
        return f"For the module of tfhub.dev, pass {'https://tfhub.dev/' + text.lstrip('@')!r}."
    return None


def hint_for_file(path: str) -> str | None:
    """What to pass instead of a file: the module's folder, where the file is in one."""
    folder = path
    for _ in range(3):  # variables/variables.index is two below
        folder = folder.rpartition("/")[0]
        if _has_module(folder or os.curdir):
            return f"For the module that it is in, pass {folder or os.curdir!r}."
    return None


def hint_for_folder(path: str) -> str | None:
    """What to pass instead of a folder without a module: those within it, or the one above."""
    path = path.rstrip("/") or path
    with contextlib.suppress(OSError):
        within = [
            f"{path}/{name}"
            for name in files.names_in(path)[:_MOST_FOLDERS]
            if not name.startswith(".") and _has_module(f"{path}/{name}")
        ]
        if within:
            shown = " or ".join(map(repr, within[:_SHOWN]))
            more = f" ({len(within):,} folders in it hold one)" if len(within) > _SHOWN else ""
            return f"A module is one level below: pass {shown}{more}."
        parent = path.rpartition("/")[0] or os.curdir
        if _has_module(parent):
            return f"This folder is a part of a module: pass {parent!r}."
    return None


def hint_for_address(handle: str) -> str | None:
    """What to pass instead of a web address that gives no module."""
    with contextlib.suppress(ValueError):
        parsed = urllib.parse.urlsplit(handle)
        host = (parsed.hostname or "").removeprefix("www.")
        if host == "tfhub.dev":
            return (
                "The modules of tfhub.dev are on Kaggle today: look for its name on "
                f"{_KAGGLE[:-1]}, and pass the address of the variation, as "
                f"{_KAGGLE}google/nnlm/TensorFlow1/en-dim128/1."
            )
        if host == "kaggle.com" and kaggle_name(handle) is None:
            return (
                "An address on Kaggle has owner, model, framework, variation and version, as "
                f"{_KAGGLE}google/nnlm/TensorFlow1/en-dim128/1."
            )
    return None


def _has_module(folder: str) -> bool:
    return cache_layout.MODULE_FILES & set(_names(folder)) != set()


def _names(folder: str) -> list[str]:
    try:
        return files.names_in(folder)
    except OSError:  # it is a file, or a folder without permission to list it
        return []
