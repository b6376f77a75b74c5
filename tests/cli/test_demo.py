from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import compat_hub
from compat_hub.cli.main import main as cli
from compat_hub.tools.demo import demo
from tests.cli.processes import run_process


def test_demo_in_a_process_of_its_own() -> None:
    result = run_process("demo", PYTHONIOENCODING="ascii", COLUMNS="30")
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
    monkeypatch.setattr(demo, "run_demo", lambda report: passed)
    assert CliRunner().invoke(cli, ["demo"]).exit_code == status


def test_an_error_of_the_library_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(report: object) -> bool:
        raise compat_hub.ResolveError("The handle leads nowhere.")

    monkeypatch.setattr(demo, "run_demo", fail)
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == 1
    assert result.stderr == "Error: The handle leads nowhere.\n"


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    run = demo.run_demo
    monkeypatch.setattr(demo, "run_demo", lambda report: run(epochs=2, baskets=64, report=report))
    result = CliRunner().invoke(cli, ["demo", "--json"])
    report = json.loads(result.stdout)
    assert len(report["checks"]) == 8
    assert report["passed"] == all(check["passed"] for check in report["checks"])
    assert "Load a module in TF1 Hub format" in result.stderr
