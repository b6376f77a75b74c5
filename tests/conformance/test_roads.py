"""Every module on the roads that TensorFlow itself has; `python -m tests.roads` takes all roads.

`tf.saved_model.load` and Keras' TFSMLayer are in test_converted.py.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.records import FIXTURES, Record
from tests.roads import frozen, lite, saved_model_cli, table
from tests.roads.cases import Case, UnableError
from tests.roads.prepare import prepare

DOCS = Path(__file__).parents[2] / "docs"


def _case(fixture: str, folder: Path) -> Case:
    return prepare(Record(FIXTURES / fixture), folder / fixture, train=False)


def _command(arguments: Sequence[str]) -> str:
    script = str(Path(sys.executable).parent / "saved_model_cli")
    return subprocess.run([script, *arguments], check=True, capture_output=True, text=True).stdout


def _recorded(road: str) -> dict[str, str]:
    """What the table of docs/roads.md says of each module on a road: `yes`, or `no (3)`."""
    _, _, rows = (DOCS / "roads.md").read_text(encoding="utf-8").partition("| module |")
    titles, *cells = [line.split(" | ") for line in rows.splitlines()]
    column = [title.strip() for title in titles].index(table.TITLES[road]) + 1
    return {row[0].strip("|` "): row[column] for row in cells if row[0].startswith("| `")}


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
@pytest.mark.filterwarnings("ignore::compat_hub.programs.gradients.outputs.NoGradientWarning")
def test_every_module(record: Record, tmp_path: Path) -> None:
    if "package" in record.meta:
        pytest.skip("a tool of its own does not import the package")
    case = prepare(record, tmp_path / record.folder.name, train=False)
    try:
        saved_model_cli.check(case)
        assert _recorded("saved_model_cli").get(record.folder.name, "yes") == "yes"
    except UnableError:
        assert _recorded("saved_model_cli").get(record.folder.name, "no").startswith("no")
    # What needs TensorFlow's ops takes the converter long to find out: the script does it.
    if _recorded("lite").get(record.folder.name, "no").startswith("yes"):
        assert lite.check(case) in ("", "select")


@pytest.mark.parametrize("fixture", ["embedding_lookup", "sentence_encoder", "while_embedding"])
def test_frozen_graphs(fixture: str, tmp_path: Path) -> None:
    assert frozen.check(_case(fixture, tmp_path)) == ""


@pytest.mark.parametrize(
    ("fixture", "reason"), [("text_table", "tables"), ("counter", "expected resource")]
)
def test_what_no_frozen_graph_can_hold(fixture: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UnableError, match=reason):
        frozen.check(_case(fixture, tmp_path))


def test_saved_model_cli_as_a_command(tmp_path: Path) -> None:
    saved_model_cli.check(_case("hparams", tmp_path), _command)


def test_a_case_knows_what_is_wrong(tmp_path: Path) -> None:
    case = _case("fruit", tmp_path)
    outputs = case.outputs("default")
    case.check("default", outputs)
    with pytest.raises(AssertionError, match="default default: off by"):
        case.check("default", {name: value + 0.1 for name, value in outputs.items()})
    with pytest.raises(AssertionError):
        case.check("default", {})
    bfloat16 = _case("bfloat16", tmp_path)
    with pytest.raises(UnableError, match="bfloat16"):
        saved_model_cli.check(bfloat16, lambda _: _all_of(bfloat16))


def _all_of(case: Case) -> str:
    """What `show` would print."""
    names = [f"inputs['{name}']" for s in case.signatures for name in case.inputs(s)]
    return "\n".join([*(f"signature_def['{s}']" for s in case.signatures), *names])
