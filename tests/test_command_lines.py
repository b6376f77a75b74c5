"""Every command line of the README and of docs/ runs, and prints what the page says."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import compat_hub
from compat_hub.cli.main import main
from compat_hub.samples import sample_path
from compat_hub.sources import cache_layout
from tests.examples import blocks_of

ROOT = Path(__file__).parents[1]
_PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# As in 0.0e+00, and numbers of which the last digit may differ.
_DIGITS = re.compile(r"\d\.\de[+-]\d\d|-?\d+\.\d{3,}")


def _blocks(*languages: str) -> dict[str, str]:
    """The fenced blocks in these languages, by their first line and the page."""
    found = {}
    for page in _PAGES:
        for language, content in blocks_of(page):
            if language in languages:
                found[f"{content.partition(chr(10))[0]} of {page.name}"] = content
    return found


def test_every_command_line_is_in_a_block_that_is_run() -> None:
    languages = {language for page in _PAGES for language, _ in blocks_of(page)}
    assert not languages & {"sh", "shell", "zsh", "powershell", "bat", "terminal"}


# Sessions ----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "88")
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def _fill_cache(handle: str) -> None:
    place = cache_layout.module_directory(os.environ["TFHUB_CACHE_DIR"], handle)
    shutil.copytree(sample_path("pets"), place)
    Path(cache_layout.descriptor_file(place)).write_text(cache_layout.descriptor(handle))


@pytest.mark.parametrize("session", _blocks("console").values(), ids=_blocks("console").keys())
def test_sessions(session: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for handle in set(re.findall(r"https://tfhub\.dev/\S+", session)):
        _fill_cache(handle)
    # A program that a session starts, and does not show.
    Path("train.py").write_text(f"import compat_hub\ncompat_hub.resolve({sample_path('pets')!r})\n")
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        module = re.sub(r"path/to/(pets|module)\b", sample_path("pets"), command)
        words = shlex.split(module.replace("path/to/", ""))
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            monkeypatch.setenv(name, value)
        program, *args = words
        if program == "cat":  # the file is what it is said to print
            Path(args[0]).write_text(expected, encoding="utf-8")
            continue
        if program == "python":
            runpy.run_path(args[0])
            continue
        assert program == "compat-hub"
        result = CliRunner().invoke(main, args)
        assert result.exit_code == 0, result.output
        printed = result.stdout.replace(sample_path("pets"), "path/to/pets")
        if expected:
            _compare(printed.replace(str(folder), "path/to"), expected)


def _without_versions(text: str) -> list[str]:
    return re.sub(r"TensorFlow 2\.\d+\.\d+", "TensorFlow 2", text).split()


def _compare(printed: str, expected: str) -> None:
    """Other versions of TensorFlow round differently; lines of three dots are left out."""
    found = _without_versions(_DIGITS.sub("#", printed))
    for part in re.split(r"^\.\.\.$", expected, flags=re.MULTILINE):
        words = _without_versions(_DIGITS.sub("#", part))
        starts = range(len(found) - len(words) + 1)
        start = next((k for k in starts if found[k : k + len(words)] == words), None)
        assert start is not None, part
        found = found[start + len(words) :]


# Commands whose output a page does not show ------------------------------------------------------


def _run_where_it_is_installed(script: str) -> None:
    """Runs what reads the SavedModel `pets`, which the page's examples have written."""
    module = re.match(r"python -m (\w+)", script)
    if module is not None and importlib.util.find_spec(module[1]) is None:
        pytest.skip(f"{module[1]} is not installed")
    compat_hub.load(sample_path("pets")).save("pets")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    if "saved_model_cli run" in script:
        assert {"cats", "dogs"} <= set(re.findall(r"Result for output key (\w+)", result.stdout))


def _check_extras(script: str) -> None:
    """What is to be installed is there; installing is not for a test."""
    known = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.M)
    for extra in re.findall(r"\[([\w,]+)\]", script):
        assert set(extra.split(",")) <= set(known)


_RUNNERS = {
    "saved_model_cli": _run_where_it_is_installed,
    "python -m tf2onnx": _run_where_it_is_installed,
    "pip install": _check_extras,
    # .ci/run runs these two, and tests/sources/test_digests.py the last.
    "python3 -m venv": _check_extras,
    ".venv/bin/pip": _check_extras,
    "find .": _check_extras,
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("script", _blocks("bash").values(), ids=_blocks("bash").keys())
def test_commands(script: str) -> None:
    runners = [run for start, run in _RUNNERS.items() if script.startswith(start)]
    assert runners, f"_RUNNERS has none for {script!r}"
    runners[0](script)


@pytest.mark.parametrize("word", ["compat-hub demo", "pytest"])
def test_ci_finds_its_commands(word: str) -> None:
    """.ci/run runs the one command with this word."""
    commands = [c for name, c in _blocks("bash").items() if name.endswith("README.md")]
    assert [word in command for command in commands].count(True) == 1
