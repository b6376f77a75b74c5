"""The docstrings of public names: their examples run, and no section is missing.

The examples run in a folder with modules at `path/to/...`, and know the names `compat_hub`, `np`
and `tf`: docs/reference/load.md says so.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import shutil
import tarfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.format.signature_info import SignatureInfo
from tests.records import FIXTURES
from tests.tools.inspection.modules import reading_files

# Public names that are reached through another one, or made by one.
_FURTHER = [
    "tools.verification.verify.VerificationReport",
    "beam.HubModelHandler",
    "common_signatures.CommonSignatureWarning",
    "common_signatures.check",
    "common_signatures.matching",
    "keras2.KerasLayer",
    "samples.sample_path",
    "text_embedding.export",
    "v1.exporter.ExportableEstimator",
]
# It takes a Keras on another backend, which this process does not have.
_WITHOUT_EXAMPLE = {"BackendError"}
_MODULES = {"module": "pets", "text_module": "text_table", "image_module": "image_bn"}
_OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def _find(name: str) -> Any:
    if name in compat_hub.__all__:
        return getattr(compat_hub, name)
    file, _, last = name.rpartition(".")
    return getattr(importlib.import_module(f"compat_hub.{file}"), last)


def _members() -> Iterator[tuple[str, Any]]:
    """The public names, and those of the classes among them."""
    for name in [*compat_hub.__all__, *_FURTHER]:
        found = _find(name)
        yield name, found
        if inspect.isclass(found) and not issubclass(found, Exception):
            parts = [vars(kind) for kind in found.__mro__ if kind is found or kind is SignatureInfo]
            for key, value in {**parts[-1], **parts[0]}.items():
                ours = key == "__call__" or not key.startswith("_")
                if ours and (inspect.isfunction(value) or isinstance(value, property)):
                    yield f"{name}.{key}", value


MEMBERS = dict(_members())


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "path/to"
    for name, fixture in _MODULES.items():
        shutil.copytree(FIXTURES / fixture / "module", folder / name)
    with tarfile.open(folder / "module.tar.gz", "w:gz") as archive:
        archive.add(folder / "module", ".")
    reading_files(folder / "module_that_reads_files")
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("modules")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Savers and the like, in examples
@pytest.mark.parametrize("name", [n for n, o in MEMBERS.items() if ">>>" in (o.__doc__ or "")])
def test_examples(name: str) -> None:
    if name.startswith("beam."):
        pytest.importorskip("apache_beam")
    if name == "migrate":
        pytest.importorskip("libcst")
    names = {"compat_hub": compat_hub, "np": np, "tf": tf}
    docstring = inspect.getdoc(MEMBERS[name]) or ""
    test = doctest.DocTestParser().get_doctest(docstring, names, name, None, 0)
    printed: list[str] = []
    runner = doctest.DocTestRunner(optionflags=_OPTIONS)
    runner.run(test, out=printed.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(printed)


@pytest.mark.parametrize("name", sorted({*compat_hub.__all__, *_FURTHER} - _WITHOUT_EXAMPLE))
def test_every_public_name_has_an_example(name: str) -> None:
    docstring = inspect.getdoc(_find(name)) or ""
    assert "\nExamples:\n    >>> " in docstring


@pytest.mark.parametrize("name", [n for n, o in MEMBERS.items() if inspect.isfunction(o)])
def test_no_section_is_missing(name: str) -> None:
    function = inspect.unwrap(MEMBERS[name])
    docstring = inspect.getdoc(function) or ""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    sections = _sections(docstring)
    arguments = [*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs]
    takes = {a.arg for a in arguments} - {"self", "_sentinel"}
    takes |= {f"*{a.arg}" for a in [tree.args.vararg] if a}
    takes |= {f"**{a.arg}" for a in [tree.args.kwarg] if a}
    for argument in takes:
        assert f"\n{argument}: " in f"\n{sections.get('Args', '')}", argument
    gives = not (isinstance(tree.returns, ast.Constant) and tree.returns.value is None)
    # What is one sentence and takes nothing says what it gives: "The tags of each variant."
    if gives and (takes or "\n" in docstring):
        assert sections.keys() & {"Returns", "Yields"}
    for error in _raised(tree):
        assert f"\n{error}: " in f"\n{sections.get('Raises', '')}", error


@pytest.mark.parametrize("name", [n for n, o in MEMBERS.items() if inspect.isclass(o)])
def test_classes_say_what_they_are_made_of(name: str) -> None:
    made = MEMBERS[name]
    assert made.__doc__
    if "__init__" in vars(made) and not issubclass(made, Exception) and name in compat_hub.__all__:
        assert _sections(inspect.getdoc(made) or "").keys() & {"Args", "Attributes", "Examples"}


def _sections(docstring: str) -> dict[str, str]:
    """The indented text of each section, by its title."""
    sections: dict[str, list[str]] = {}
    title = ""
    for line in docstring.splitlines():
        if line.endswith(":") and line[:-1].isalpha():
            title = line[:-1]
        elif line.startswith("    ") and title:
            sections.setdefault(title, []).append(line[4:])
        elif line:
            title = ""
    return {name: "\n".join(lines) for name, lines in sections.items()}


def _raised(function: ast.FunctionDef) -> set[str]:
    """The errors that the function itself raises."""
    calls = [n.exc for n in ast.walk(function) if isinstance(n, ast.Raise)]
    return {c.func.id for c in calls if isinstance(c, ast.Call) and isinstance(c.func, ast.Name)}
