from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import compat_hub
from compat_hub import cli, demo

ROOT = Path(__file__).parents[1]


def _run(*args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A process of its own with the command line, as from a shell."""
    hidden = {"TF_CPP_MIN_LOG_LEVEL", "NO_COLOR", "FORCE_COLOR"}
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    code = "from compat_hub.cli import main; main(prog_name='compat-hub')"
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        env={**env, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_demo_in_a_process_of_its_own() -> None:
    result = _run("demo", PYTHONIOENCODING="ascii", COLUMNS="30")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""  # none of the messages that TensorFlow logs
    assert result.stdout.isascii()
    assert "\x1b" not in result.stdout
    assert result.stdout.endswith("All checks passed.\n")
    assert "FAILED" not in result.stdout


@pytest.mark.parametrize(("passed", "status"), [(True, 0), (False, 1)])
def test_exit_status_of_the_demo(
    monkeypatch: pytest.MonkeyPatch, passed: bool, status: int
) -> None:
    monkeypatch.setattr(demo, "run_demo", lambda: passed)
    assert CliRunner().invoke(cli.main, ["demo"]).exit_code == status


def test_an_error_of_the_library_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> bool:
        raise compat_hub.ResolveError("The handle leads nowhere.")

    monkeypatch.setattr(demo, "run_demo", fail)
    result = CliRunner().invoke(cli.main, ["demo"])
    assert result.exit_code == 1
    assert result.stderr == "Error: The handle leads nowhere.\n"


def test_version_imports_no_tensorflow() -> None:
    code = "import sys; sys.argv[1:] = ['--version']; from compat_hub.cli import main\n"
    code += "try: main(prog_name='compat-hub')\n"
    code += "finally: assert not {'tensorflow', 'tf_keras', 'numpy'} & sys.modules.keys()"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (
        0,
        f"compat-hub {compat_hub.__version__}\n",
        "",
    )


@pytest.mark.parametrize("args", [["--help"], ["-h"], ["demo", "--help"]])
def test_help(args: list[str]) -> None:
    result = CliRunner().invoke(cli.main, args)
    assert result.exit_code == 0
    assert "sample module" in result.stdout


@pytest.mark.parametrize("args", [[], ["bogus"], ["demo", "extra"], ["demo", "--bogus"]])
def test_usage_errors(args: list[str]) -> None:
    result = CliRunner().invoke(cli.main, args)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
