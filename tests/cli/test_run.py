from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from compat_hub.cli.main import main
from tests.cli.processes import run_process
from tests.records import FIXTURES

PETS = str(FIXTURES / "pets" / "module")
_LINES = [{"apples": [1, 2, 3, 4], "oranges": [k, 0, 0.5]} for k in range(3)]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fruit.jsonl").write_text("\n".join(map(json.dumps, _LINES)))


def _run(*args: str) -> Result:
    command = ["run", PETS, "--signature", "fruit_to_pet", *args]
    return CliRunner().invoke(main, command, prog_name="compat-hub")


def test_in_a_process_of_its_own() -> None:
    options = ["--signature", "fruit_to_pet", "--input", "fruit.jsonl"]
    result = run_process("run", PETS, *options, "--batch-size", "2", "--output", "pets.npz")
    assert (result.returncode, result.stderr) == (0, "Rows: 3\n")
    assert "| cats   | float32 | [3, 2] |" in result.stdout
    assert result.stdout.endswith("Wrote pets.npz, 3 rows\n")
    assert np.load("pets.npz")["dogs"].shape == (3, 3)
    again = run_process("run", PETS, *options, "--output", "pets.npz")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith("Error: There is already something at 'pets.npz'")
    assert again.stderr.count("\n") == 1


def test_json() -> None:
    result = _run("--input", "fruit.jsonl", "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["rows"], report["output"]) == (0, 3, None)
    assert np.shape(report["outputs"]["cats"]["values"]) == (3, 2)
    result = _run("--input", "fruit.jsonl", "--json", "--output", "o.csv", "--only", "cats")
    assert json.loads(result.stdout)["outputs"] == {"cats": {"dtype": "float32", "shape": [3, 2]}}
    assert len(Path("o.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--input", "apples=[[1,2,3,4]]"], "missing 'oranges'"),
        (["--input", "apples=1", "--input", "oranges=1"], "expected float32 [None, 4]"),
        (["--input", "no.jsonl"], "no file 'no.jsonl'"),
        (["--input", "pears=1"], "names no input"),
        (["--input", "fruit.jsonl", "--only", "birds"], "no output 'birds'"),
        (["--input", "fruit.jsonl", "--output", "o.xls"], "should end in one of .npz"),
        (["--input", "fruit.jsonl", "--output", "no/o.npz"], "no such folder"),
        (["--input", "fruit.jsonl", "--tags", "tpu"], "'tpu'"),
        (["--input", "fruit.jsonl", "--batch-size", "-1"], "--batch-size"),
        (["--input", "fruit.jsonl", "--image-size", "3"], "is not HEIGHTxWIDTH"),
        (["--signature", "unknown"], "no signature 'unknown'"),
    ],
    ids=range(11),
)
def test_bad_input(args: list[str], expected: str) -> None:
    result = _run(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert expected in result.stderr.replace('"tpu"', "'tpu'")
    assert [path.name for path in Path().iterdir()] == ["fruit.jsonl"]


def test_no_such_module() -> None:
    result = CliRunner().invoke(main, ["run", "no/such"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
