"""Names with slashes as a tree of scopes, opened as far as there is room."""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_DEEPEST = 64  # scopes within each other that are told apart


@dataclasses.dataclass
class Scope:
    """A scope, or at the end of a path an item itself.

    Attributes:
        name: What it is called within the scope around it; several parts where there is nothing
            else in a scope.
        path: Its full name.
        items: All items in it.
        children: What is in it, by name.
        is_open: Whether its children are shown.
    """

    name: str
    path: str
    items: list[Any] = dataclasses.field(default_factory=list)
    children: dict[str, Scope] = dataclasses.field(default_factory=dict)
    is_open: bool = False


def tree_of(items: Iterable[Any], name_of: Callable[[Any], str]) -> Scope:
    """The tree of named items. A scope with one child only is one with it."""
    root = Scope("", "")
    for item in items:
        scope = root
        scope.items.append(item)
        parts = name_of(item).split("/", _DEEPEST)
        for k, part in enumerate(parts):
            # A name may be that of a scope, too.
            key = part + ("" if k + 1 == len(parts) else "/")
            path = "/".join(parts[: k + 1])
            scope = scope.children.setdefault(key, Scope(part, path))
            scope.items.append(item)
    _merge_single(root)
    return root


def _merge_single(root: Scope) -> None:
    stack = [root]
    while stack:
        scope = stack.pop()
        for key, child in scope.children.items():
            inner = child
            parts = [child.name]
            while len(inner.children) == 1:
                (inner,) = inner.children.values()
                parts.append(inner.name)
            inner.name = "/".join(parts)
            scope.children[key] = inner
            stack.append(inner)


def open_scopes(root: Scope, room: int | None) -> None:
    """Opens scopes, the outermost first and of those the largest, while all fits.

    Args:
        root: The tree; the root is opened in any case.
        room: How many lines there may be, None for any number.
    """
    root.is_open = True
    lines = len(root.children)
    queue = [(1, -len(c.items), k, c) for k, c in enumerate(root.children.values())]
    heapq.heapify(queue)
    number = len(queue)
    while queue:
        depth, _, _, scope = heapq.heappop(queue)
        if not scope.children or (room is not None and lines + len(scope.children) > room):
            continue
        scope.is_open = True
        lines += len(scope.children)
        for child in scope.children.values():
            heapq.heappush(queue, (depth + 1, -len(child.items), number, child))
            number += 1


def walk_open(root: Scope, room: int | None) -> Iterator[tuple[int, Scope]]:
    """The scopes and items that are shown, each with its depth, at most as many as there is room.

    Args:
        root: The tree.
        room: How many may be given, None for any number.
    """
    given = 0
    stack: list[tuple[int, Scope]] = [(0, c) for c in reversed(root.children.values())]
    while stack and (room is None or given < room):
        depth, scope = stack.pop()
        given += 1
        yield depth, scope
        if scope.is_open:
            stack.extend((depth + 1, c) for c in reversed(scope.children.values()))
