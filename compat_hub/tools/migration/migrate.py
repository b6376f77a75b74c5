"""`migrate`: what a program that uses tensorflow_hub has to change."""

from __future__ import annotations

import dataclasses
import difflib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from compat_hub.common.extras import install_command
from compat_hub.errors import HubError, ResolveError
from compat_hub.tools.migration.name_table import PACKAGE
from compat_hub.tools.migration.notebook import Notebook, NotebookError
from compat_hub.tools.migration.report import FileReport, MigrationReport

if TYPE_CHECKING:
    from compat_hub.tools.migration.uses import Program

# What a file that may have to change has in it.
_NAMES = (b"tensorflow", b"compat_hub", b"keras")
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages"})


def migrate(
    path: str | os.PathLike[str],
    *,
    write: bool = False,
    check: bool = False,
    progress: Callable[[str], None] | None = None,
) -> MigrationReport:
    r"""Reads a program and reports what it uses of tensorflow_hub, and what to write instead.

    Nothing of the program runs. Names are followed through imports, and variables that are assigned
    a `hub.Module`, and only that, within their scope. What is passed to functions or fetched by
    `getattr` is not followed.

    In a program of TensorFlow 1, one that uses names that TensorFlow 2 has no longer,
    `compat_hub.tf1` takes the place of TensorFlow, and what it uses of TensorFlow is looked up in
    the one that is installed: names that are gone are reported, with what to write.

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
            folders, virtual environments, and behind links that lead out of it. Files that import
            each other are one program.
        write: Whether to rewrite the imports of tensorflow_hub, those of TensorFlow in a program of
            TensorFlow 1, and names that are in another place now; nothing else.
        check: Whether to run the imports of the result in a process of their own.
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
    reports = _migrate_files(paths, write, check, progress or (lambda _: None))
    kept = tuple(r for r in reports if r.uses or r.error is not None or r.failing_import)
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


class _UnreadableError(Exception):
    """Why a program is none that can be read."""


@dataclasses.dataclass
class _Source:
    """A file, as it is and as a program of Python."""

    content: bytes
    module: Any = None
    notebook: Notebook | None = None
    error: str | None = None


def _migrate_files(
    paths: list[str], write: bool, check: bool, progress: Callable[[str], None]
) -> list[FileReport]:
    from compat_hub.tools.migration.imports import rewrite_imports  # noqa: PLC0415
    from compat_hub.tools.migration.program_files import find_programs  # noqa: PLC0415
    from compat_hub.tools.migration.uses import wrapped  # noqa: PLC0415

    sources = {}
    for path in paths:
        progress(path)
        sources[path] = _read(path)
    modules = {path: wrapped(s.module) for path, s in sources.items() if s.module is not None}
    programs = find_programs(modules)
    rewritten = {path: rewrite_imports(modules[path], p.is_tf1) for path, p in programs.items()}
    reports = [
        _report(path, source, modules.get(path), programs.get(path), rewritten.get(path), write)
        for path, source in sources.items()
    ]
    found = {report.path for report in reports if report.uses}
    results = {path: module for path, module in rewritten.items() if path in found}
    if not check or not results:
        return reports
    from compat_hub.tools.migration.check_imports import check_imports  # noqa: PLC0415

    failing = check_imports(results)
    return [dataclasses.replace(r, failing_import=failing.get(r.path)) for r in reports]


def _read(path: str) -> _Source:
    try:
        with open(path, "rb") as file:
            source = _Source(file.read())
    except OSError as error:
        return _Source(b"", error=f"It cannot be read: {error}")
    if not any(name in source.content for name in _NAMES):
        return source
    try:
        if path.endswith(".ipynb"):
            source.notebook = Notebook(source.content)
            source.module = _parsed_cells(source.notebook)
        else:
            source.module = _parsed(source.content)
    except (_UnreadableError, NotebookError) as error:
        # What has nothing to do with tensorflow_hub may be of any kind.
        source.error = str(error) if PACKAGE.encode() in source.content else None
    return source


def _report(
    path: str, source: _Source, module: Any, program: Program | None, rewritten: Any, write: bool
) -> FileReport:
    if program is None:
        return FileReport(path, error=source.error)
    from compat_hub.tools.migration.uses import find_uses  # noqa: PLC0415

    uses = find_uses(module, program)
    old, new = source.module.code, rewritten.code
    content = rewritten.bytes
    if source.notebook is not None:
        places = [source.notebook.place(use.line) for use in uses]
        uses = tuple(
            dataclasses.replace(use, cell=cell, line=line)
            for use, (cell, line) in zip(uses, places, strict=True)
        )
        content = source.notebook.with_code(new)
        if old != new:
            old, new = source.content.decode(), content.decode()
    lines = (text.splitlines(keepends=True) for text in (old, new))
    diff = "".join(difflib.unified_diff(*lines, fromfile=path, tofile=path))
    if not write or old == new:
        return FileReport(path, uses, diff=diff)
    try:
        _replace(path, content)
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


def _parsed_cells(notebook: Notebook) -> Any:
    try:
        return _parsed(notebook.code)
    except _UnreadableError as error:
        raise _UnreadableError(f"The cells together: {error}") from error


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
