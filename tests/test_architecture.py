"""docs/architecture.md lists every file, and the code keeps to the order of that list."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "compat_hub"
_USERS_OF_PRIVATE_NAMES = {"_tensorflow.py", "_inside_keras3.py", "_keras3.py", "_other_keras.py"}


def _listed_files() -> list[str]:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `([\w/]+\.py)` \|", text, re.MULTILINE)


def _imported_files(file: str) -> set[str]:
    """The files of the package that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse((PACKAGE / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    paths = {name.removeprefix("compat_hub.").replace(".", "/") for name in names}
    candidates = {f"{path}.py" for path in paths} | {f"{path}/__init__.py" for path in paths}
    return {path for path in candidates if (PACKAGE / path).exists()}


def test_every_file_is_listed_once() -> None:
    files = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    assert sorted(_listed_files()) == sorted(files)


def test_files_use_only_those_above() -> None:
    above: set[str] = set()
    for file in _listed_files():
        if file != "__init__.py":  # it knows where the public names live, and imports them lazily
            assert _imported_files(file) - above == set(), file
        above.add(file)


def test_graph_passes_leave_the_runtime_alone() -> None:
    for path in PACKAGE.glob("graph/*.py"):
        imports = re.findall(
            r"^\s*(?:from|import) (tensorflow\S*)", path.read_text("utf-8"), re.MULTILINE
        )
        assert all(name.startswith("tensorflow.core.") for name in imports), path.name


def test_private_names_are_in_few_files() -> None:
    private = re.compile(r"tensorflow\.python|tf\.python|tf_keras\.src|keras\.src")
    users = {p.name for p in PACKAGE.rglob("*.py") if private.search(p.read_text(encoding="utf-8"))}
    assert users == _USERS_OF_PRIVATE_NAMES


def test_private_attributes_are_in_the_same_files() -> None:
    """An attribute with an underscore that nothing in the package defines is another's."""
    own: set[str] = set()
    used: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        own.add(path.stem)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                own.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                own.add(node.id)
            elif isinstance(node, ast.Attribute) and node.attr.startswith("_"):
                if isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
                    own.add(node.attr)
                used.setdefault(node.attr, set()).add(path.name)
    foreign = {name: files for name, files in used.items() if name not in own}
    for name, files in foreign.items():
        assert name.startswith("__") or files <= _USERS_OF_PRIVATE_NAMES, name
