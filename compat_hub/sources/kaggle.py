"""Models on Kaggle that need a login: what only the `kagglehub` package can fetch."""

from __future__ import annotations

import re
import shutil
import urllib.parse

from compat_hub.common.extras import install_command
from compat_hub.errors import HubError, ResolveError
from compat_hub.sources import digests
from compat_hub.sources.plain_files import check_tree

_HOSTS = {"www.kaggle.com", "kaggle.com"}
_LABELS = {"frameworks", "variations", "versions"}


def kaggle_name(url: str) -> str | None:
    """What `kagglehub` calls the model at an address, or None where that is not a model of Kaggle.

    Example:
        ```python
        kaggle_name("https://www.kaggle.com/models/google/nnlm/TensorFlow1/en-dim128/1")
        # "google/nnlm/TensorFlow1/en-dim128/1"
        ```
    """
    parsed = urllib.parse.urlsplit(url)
    parts = [part for part in parsed.path.split("/") if part]
    if (parsed.hostname or "") not in _HOSTS or parts[:1] != ["models"]:
        return None
    names = parts[1:]
    if len(names) > 2 and names[2] in _LABELS:
        # /models/google/nnlm/frameworks/TensorFlow1/variations/en-dim128/versions/1
        labels, values = names[2::2], names[3::2]
        if not set(labels) <= _LABELS:
            return None
        names = [*names[:2], *values]
    if len(names) not in {4, 5} or (len(names) == 5 and not re.fullmatch(r"\d+", names[4])):
        return None
    return "/".join(names)


def copy_from_kaggle(name: str, handle: str, target: str, refusal: str) -> dict[str, str]:
    """Brings a model to a folder that is made, through the `kagglehub` package.

    Args:
        name: What `kagglehub` calls it.
        handle: How messages name it.
        target: The folder.
        refusal: Why it did not come without that package.

    Returns:
        The SHA-256 of each file, by its path in the folder.

    Raises:
        ResolveError: The package is missing, or fails.
    """
    try:
        import kagglehub  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ResolveError(
            f"{refusal} A model on Kaggle that needs a login comes through the kagglehub package: "
            f"install it by `{install_command('kaggle')}`, log in as its documentation says, and "
            "try again."
        ) from error
    try:
        source = kagglehub.model_download(name)
        check_tree(f"What the kagglehub package brought for {handle!r}", source)
        shutil.copytree(source, target)
    except HubError:
        raise
    except Exception as error:  # whatever a package of others and its servers raise
        raise ResolveError(
            f"{refusal} The kagglehub package cannot download {name!r} for {handle!r} either: "
            f"{type(error).__name__}: {error}. Log in as its documentation says, and accept the "
            "model's terms on its page."
        ) from error
    return digests.digests_of_files(target)
