from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from compat_hub.cli.main import main
from tests.cli.processes import run_process
from tests.tools.inspection import modules


def test_in_a_process_of_its_own(fixture_path) -> None:
    result = run_process("inspect", fixture_path("pets"), PYTHONIOENCODING="ascii", COLUMNS="80")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.isascii()
    assert "\x1b" not in result.stdout
    assert "  yes  train  Through 'fruit_to_pet' of the variant {\"train\"}, all 8" in result.stdout
    assert max(map(len, result.stdout.splitlines()[2:])) <= 80


def test_bad_input_in_a_process_of_its_own(tmp_path: Path) -> None:
    result = run_process("inspect", str(tmp_path))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1


def _run(*args: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["inspect", *args], prog_name="compat-hub")
    return result.exit_code, result.stdout, result.stderr


def test_json(fixture_path) -> None:
    status, output, _ = _run(fixture_path("pets"), "--json", "--weights")
    found = json.loads(output)
    assert status == 0
    assert found["passed"]
    assert found["format"] == "TF1 Hub format"
    assert {w["name"] for w in found["weights"]} == {v["name"] for v in found["variables"]}


def test_weights_are_read_when_asked_for(fixture_path) -> None:
    assert "moving_mean  " in _run(fixture_path("pets"), "--weights")[1].partition("Weights\n")[2]
    assert "Weights\n" not in _run(fixture_path("pets"))[1]


def test_long_lists_are_cut(tmp_path: Path) -> None:
    path = modules.large(tmp_path / "module", 60)
    status, output, _ = _run(path)
    assert status == 0
    assert "(--all shows them)" in output
    assert "layer_59" not in output
    assert "layer_59" in _run(path, "--all")[1]
    assert "(--all shows them)" not in _run(path, "--all")[1]


def test_names_do_not_control_the_terminal(tmp_path: Path) -> None:
    status, output, _ = _run(modules.hostile_names(tmp_path / "module"))
    assert status == 0
    assert "\x1b" not in output
    assert "\\x1b[2J{0}" in output


def test_what_does_not_work_is_status_1(tmp_path: Path) -> None:
    status, output, _ = _run(modules.reading_files(tmp_path / "module"))
    assert status == 1
    assert re.search(r"^  no +load +load\(\) refuses", output, re.MULTILINE)


def test_files_for_a_browser(fixture_path, tmp_path: Path) -> None:
    page, logs = str(tmp_path / "page.html"), str(tmp_path / "logs")
    assert _run(fixture_path("pets"), "--html", page, "--tensorboard", logs)[0] == 0
    assert {p.name for p in tmp_path.iterdir()} == {"page.html", "logs"}
    assert {p.name for p in (tmp_path / "logs").iterdir()} == {"inference", "train"}


@pytest.mark.parametrize("option", ["--html", "--tensorboard"])
def test_a_file_that_cannot_be_written(option: str, fixture_path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    target = str(tmp_path / "file" / "x")
    status, _, error = _run(fixture_path("pets"), option, target)
    assert status == 2
    assert error.count("\n") == 1
    assert target in error
