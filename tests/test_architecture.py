"""What of the order of the rooms import-linter does not check."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow as tf

from compat_hub.graphdef import private_attrs

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "compat_hub"
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
# The files that know names which TensorFlow or Keras does not publish.
_PRIVATE = re.compile(
    r"tf_private/\w+\.py|keras_layers/(keras3_private|other_keras|tf_keras_private)\.py"
)


_OTHERS = {"tensorflow", "keras", "tf_keras"}


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


def _names_of(kind: type) -> set[str]:
    """The attributes of a class, and those that its methods give to objects."""
    given: set[str] = set()
    for base in kind.__mro__:
        with contextlib.suppress(OSError, TypeError):  # of classes that are written in C++
            source = inspect.getsource(base)
            given |= set(re.findall(r"^ +self\.(\w+) = ", source, re.MULTILINE))
    return {name for name in given | set(dir(kind)) if not name.startswith("__")}


def _foreign_names() -> tuple[set[str], set[str]]:
    """Private names of TensorFlow's classes, and names that only its unpublished FuncGraph has."""
    from tensorflow.python.eager import context
    from tensorflow.python.feature_column import feature_column, feature_column_v2
    from tensorflow.python.framework import func_graph, ops
    from tensorflow.python.ops import resource_variable_ops
    from tensorflow.python.trackable import base, resource

    concrete = type(tf.function(lambda: None).get_concrete_function())
    kinds = [
        tf.Module,
        base.Trackable,
        resource.RestoredResource,
        func_graph.FuncGraph,
        tf.Operation,
        ops.EagerTensor,
        resource_variable_ops.ResourceVariable,
        concrete,
        feature_column._DenseColumn,
        feature_column_v2.DenseColumn,
        context.Context,
        tf.compat.v1.Session,
    ]
    private = {n for kind in kinds for n in _names_of(kind) if n.startswith("_")}
    unpublished = _names_of(func_graph.FuncGraph) - _names_of(tf.Graph) - _names_of(concrete)
    return private, {name for name in unpublished if not name.startswith("_")}


def _uses(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The attributes that are used, each with whose it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node.value), node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"getattr", "hasattr"}:
            whose, name = node.args[:2]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield ast.unparse(whose), name.value


def test_names_of_tensorflows_classes_are_used_in_the_same_files() -> None:
    private, unpublished = _foreign_names()
    assert {"control_outputs", "outer_graph", "capture"} <= unpublished
    for path in PACKAGE.rglob("*.py"):
        if _PRIVATE.fullmatch(_name(path)):
            continue
        for whose, name in _uses(ast.parse(path.read_text("utf-8"))):
            is_own = name not in private or whose in {"self", "cls"}
            assert is_own, f"{_name(path)}: {whose}.{name}"
            assert name not in unpublished, f"{_name(path)}: {whose}.{name}"


def test_hooks_of_other_packages_are_overridden_in_the_same_files() -> None:
    """A hook is a private name of TensorFlow's or Keras' class that a class derives from."""
    found = []
    for path in PACKAGE.glob("*/**/*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        if not names or _PRIVATE.fullmatch(_name(path)):
            continue
        module = ".".join(["compat_hub", *path.relative_to(PACKAGE).with_suffix("").parts])
        try:
            classes = [getattr(importlib.import_module(module), name) for name in names]
        except ImportError:  # of an extra that is not installed
            continue
        for made in classes:
            bases = [b for b in made.__mro__ if b.__module__.partition(".")[0] in _OTHERS]
            hooks = {n for b in bases for n in vars(b) if re.match("_[^_]", n)} - {"_abc_impl"}
            found += [f"{_name(path)}: {made.__name__}.{n}" for n in hooks & vars(made).keys()]
    assert not found


def test_attributes_that_tensorflow_does_not_document_have_names() -> None:
    """In graphdef/private_attrs.py; these strings are what TensorFlow calls them."""
    private = {v for k, v in vars(private_attrs).items() if k.isupper()}
    for path in PACKAGE.rglob("*.py"):
        if _name(path) == "graphdef/private_attrs.py" or _PRIVATE.fullmatch(_name(path)):
            continue
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        strings = {n.value for n in nodes if isinstance(n, ast.Constant)}
        assert not strings & private, _name(path)
