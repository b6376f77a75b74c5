"""The imports of tensorflow_hub rewritten, with all else as it is."""

from __future__ import annotations

import libcst as cst
from libcst.helpers import get_full_name_for_node

from compat_hub.tools.migration.name_table import PACKAGE, UNAVAILABLE, classify


def rewrite_imports(module: cst.Module) -> cst.Module:
    """Imports compat_hub in the place of tensorflow_hub; what compat_hub does not have stays."""
    return module.visit(_Rewriter())


def rewritten_import(node: cst.Import) -> cst.Import:
    """An import, of compat_hub where it was of tensorflow_hub."""
    names = [_rewritten_alias(alias) for alias in node.names]
    return node.with_changes(names=names)


def rewritten_from(node: cst.ImportFrom) -> cst.ImportFrom:
    """The same for `from tensorflow_hub import ...`."""
    source = source_of(node)
    if source is None or any(status == UNAVAILABLE for status in statuses(node).values()):
        return node
    if isinstance(node.names, cst.ImportStar) and source != PACKAGE:
        return node
    return node.with_changes(module=cst.Name("compat_hub"))


def source_of(node: cst.ImportFrom) -> str | None:
    """What a `from` imports from, where that is tensorflow_hub or a part of it."""
    if node.relative or node.module is None:
        return None
    name = get_full_name_for_node(node.module) or ""
    return name if name == PACKAGE or name.startswith(f"{PACKAGE}.") else None


def statuses(node: cst.ImportFrom) -> dict[str, str]:
    """The status of each name that a `from` imports, by its path in tensorflow_hub."""
    prefix = (source_of(node) or "").removeprefix(PACKAGE).removeprefix(".")
    if isinstance(node.names, cst.ImportStar):
        return {prefix: UNAVAILABLE} if prefix else {}
    paths = [f"{prefix}.{alias.evaluated_name}".removeprefix(".") for alias in node.names]
    return {path: classify(path)[0] for path in paths}


def _rewritten_alias(alias: cst.ImportAlias) -> cst.ImportAlias:
    if alias.evaluated_name != PACKAGE:
        return alias
    if alias.asname is not None:
        return alias.with_changes(name=cst.Name("compat_hub"))
    name = cst.AsName(cst.Name(PACKAGE))
    return alias.with_changes(name=cst.Name("compat_hub"), asname=name)


class _Rewriter(cst.CSTTransformer):
    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import:  # noqa: N802
        return rewritten_import(updated_node)

    def leave_ImportFrom(  # noqa: N802
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom:
        return rewritten_from(updated_node)
