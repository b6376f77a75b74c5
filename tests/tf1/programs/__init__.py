"""Programs against the graph-mode API, by topic."""

from . import (  # noqa: F401
    assets,
    contents,
    control_flow,
    exporting,
    naming,
    nesting,
    placement,
    sessions,
    signatures,
    specs,
    state,
    training,
)
from .registry import PROGRAMS  # noqa: F401
