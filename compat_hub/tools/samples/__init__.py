"""The sample modules that come with the package; the demo and the README run on them."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from compat_hub.errors import ResolveError


def sample_path(name: str) -> str:
    """The module directory of a sample.

    Examples:
        >>> from compat_hub.samples import sample_path
        >>> compat_hub.load(sample_path("pets")).get_signature_names()
        ['default', 'fruit_to_pet']

    Args:
        name: Its name. `"pets"` has the signatures `fruit_to_pet` and `default`, a `{"train"}`
            variant with batch normalization, and three regularization losses; its weights are
            seeded random numbers.

    Returns:
        The path of its folder.

    Raises:
        ResolveError: There is no such sample.
    """
    folder = Path(str(resources.files(__name__)))
    existing = sorted(path.parent.name for path in folder.glob("*/tfhub_module.pb"))
    if name not in existing:
        raise ResolveError(
            f"There is no sample {name!r} in {folder}. It has: {', '.join(existing) or 'none'}."
        )
    return str(folder / name)
