"""The imports of TensorFlow in a program of TensorFlow 1, made those of `compat_hub.tf1`."""

from __future__ import annotations

import dataclasses

import libcst as cst
from libcst.helpers import get_full_name_for_node, get_full_name_for_node_or_raise

from compat_hub.tools.migration.tensorflow_names import look_up

_TF1 = "compat_hub.tf1"
_V1 = "compat.v1"
# Imported from TensorFlow itself: no part of its API.
_INNER = frozenset({"core", "examples", "python", "tools"})


@dataclasses.dataclass(frozen=True)
class Rewritten:
    """What an import becomes.

    Attributes:
        statements: The statements in its place.
        of_tensorflow1: The names under which it brings TensorFlow as version 1 had it, whose
            behavior has to be asked for now.
        missing: What of TensorFlow it imports that is not there, with what to do, by name.
    """

    statements: list[cst.BaseSmallStatement]
    of_tensorflow1: tuple[str, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()


def rewrite(node: cst.BaseSmallStatement, is_tf1: bool) -> Rewritten | None:
    """What becomes of a statement.

    Args:
        node: The statement.
        is_tf1: Whether the program is of TensorFlow 1. If not, `tensorflow` stays, which may be
            used beside `tensorflow.compat.v1`.

    Returns:
        The result, None where it imports nothing of TensorFlow or Keras, or stays.
    """
    if isinstance(node, cst.Import):
        return _rewrite_import(node, is_tf1)
    if isinstance(node, cst.ImportFrom) and not node.relative and node.module is not None:
        module = get_full_name_for_node(node.module) or ""
        if is_tf1 or module.startswith((f"tensorflow.{_V1}", "tensorflow.compat", _TF1)):
            return _rewrite_from(node, module)
    return None


def path_of(name: str) -> str | None:
    """What follows `tf.`: empty for TensorFlow itself, None for what is not of it."""
    if name in {"keras", "tensorflow.compat.v1.keras"} or name.startswith("keras."):
        return f"keras{name.partition('keras')[2]}"
    for root in (f"tensorflow.{_V1}", "tensorflow", _TF1):
        if name == root:
            return ""
        if name.startswith(f"{root}."):
            return name.removeprefix(f"{root}.")
    return None


def _rewrite_import(node: cst.Import, is_tf1: bool) -> Rewritten | None:
    kept: list[cst.ImportAlias] = []
    made: list[cst.BaseSmallStatement] = []
    plain: list[str] = []
    missing: list[tuple[str, str]] = []
    for alias in node.names:
        name = alias.evaluated_name
        is_v1 = name.startswith(f"tensorflow.{_V1}")
        path = path_of(name) if is_v1 or (is_tf1 and not name.startswith(_TF1)) else None
        if path is None:
            kept.append(alias)
            continue
        found = look_up(path) if path else None
        if found is not None and not found.is_there:
            missing.append((name, found.note))
            kept.append(alias)
        elif path and path.partition(".")[0] in _INNER:
            kept.append(alias)
        elif path and alias.asname is not None:
            target = cst.parse_expression(f"{_TF1}.{path}")
            made.append(
                cst.Import([alias.with_changes(name=target, comma=cst.MaybeSentinel.DEFAULT)])
            )
        else:
            bound = alias.evaluated_alias or name.partition(".")[0]
            source, what = (
                ("compat_hub.tf1", "keras") if bound == path == "keras" else ("compat_hub", "tf1")
            )
            made.append(_from(source, what, bound))
            if not name.startswith(f"tensorflow.{_V1}") and name.startswith("tensorflow"):
                plain.append(bound)
    if not made and not missing:
        return None
    if kept:
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        made.insert(0, node.with_changes(names=kept))
    return Rewritten(made, tuple(plain), tuple(missing))


def _rewrite_from(node: cst.ImportFrom, module: str) -> Rewritten | None:
    if isinstance(node.names, cst.ImportStar):
        return _rewrite_star(node, module)
    if module == "tensorflow.compat" and [a.evaluated_name for a in node.names] == ["v1"]:
        return Rewritten([_from("compat_hub", "tf1", node.names[0].evaluated_alias or "v1")])
    path = path_of(module)
    missing = () if path is None else _missing(path, node.names)
    if missing:
        return Rewritten([node], missing=missing)
    return _moved(node, module)


def _rewrite_star(node: cst.ImportFrom, module: str) -> Rewritten | None:
    path = path_of(module)
    found = look_up(path) if path else None
    return _moved(node, module) if found is not None and found.is_there else None


def _moved(node: cst.ImportFrom, module: str) -> Rewritten | None:
    """An import from the same place in `compat_hub.tf1`."""
    path = path_of(module)
    if path is None or module.startswith(_TF1) or path.partition(".")[0] in _INNER:
        return None
    target = cst.ensure_type(cst.parse_expression(f"{_TF1}.{path}".rstrip(".")), cst.Attribute)
    return Rewritten([node.with_changes(module=target)])


def _missing(path: str, names: object) -> tuple[tuple[str, str], ...]:
    missing = []
    for alias in names if isinstance(names, list | tuple) else ():
        full = f"{path}.{alias.evaluated_name}".removeprefix(".")
        found = look_up(full)
        if not found.is_there or found.moved_to is not None:
            note = found.note or f"It is tf.{found.moved_to}."
            missing.append((full, note))
    return tuple(missing)


def _from(source: str, what: str, bound: str) -> cst.ImportFrom:
    name = f" as {bound}" if bound != what else ""
    module = cst.parse_module(f"from {source} import {what}{name}\n")
    line = cst.ensure_type(module.body[0], cst.SimpleStatementLine)
    return cst.ensure_type(line.body[0], cst.ImportFrom)


def bound_names(node: cst.BaseSmallStatement) -> list[tuple[str, str]]:
    """The dotted names that a statement imports, and what they are called in the program."""
    if isinstance(node, cst.Import):
        return [(a.evaluated_name, a.evaluated_alias or a.evaluated_name) for a in node.names]
    if isinstance(node, cst.ImportFrom) and not isinstance(node.names, cst.ImportStar):
        module = "" if node.module is None else get_full_name_for_node_or_raise(node.module)
        prefix = "." * len(node.relative) + module
        return [
            (
                f"{prefix}.{a.evaluated_name}" if module else f"{prefix}{a.evaluated_name}",
                a.evaluated_name,
            )
            for a in node.names
        ]
    return []
