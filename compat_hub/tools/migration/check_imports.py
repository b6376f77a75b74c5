"""The imports of a program, run in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import libcst as cst
from libcst import metadata

from compat_hub.tools.migration.tensorflow_imports import bound_names

_LIMIT = 600
_CODE = """
import json, sys
found = {}
for path, folder, statements in json.load(sys.stdin):
    sys.path[0] = folder
    names = {}
    for line, code in statements:
        try:
            exec(code, names)
        except BaseException as error:
            found[path] = f"Line {line}: {code}: {type(error).__name__}: {error}"
            break
print("\\n" + json.dumps(found))
"""


def check_imports(modules: Mapping[str, cst.Module]) -> dict[str, str]:
    """Runs the imports at the top of files, but those of other files of the program.

    Args:
        modules: The files, by path.

    Returns:
        For each file with an import that fails the first one: its line, and what it says.
    """
    own = {os.path.splitext(os.path.basename(path))[0] for path in modules}
    own |= {os.path.basename(os.path.dirname(os.path.abspath(path))) for path in modules}
    given = []
    for path, module in modules.items():
        folder = os.path.dirname(os.path.abspath(path))
        given.append((path, folder, _imports(module, own, folder)))
    command = [sys.executable, "-c", _CODE]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        return json.loads(done.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        path = next(iter(modules))
        return {path: f"The process that ran the imports did not end as it should: {error!r}"}


def _is_own(name: str, own: set[str], folder: str) -> bool:
    """Whether a name is of the program itself, whose code is not run."""
    first = name.partition(".")[0]
    beside = os.path.join(folder, first)
    return not first or first in own or os.path.isdir(beside) or os.path.exists(f"{beside}.py")


def _imports(module: cst.Module, own: set[str], folder: str) -> list[tuple[int, str]]:
    wrapper = metadata.MetadataWrapper(module, unsafe_skip_copy=True)
    positions = wrapper.resolve(metadata.PositionProvider)
    found = []
    for line in module.body:
        for node in getattr(line, "body", ()) if isinstance(line, cst.SimpleStatementLine) else ():
            names = [name for name, _ in bound_names(node)]
            is_star = isinstance(node, cst.ImportFrom) and isinstance(node.names, cst.ImportStar)
            is_own = any(_is_own(name, own, folder) for name in names)
            if (names or is_star) and not is_own:
                bare = node.with_changes(semicolon=cst.MaybeSentinel.DEFAULT)
                found.append((positions[node].start.line, cst.Module([]).code_for_node(bare)))
    return found
