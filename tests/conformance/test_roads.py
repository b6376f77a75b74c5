"""A few fixtures on the roads that cost more; `python -m tests.roads` takes all of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.records import FIXTURES, Record
from tests.roads import lite, saved_model_cli
from tests.roads.cases import Case, UnableError
from tests.roads.prepare import prepare


def _case(fixture: str, folder: Path) -> Case:
    return prepare(Record(FIXTURES / fixture), folder / fixture, train=False)


def _command(arguments: Sequence[str]) -> str:
    script = str(Path(sys.executable).parent / "saved_model_cli")
    return subprocess.run([script, *arguments], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("fixture", ["fruit", "text_table", "sparse_io"])
def test_saved_model_cli(fixture: str, tmp_path: Path) -> None:
    saved_model_cli.check(_case(fixture, tmp_path))


def test_saved_model_cli_as_a_command(tmp_path: Path) -> None:
    saved_model_cli.check(_case("hparams", tmp_path), _command)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
@pytest.mark.parametrize("fixture", ["conv_zoo", "image_bn", "inception", "resnet_v2"])
def test_tflite(fixture: str, tmp_path: Path) -> None:
    assert lite.check(_case(fixture, tmp_path)) == "", "ops that TFLite has itself"


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
