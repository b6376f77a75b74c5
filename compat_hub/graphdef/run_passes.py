"""Runs rewriting passes in order, and checks the graph after each."""

from __future__ import annotations

import dataclasses
import enum
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from compat_hub.errors import ModuleFormatError
from compat_hub.graphdef.checks.consistency import find_inconsistency

GraphDef = Any
OpDef = Any


class Mode(enum.Enum):
    """What a graph is rewritten for."""

    FUNCTION = enum.auto()  # a graph function, in a program that has compat_hub
    PORTABLE = enum.auto()  # a SavedModel of TensorFlow 2, read where compat_hub is not
    GRAPH = enum.auto()  # graph mode: the whole MetaGraph goes into a `tf.Graph`


class Rewrite(Protocol):
    """A graph on its way through the passes: what the machinery needs to know of it.

    Attributes:
        mode: What it is rewritten for.
        where: How messages name where the graph comes from.
        graph_def: The graph as it is now. A pass changes it in place or puts another in its place.
        fetches: The names of the wanted tensors in it.
        targets: The names of the nodes that run besides.
        dtypes: The dtypes of the tensors that are given, by name. Their nodes need not be there.
        op_def: Gives the OpDef of a registered op, or None.
    """

    mode: Mode
    graph_def: GraphDef
    fetches: list[str]
    targets: list[str]
    dtypes: dict[str, int]

    @property
    def where(self) -> str: ...

    def op_def(self, op: str, /) -> OpDef: ...


def _always(_: Any) -> bool:
    return True


@dataclasses.dataclass(frozen=True)
class Pass:
    """An entry of a list of passes.

    Attributes:
        run: Rewrites the graph, and notes in the `Rewrite` what the passes behind need to know.
        modes: For which modes it runs.
        applies: Whether it has something to do for a graph; asked when its turn comes.
    """

    run: Callable[[Any], None]
    modes: frozenset[Mode] = frozenset(Mode)
    applies: Callable[[Any], bool] = _always

    @property
    def name(self) -> str:
        """The name of the function that it runs."""
        return self.run.__name__


class PassError(Exception):
    """A pass left a graph that cannot be: a fault of compat_hub, found by its checks."""


def run_passes(passes: Iterable[Pass], rewrite: Rewrite) -> None:
    """Rewrites a graph by those of the passes that are for its mode and apply to it, in order.

    Where the environment variable COMPAT_HUB_CHECK_PASSES is 1, as in the tests, the whole graph is
    checked after each pass, and not its names alone. A graph that is damaged before the first pass
    is left to TensorFlow's importer.

    Raises:
        ModuleFormatError: A pass made a node or a function with a name that the graph has already.
        PassError: A pass left a graph whose nodes do not fit together.
    """
    checked = os.environ.get("COMPAT_HUB_CHECK_PASSES") == "1"
    content = _content(rewrite) if checked else None
    checked = checked and _problem(rewrite) is None
    for each in passes:
        if rewrite.mode not in each.modes or not each.applies(rewrite):
            continue
        before = rewrite.graph_def
        nodes, functions = len(before.node), len(before.library.function)
        each.run(rewrite)
        after = rewrite.graph_def
        if after is not before or (nodes, functions) != (
            len(after.node),
            len(after.library.function),
        ):
            check_names(rewrite.where, after)
        if checked and (changed := _content(rewrite)) != content:
            content = changed
            problem = _problem(rewrite)
            if problem:
                raise PassError(f"In {rewrite.where}: after the pass {each.name!r} {problem}")


def _content(rewrite: Rewrite) -> tuple[Any, ...]:
    serialized = rewrite.graph_def.SerializeToString(deterministic=True)
    return serialized, *rewrite.fetches, *rewrite.targets


def _problem(rewrite: Rewrite) -> str | None:
    wanted = [*rewrite.fetches, *(f"^{name}" for name in rewrite.targets)]
    return find_inconsistency(rewrite.graph_def, rewrite.dtypes, wanted, rewrite.op_def)


def check_names(where: str, graph_def: GraphDef, own: Mapping[str, Any] | None = None) -> None:
    """Checks that no node or function that was added has the name of one of the module.

    One would take the other's place, and nobody has checked what that gives.

    Args:
        where: How messages name where the graph comes from.
        graph_def: The graph, rewritten.
        own: The module's functions by name, where some may have been cut from the graph.

    Raises:
        ModuleFormatError: Two have one name.
    """
    functions = graph_def.library.function
    for what, names in (
        ("nodes", [node.name for node in graph_def.node]),
        ("functions", [function.signature.name for function in functions]),
    ):
        if len(set(names)) < len(names):
            raise _taken(where, what, Counter(names).most_common(1)[0][0])
    for function in functions:
        name = function.signature.name
        if own and name in own and function != own[name]:
            raise _taken(where, "functions", name)


def _taken(where: str, what: str, name: str) -> ModuleFormatError:
    return ModuleFormatError(
        f"In {where}: two {what} would have the name {name!r}: the graph has one, "
        "and one is what a call, a loop, a branch or a read of a variable becomes. "
        "TensorFlow gives no such names. The module is damaged; get a fresh copy of it."
    )
