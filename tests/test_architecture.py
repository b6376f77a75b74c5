"""What of the order of the rooms import-linter does not check."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "compat_hub"
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
# The files that know names which TensorFlow or Keras does not publish.
_PRIVATE = re.compile(
    r"tf_private/\w+\.py|keras_layers/(keras3_private|other_keras|tf_keras_private)\.py"
)


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_there_are_thirteen_rooms_at_most() -> None:
    assert len(ROOMS) <= 13


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_may_import(room: str) -> None:
    doc = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text("utf-8")))
    assert doc is not None
    assert "\nMay import: " in doc


def test_files_at_the_top_only_name_what_is_in_the_rooms() -> None:
    for path in PACKAGE.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        defined = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        assert path.name in {"__init__.py", "errors.py"} or not defined, path.name


def test_graphdef_leaves_the_runtime_alone() -> None:
    for path in PACKAGE.glob("graphdef/**/*.py"):
        imports = re.findall(
            r"^\s*(?:from|import) (tensorflow\S*)", path.read_text("utf-8"), re.MULTILINE
        )
        assert all(name.startswith("tensorflow.core.") for name in imports), _name(path)


def test_private_modules_are_imported_in_few_files() -> None:
    private = re.compile(r"tensorflow\.python|tf\.python|tf_keras\.src|keras\.src")
    for path in PACKAGE.rglob("*.py"):
        found = private.search(path.read_text("utf-8"))
        assert not found or _PRIVATE.fullmatch(_name(path)), _name(path)


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
                used.setdefault(node.attr, set()).add(_name(path))
    foreign = {name: files for name, files in used.items() if name not in own}
    for name, files in foreign.items():
        assert name.startswith("__") or all(map(_PRIVATE.fullmatch, files)), name
