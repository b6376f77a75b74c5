"""The command line as a whole: its help, usage errors, and what it imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import compat_hub
from compat_hub.cli.main import main
from tests.cli.processes import ROOT, run_process

_CONTEXT = click.Context(main, info_name="compat-hub")
_COMMANDS = main.list_commands(_CONTEXT)


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_starting_imports_no_tensorflow(option: str) -> None:
    heavy = {"tensorflow", "tf_keras", "numpy", "rich", "requests", "libcst", "compat_hub.sources"}
    code = f"import sys; sys.argv[1:] = ['{option}']; from compat_hub.cli.main import main\n"
    code += "try: main(prog_name='compat-hub')\n"
    code += f"finally: assert not {heavy} & sys.modules.keys()"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    if option == "--version":
        assert result.stdout == f"compat-hub {compat_hub.__version__}\n"


def test_help() -> None:
    result = CliRunner().invoke(main, ["-h"])
    assert result.exit_code == 0
    assert "legacy TF1 Hub format" in result.stdout
    assert all(f"\n  {name} " in result.stdout for name in _COMMANDS)


@pytest.mark.parametrize("name", _COMMANDS)
def test_help_of_each_command(name: str) -> None:
    command = main.get_command(_CONTEXT, name)
    assert command is not None
    assert command.name == name
    shown = " ".join(CliRunner().invoke(main, ["--help"]).stdout.split())
    first_line = (command.help or "").split("\n\n")[0].replace("\n", " ")
    assert f"{name} {first_line}" in shown
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert first_line in " ".join(result.stdout.split())


def test_no_arguments_are_answered_with_help() -> None:
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["bogus"], "No such command 'bogus'. See `compat-hub --help`."),
        (["--bogus"], "No such option '--bogus'. See `compat-hub --help`."),
        (["demo", "extra"], "unexpected extra argument (extra). See `compat-hub demo --help`."),
        (["convert"], "Missing argument 'HANDLE'. See `compat-hub convert --help`."),
        (["cache", "bogus"], "No such command 'bogus'. See `compat-hub cache --help`."),
        (["verify", "x", "--rtol", "a"], "'--rtol': 'a' is not a valid float. See"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage_errors(args: list[str], expected: str) -> None:
    result = CliRunner().invoke(main, args, prog_name="compat-hub")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert expected in result.stderr


def test_a_usage_error_in_a_process_of_its_own() -> None:
    result = run_process("bogus")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "Error: No such command 'bogus'. See `compat-hub --help`.\n"


def test_the_package_as_a_command() -> None:
    command = [sys.executable, "-m", "compat_hub", "--version"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout == f"compat-hub {compat_hub.__version__}\n"


@pytest.mark.parametrize(
    "command",
    [
        ("cache", "verify", "nowhere"),
        ("cache", "clear", "https://example.com/nothing"),
        ("demo", "nothing"),
        ("export-text-embedding", "nowhere.txt", "module"),
        ("verify", "nowhere"),
    ],
    ids=lambda command: "-".join(command[:2]).replace("/", "").replace(":", ""),
)
def test_bad_input_of_a_process(command: tuple[str, ...], tmp_path: Path) -> None:
    result = run_process(*command, TFHUB_CACHE_DIR=str(tmp_path / "cache"))
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")


def test_an_empty_cache_as_a_process(tmp_path: Path) -> None:
    result = run_process("cache", "list", TFHUB_CACHE_DIR=str(tmp_path / "cache"))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"0 modules, 0 bytes, in {tmp_path / 'cache'}\n"


@pytest.mark.parametrize("caught", [False, True])
def test_an_interrupt_ends_with_one_line(caught: bool) -> None:
    """Also one that is lost, as in TensorFlow's calls of Python."""
    code = f"""
import os, signal, click
from compat_hub.cli.lazy_group import LazyGroup

class Group(LazyGroup):
    def get_command(self, ctx, name):
        @click.command()
        def wait():
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                if not {caught}:
                    raise
        return wait

Group(package="", helps={{}})(["wait"])
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "\nInterrupted.\n")
