"""`compat_hub.samples`: the sample modules that come with the package."""

from compat_hub.tools.samples import (
    sample_path,
)

__all__ = ["sample_path"]
