from __future__ import annotations

import json
import re
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
        (["--input", "pears=1"], "There is no input"),
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


_PETS = ["run", PETS]
_TABLE = "id;f1;f2;f3;f4;f5;f6;f7\n7;1;2;3;4;5;6;7\n8;1;2;3;4;5;6;8\n"


def test_tables_and_the_standard_input() -> None:
    Path("t.csv").write_text(_TABLE)
    options = ["--delimiter", ";", "--keep", "id", "--json"]
    report = json.loads(
        CliRunner().invoke(main, [*_PETS, "--input", "t.csv:f1:f7", *options]).stdout
    )
    assert (report["rows"], report["kept"]) == (2, {"id": ["7", "8"]})
    stdin = ["--input", "-:f1:f7", "--format", "csv", *options]
    assert json.loads(CliRunner().invoke(main, [*_PETS, *stdin], input=_TABLE).stdout) == report
    tabs = ["--input", "-:f*", "--format", "csv", "--keep", "id", "--json", "--delimiter", "\\t"]
    result = CliRunner().invoke(main, [*_PETS, *tabs], input=_TABLE.replace(";", "\t"))
    assert json.loads(result.stdout) == report


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["t.csv"], "If ';' stands between the cells, pass --delimiter ';'"),
        (["t.csv:f1:f7"], "If ';' stands between the cells, pass --delimiter ';'"),
        (["t.csv:f1:f6", "--delimiter", ";"], "line 2, .* 6 values and not 7"),
        (["t.csv:f1:f7", "--keep", "id"], "--keep needs --output or --json"),
        (["t.csv:f1:f7", "--encoding", "utf-9"], "no encoding 'utf-9'"),
        (["t.csv", "--delimiter", ";"], "none of the inputs 'fruit'.* Pass t.csv:COLUMN"),
        (["-"], "standard input .* Pass --format"),
    ],
    ids=range(7),
)
def test_bad_tables(args: list[str], expected: str) -> None:
    Path("t.csv").write_text(_TABLE)
    result = CliRunner().invoke(main, [*_PETS, "--input", *args])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert re.search(expected, result.stderr)


def test_help_has_examples() -> None:
    text = CliRunner().invoke(main, ["run", "--help"]).stdout
    assert "\n    compat-hub run MODULE --input reviews.csv:text --keep id" in text


def test_no_such_module() -> None:
    result = CliRunner().invoke(main, ["run", "no/such"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
