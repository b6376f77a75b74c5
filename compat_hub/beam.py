"""`compat_hub.beam`: a module in an Apache Beam pipeline."""

from compat_hub.tools.beam.handler import (
    BatchModel,
    HubModelHandler,
)

__all__ = ["BatchModel", "HubModelHandler"]
