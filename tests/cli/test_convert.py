"""The commands that prove and make a conversion, as a shell runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tensorflow as tf
from click.testing import CliRunner

import compat_hub
from compat_hub.cli.main import main
from tests.authoring import write_module
from tests.cli.processes import run_process
from tests.records import FIXTURES, Record, assert_close

FRUIT = str(FIXTURES / "fruit" / "module")


def test_convert_and_verify(tmp_path: Path) -> None:
    path = str(tmp_path / "converted")
    result = run_process("convert", FRUIT, path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"Wrote the SavedModel {path}\n"
    own = compat_hub.load_module_spec(FRUIT).get_signature_names()
    assert sorted(tf.saved_model.load(path).signatures) == sorted([*own, "serving_default"])
    result = run_process("verify", FRUIT, "--against", path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "converted output" in result.stdout
    assert result.stdout.endswith("PASS\n")
    again = run_process("convert", FRUIT, path)
    assert again.returncode == 2
    assert again.stderr.startswith("Error: There is already something")
    assert again.stderr.count("\n") == 1


def test_a_check_that_fails(tmp_path: Path) -> None:
    result = run_process("verify", FRUIT, "--rtol", "0", "--atol", "-1", "--json")
    assert result.returncode == 1
    report = json.loads(result.stdout)
    assert not report["passed"]
    assert {"kind", "name", "max_error", "limit", "passed"} <= report["checks"][0].keys()


def test_modules_that_touch_the_host(tmp_path: Path) -> None:
    def build() -> Any:
        x = tf.compat.v1.placeholder(tf.string, [])
        return {"default": ({"x": x}, {"default": tf.io.read_file(tf.constant("/dev/null")) + x})}

    module, path = write_module(tmp_path / "module", none=build), str(tmp_path / "x")
    result = run_process("verify", module)
    assert result.returncode == 2
    assert "'ReadFile'" in result.stderr
    result = run_process("convert", "--allow-host-access", module, path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "default" in tf.saved_model.load(path).signatures


def test_bad_input(tmp_path: Path) -> None:
    for command in (["verify", "no/such"], ["convert", "no/such", str(tmp_path / "x")]):
        result = run_process(*command)
        assert result.returncode == 2
        assert "no/such" in result.stderr
        assert result.stderr.count("\n") == 1
    result = run_process("convert", FRUIT, str(tmp_path / "x"), "--signature", "unknown")
    assert result.returncode == 2
    assert "unknown" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_json(tmp_path: Path) -> None:
    path = str(tmp_path / "converted")
    result = CliRunner().invoke(main, ["convert", FRUIT, path, "--json"])
    expected = {"handle": FRUIT, "path": path, "signatures": None}
    assert (result.exit_code, json.loads(result.stdout)) == (0, expected)


def test_a_variant(tmp_path: Path) -> None:
    module = str(FIXTURES / "train_only_tags" / "module")
    result = run_process("convert", module, str(tmp_path / "x"))
    assert result.returncode == 2
    assert "--tags" in result.stderr
    path = str(tmp_path / "serve")
    result = run_process("convert", module, path, "--tags", "serve")
    assert (result.returncode, result.stderr) == (0, "")
    record = Record(FIXTURES / "train_only_tags")
    (inputs,) = record.inputs("default").values()
    found = tf.saved_model.load(path)(tf.constant(inputs))
    assert_close(found, record.outputs(["serve"], "default")["default"], 1e-5, "default")


def test_what_is_left_out(tmp_path: Path) -> None:
    module = str(FIXTURES / "incomplete" / "aux_head" / "module")
    path = str(tmp_path / "converted")
    result = run_process("convert", module, path, "--json")
    assert result.returncode == 0
    assert result.stderr.startswith("Warning: ")
    assert result.stderr.count("\n") == 1
    (text,) = json.loads(result.stdout)["left_out"]
    assert "training calls of 'default'" in text
    result = run_process("convert", module, str(tmp_path / "filled"), "--missing", "initial")
    assert (result.returncode, result.stderr) == (0, "")
