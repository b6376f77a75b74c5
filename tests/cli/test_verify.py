from __future__ import annotations

import json
from pathlib import Path

import pytest
import tensorflow as tf
from click.testing import CliRunner, Result
from PIL import Image

import compat_hub
from compat_hub.cli.main import main
from tests.records import FIXTURES
from tests.tools.inspection import modules

PETS = str(FIXTURES / "pets" / "module")


def _run(*args: str) -> Result:
    return CliRunner().invoke(main, ["verify", *args], prog_name="compat-hub")


def test_changed_weights_are_a_failure(tmp_path: Path) -> None:
    module = compat_hub.load(PETS)
    module.variables[0].assign_add(tf.ones_like(module.variables[0]))
    changed = module.save(tmp_path / "changed")
    result = _run(PETS, "--against", changed)
    assert result.exit_code == 1
    assert result.stdout.endswith("FAIL\n")
    assert "FAILED  converted output" in result.stdout
    result = _run(PETS)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("PASS\n")


def test_given_inputs(tmp_path: Path) -> None:
    Path(tmp_path / "fruit.jsonl").write_text('{"apples": [1, 2, 3, 4], "oranges": [1, 2, 3]}\n')
    options = ["--signature", "fruit_to_pet", "--input", f"{tmp_path}/fruit.jsonl"]
    result = _run(PETS, *options, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert {check["signature"] for check in json.loads(result.stdout)["checks"]} == {"fruit_to_pet"}
    Image.new("RGB", (30, 20), (9, 99, 199)).save(tmp_path / "a.png")
    result = _run(str(FIXTURES / "image_bn" / "module"), "--input", f"images={tmp_path}/a.png")
    assert result.exit_code == 0
    assert "default" in result.stdout
    assert "image_feature_vector" not in result.stdout


def test_names_do_not_control_the_terminal(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = _run(modules.hostile_names(tmp_path / "module"))
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert modules.SCRIPT in result.stdout  # in one piece
    result = _run(str(tmp_path / "module"), "--signature", "\x1b[2J")
    assert "\x1b" not in result.stderr
    assert "no signature" in result.stderr


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["no/such"], "no/such"),
        ([PETS, "--against", "no/such"], "no SavedModel"),
        ([PETS, "--signature", "unknown"], "no signature 'unknown'"),
        ([PETS, "--input", "pears=1"], "There is no input"),
        ([PETS, "--input", "fruit=[[1]]"], "expected a row of float32 [None, 7]"),
        ([PETS, "--input", "fruit=no.npy"], "no file 'no.npy'"),
        ([PETS, "--signature", "a", "--signature", "b", "--input", "x=1"], "one --signature"),
    ],
    ids=range(7),
)
def test_bad_input(args: list[str], expected: str) -> None:
    result = _run(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert expected in result.stderr
