"""Ops that give what a program fed to a model: nothing before them is a part of it."""

from __future__ import annotations

from compat_hub.format.placeholders import PLACEHOLDERS

_SOURCES = PLACEHOLDERS | {
    "FIFOQueue",
    "FIFOQueueV2",
    "Iterator",
    "IteratorFromStringHandle",
    "IteratorFromStringHandleV2",
    "IteratorV2",
    "OneShotIterator",
    "PaddingFIFOQueue",
    "PaddingFIFOQueueV2",
    "PriorityQueue",
    "PriorityQueueV2",
    "PyFunc",
    "PyFuncStateless",
    "EagerPyFunc",
    "RandomShuffleQueue",
    "RandomShuffleQueueV2",
    "Stage",
    "Unstage",
}


def is_source(op: str) -> bool:
    """Whether a node of an op is a placeholder, a queue, an iterator, or a call of Python."""
    return op in _SOURCES
