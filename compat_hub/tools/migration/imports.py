"""A program's imports rewritten, and names that are in another place now, all else as it is."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst
from libcst import metadata
from libcst.helpers import get_full_name_for_node

from compat_hub.tools.migration.name_table import CHANGE, PACKAGE, UNAVAILABLE, classify
from compat_hub.tools.migration.tensorflow_imports import path_of, rewrite
from compat_hub.tools.migration.tensorflow_names import look_up


def rewrite_imports(
    module: cst.Module | metadata.MetadataWrapper, is_tf1: bool = False
) -> cst.Module:
    """Imports compat_hub in the place of tensorflow_hub; what compat_hub does not have stays.

    Args:
        module: The program.
        is_tf1: Whether it is of TensorFlow 1: then `compat_hub.tf1` takes TensorFlow's place, and
            not only that of `tensorflow.compat.v1`.

    Returns:
        The program that was rewritten.
    """
    if isinstance(module, cst.Module):
        module = metadata.MetadataWrapper(module, unsafe_skip_copy=True)
    return module.visit(_Rewriter(is_tf1))


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
    METADATA_DEPENDENCIES = (metadata.QualifiedNameProvider,)

    def __init__(self, is_tf1: bool) -> None:
        super().__init__()
        self._is_tf1 = is_tf1
        self._depth = 0  # of functions and classes

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:  # noqa: N802
        self._depth += 1

    def leave_FunctionDef(  # noqa: N802
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef:
        self._depth -= 1
        return updated_node

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import:  # noqa: N802
        return rewritten_import(updated_node)

    def leave_ImportFrom(  # noqa: N802
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom:
        return rewritten_from(updated_node)

    def leave_SimpleStatementLine(  # noqa: N802
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine | cst.FlattenSentinel[cst.SimpleStatementLine]:
        """Puts what an import becomes into lines of their own, where it was alone in its line."""
        body = self._rewritten(updated_node.body)
        if body is None:
            return updated_node
        if len(updated_node.body) > 1:
            return updated_node.with_changes(body=_joined(body))
        lines = [cst.SimpleStatementLine([_alone(statement)]) for statement in body]
        first = lines[0].with_changes(
            leading_lines=updated_node.leading_lines,
            trailing_whitespace=updated_node.trailing_whitespace,
        )
        return cst.FlattenSentinel([first, *lines[1:]])

    def leave_SimpleStatementSuite(  # noqa: N802
        self, original_node: cst.SimpleStatementSuite, updated_node: cst.SimpleStatementSuite
    ) -> cst.SimpleStatementSuite:
        body = self._rewritten(updated_node.body)
        return updated_node if body is None else updated_node.with_changes(body=_joined(body))

    def _rewritten(
        self, body: Sequence[cst.BaseSmallStatement]
    ) -> list[cst.BaseSmallStatement] | None:
        """The statements of a line, None where they stay."""
        made: list[cst.BaseSmallStatement] = []
        has_changed = False
        for statement in body:
            rewritten = rewrite(statement, self._is_tf1)
            if rewritten is None:
                made.append(statement)
                continue
            has_changed = has_changed or rewritten.statements != [statement]
            made += rewritten.statements
            if not self._depth:
                made += [_behavior(name) for name in rewritten.of_tensorflow1]
        return made if has_changed else None

    def visit_Attribute(self, node: cst.Attribute) -> bool:  # noqa: N802
        return get_full_name_for_node(node) is None or not _is_dotted(node)

    def leave_Attribute(  # noqa: N802
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.BaseExpression:
        if not _is_dotted(original_node):
            return updated_node
        names = self.get_metadata(metadata.QualifiedNameProvider, original_node, set()) or set()
        for name in names:
            if name.source is metadata.QualifiedNameSource.IMPORT:
                return self._renamed(updated_node, name.name)
        return updated_node

    def _renamed(self, node: cst.Attribute, name: str) -> cst.BaseExpression:
        """A name of tensorflow_hub or TensorFlow that is in another place now."""
        code = get_full_name_for_node(node) or ""
        if name.startswith(f"{PACKAGE}."):
            path = name.removeprefix(f"{PACKAGE}.")
            status, public, _ = classify(path)
            rest = ".".join(path.split(".")[2:])
            if status == CHANGE and public is not None and code.endswith(f".{path}"):
                new = f"{public}.{rest}" if rest else public
                return cst.parse_expression(f"{code.removesuffix(path)}{new}")
        is_v1 = name.startswith(("compat_hub.tf1.", "tensorflow.compat.v1."))
        path = path_of(name) if self._is_tf1 or is_v1 else None
        if path and code.endswith(f".{path}"):
            moved = look_up(path).moved_to
            if moved is not None:
                return cst.parse_expression(f"{code.removesuffix(path)}{moved}")
        return node


def _is_dotted(node: cst.BaseExpression) -> bool:
    while isinstance(node, cst.Attribute):
        node = node.value
    return isinstance(node, cst.Name)


def _behavior(name: str) -> cst.BaseSmallStatement:
    return cst.Expr(cst.parse_expression(f"{name}.disable_v2_behavior()"))


def _alone(statement: cst.BaseSmallStatement) -> cst.BaseSmallStatement:
    return statement.with_changes(semicolon=cst.MaybeSentinel.DEFAULT)


def _joined(body: Sequence[cst.BaseSmallStatement]) -> list[cst.BaseSmallStatement]:
    semicolon = cst.Semicolon(whitespace_after=cst.SimpleWhitespace(" "))
    joined = [statement.with_changes(semicolon=semicolon) for statement in body[:-1]]
    return [*joined, _alone(body[-1])]
