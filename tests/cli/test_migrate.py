from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from compat_hub.cli.main import main
from tests.cli.processes import run_process

_PROGRAM = "import tensorflow_hub as hub\nm = hub.Module(path, tags={'train'})\ny = m(x)\n"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text(_PROGRAM)


def _run(*args: str) -> Result:
    return CliRunner().invoke(main, ["migrate", *args], prog_name="compat-hub")


def test_in_a_process_of_its_own() -> None:
    result = run_process("migrate", "a.py")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "a.py",
        "  1:1  change       import tensorflow_hub as hub",
        "      write   import compat_hub as hub",
        "  2:5  unchanged    hub.Module(path, tags={'train'})",
        "      in TF2  hub.load(path)",
        "      Its calls take training=True.",
        "  3:5  unchanged    m(x)",
        "      in TF2  m(x, training=True)",
        "1 file read, 3 uses: 2 unchanged, 1 change",
    ]
    Path("b.py").write_text("import tensorflow_hub as\n")
    result = run_process("migrate", ".", "--write")
    assert result.returncode == 2
    assert result.stderr.startswith("Error: './b.py': Line 1, column ")
    assert result.stderr.count("\n") == 1
    assert "The imports were rewritten." in result.stdout
    assert Path("a.py").read_text() == _PROGRAM.replace("tensorflow_hub", "compat_hub")


def test_json_and_diff() -> None:
    report = json.loads(_run("a.py", "--json").stdout)
    assert (report["passed"], len(report["files"][0]["uses"])) == (True, 3)
    result = _run("a.py", "--diff")
    assert result.stdout.startswith("--- a.py\n+++ a.py\n@@ ")
    assert Path("a.py").read_text() == _PROGRAM


def test_what_compat_hub_does_not_have() -> None:
    Path("a.py").write_text(_PROGRAM + "hub.registry.resolver\n")
    result = _run("a.py")
    assert (result.exit_code, result.stderr) == (1, "")
    assert "4:1  unavailable  hub.registry.resolver" in result.stdout


@pytest.mark.parametrize(("args", "expected"), [(["no.py"], "no file or folder"), ([], "PATH")])
def test_bad_input(args: list[str], expected: str) -> None:
    result = _run(*args)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert expected in result.stderr
