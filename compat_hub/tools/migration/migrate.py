"""`migrate`: what a program that uses tensorflow_hub has to change."""

from __future__ import annotations

import difflib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from compat_hub.common.extras import install_command
from compat_hub.errors import HubError, ResolveError
from compat_hub.tools.migration.name_table import PACKAGE
from compat_hub.tools.migration.report import FileReport, MigrationReport, Use

_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages"})


def migrate(
    path: str | os.PathLike[str],
    *,
    write: bool = False,
    progress: Callable[[str], None] | None = None,
) -> MigrationReport:
    r"""Reads a program and reports what it uses of tensorflow_hub, and what to write instead.

    Nothing of the program runs. Names are followed through imports, and variables that are assigned
    a `hub.Module`, and only that, within their scope. What is passed to functions or fetched by
    `getattr` is not followed.

    Examples:
        >>> with open("train.py", "w") as file:
        ...     _ = file.write("import tensorflow_hub as hub\nm = hub.Module('path/to/module')\n")
        >>> report = compat_hub.migrate("train.py")
        >>> for use in report.files[0].uses:
        ...     print(use.line, use.status, use.old)
        1 change import tensorflow_hub as hub
        2 unchanged hub.Module('path/to/module')
        >>> report.files[0].uses[1].tf2
        "hub.load('path/to/module')"

    Args:
        path: A `.py` or `.ipynb` file, or a folder: all of these files in it, except in hidden
            folders, virtual environments, and behind links that lead out of it.
        write: Whether to rewrite imports of tensorflow_hub in `.py` files, and nothing else.
        progress: Called with each file's path before it is read.

    Returns:
        The `MigrationReport`. A file that cannot be read or written has an `error`.

    Raises:
        ResolveError: There is no such file or folder.
        HubError: libcst is not installed.
    """
    path = os.fspath(path)
    try:
        import libcst  # noqa: F401, PLC0415
    except ImportError as error:
        raise HubError(f"This needs libcst: {install_command('migrate')}") from error
    if not os.path.exists(path):
        raise ResolveError(f"There is no file or folder {path!r}. Check the path.")
    paths = list(_programs(path)) if os.path.isdir(path) else [path]
    if not os.path.isdir(path) and not path.endswith((".py", ".ipynb")):
        raise ResolveError(f"{path!r} is no program: its name ends in neither .py nor .ipynb.")
    reports = []
    for file in paths:
        if progress is not None:
            progress(file)
        reports.append(_migrate_file(file, write))
    kept = tuple(report for report in reports if report.uses or report.error is not None)
    return MigrationReport(path, kept, len(reports))


def _programs(folder: str) -> Iterator[str]:
    root = os.path.realpath(folder)
    seen = set()
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _SKIPPED_FOLDERS
            and not os.path.exists(os.path.join(parent, name, "pyvenv.cfg"))
        )
        for name in sorted(files):
            path = os.path.join(parent, name)
            real = os.path.realpath(path)
            inside = real.startswith(os.path.join(root, ""))
            if name.endswith((".py", ".ipynb")) and inside and real not in seen:
                seen.add(real)
                yield path


def _migrate_file(path: str, write: bool) -> FileReport:
    try:
        with open(path, "rb") as file:
            content = file.read()
        if PACKAGE.encode() not in content:
            return FileReport(path)
        if path.endswith(".ipynb"):
            return FileReport(path, _notebook_uses(content))
        return _migrate_program(path, content, write)
    except OSError as error:
        return FileReport(path, error=f"It cannot be read: {error}")
    except _UnreadableError as error:
        return FileReport(path, error=str(error))


class _UnreadableError(Exception):
    """Why a program is none that can be read."""


def _migrate_program(path: str, content: bytes, write: bool) -> FileReport:
    from compat_hub.tools.migration.imports import rewrite_imports  # noqa: PLC0415
    from compat_hub.tools.migration.uses import find_uses  # noqa: PLC0415

    module = _parsed(content)
    uses = find_uses(module)
    rewritten = rewrite_imports(module)
    old, new = module.code, rewritten.code
    lines = (text.splitlines(keepends=True) for text in (old, new))
    diff = "".join(difflib.unified_diff(*lines, fromfile=path, tofile=path))
    if not write or old == new:
        return FileReport(path, uses, diff=diff)
    try:
        _replace(path, rewritten.bytes)
    except OSError as error:
        return FileReport(path, uses, f"It cannot be written: {error}", diff)
    return FileReport(path, uses, diff=diff, written=True)


def _parsed(content: bytes | str) -> Any:
    import libcst  # noqa: PLC0415

    try:
        return libcst.parse_module(content)
    except libcst.ParserSyntaxError as error:
        raise _UnreadableError(
            f"Line {error.raw_line}, column {error.raw_column + 1}: this is no program of "
            f"Python 3: {error.message}"
        ) from error
    except (SyntaxError, ValueError, LookupError, RecursionError) as error:
        raise _UnreadableError(f"This is no program of Python 3: {error}") from error


def _notebook_uses(content: bytes) -> tuple[Use, ...]:
    """The uses in a notebook's cells of code, which see each other's names."""
    import dataclasses  # noqa: PLC0415

    from compat_hub.tools.migration.uses import find_uses  # noqa: PLC0415

    try:
        cells = json.loads(content)["cells"]
        sources = [
            (number, "".join(cell["source"]).splitlines())
            for number, cell in enumerate(cells, 1)
            if cell["cell_type"] == "code"
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _UnreadableError(f"This is no notebook of version 4: {error!r}") from error
    lines: list[str] = []
    places: list[tuple[int, int]] = []
    for number, source in sources:
        if not source or source[0].startswith("%%"):
            continue
        for k, line in enumerate(source, 1):
            text = line.lstrip()
            is_magic = text.startswith(("%", "!", "?"))
            lines.append(line[: len(line) - len(text)] + "pass" if is_magic else line)
            places.append((number, k))
    try:
        uses = find_uses(_parsed("\n".join([*lines, ""])))
    except _UnreadableError as error:
        raise _UnreadableError(f"The cells together: {error}") from error
    return tuple(
        dataclasses.replace(use, cell=places[use.line - 1][0], line=places[use.line - 1][1])
        for use in uses
    )


def _replace(path: str, content: bytes) -> None:
    """Writes a file anew, whole or not at all."""
    target = os.path.realpath(path)
    if not os.access(target, os.W_OK):
        raise PermissionError(f"{target!r} is write-protected")
    descriptor, temporary = tempfile.mkstemp(prefix=".migrate-", dir=os.path.dirname(target))
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
