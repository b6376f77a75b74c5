"""Graphs that lost the collections which say what belongs to which loop and which branch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from case import Case, case

from . import conds, control_flow

_CONTEXTS = ("while_context", "cond_context")


def _strip(described: Callable[[], Case]) -> Case:
    return dataclasses.replace(described(), strip_collections=_CONTEXTS)


@case
def stripped_while_rnn() -> Case:
    return _strip(control_flow.while_rnn)


@case
def stripped_raw_while() -> Case:
    return _strip(control_flow.raw_while)


@case
def stripped_cond_in_cond() -> Case:
    return _strip(control_flow.cond_in_cond)


@case
def stripped_cond_in_while_in_cond() -> Case:
    return _strip(conds.cond_in_while_in_cond)
