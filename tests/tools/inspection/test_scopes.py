from __future__ import annotations

from compat_hub.tools.inspection.scopes import Scope, open_scopes, tree_of, walk_open


def _shown(names: list[str], room: int | None) -> list[str]:
    root = tree_of(names, str)
    open_scopes(root, room)
    return [f"{'  ' * depth}{_label(scope)}" for depth, scope in walk_open(root, room)]


def _label(scope: Scope) -> str:
    return f"{scope.name}/ {len(scope.items)}" if scope.children else scope.name


NAMES = ["a/b/x", "a/b/y", "a/c/x", "d/x", "e"]


def test_with_room_all_is_open() -> None:
    assert _shown(NAMES, None) == [
        *("a/ 3", "  b/ 2", "    x", "    y", "  c/x", "d/x", "e"),
    ]


def test_the_outermost_are_opened_first() -> None:
    assert _shown(NAMES, 5) == ["a/ 3", "  b/ 2", "  c/x", "d/x", "e"]
    assert _shown(NAMES, 3) == ["a/ 3", "d/x", "e"]


def test_more_than_there_is_room_for_is_left_out() -> None:
    assert _shown(NAMES, 2) == ["a/ 3", "d/x"]


def test_a_name_may_be_that_of_a_scope() -> None:
    assert _shown(["a", "a/b", "a/c"], None) == ["a", "a/ 2", "  b", "  c"]


def test_full_names() -> None:
    root = tree_of(NAMES, str)
    open_scopes(root, None)
    assert [s.path for _, s in walk_open(root, None)] == [
        *("a", "a/b", "a/b/x", "a/b/y", "a/c/x", "d/x", "e"),
    ]


def test_deep_names() -> None:
    name = "/".join("s" * 5000)
    assert _shown([name], None) == [name]


def test_nothing() -> None:
    assert _shown([], 3) == []
