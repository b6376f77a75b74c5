"""A signature on files gives what calls of the module give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.tools.batch.outputs.plain_values import plain_rows
from compat_hub.tools.batch.run import run
from tests.authoring import write_module
from tests.records import FIXTURES

v1 = tf.compat.v1
PETS = str(FIXTURES / "pets" / "module")
_ROWS = np.random.default_rng(1).normal(size=(70, 7)).astype(np.float32)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("fruit.npy", _ROWS)


def test_batches_give_what_one_call_gives() -> None:
    expected = compat_hub.load(PETS)(_ROWS).numpy()
    report = run(PETS, ["fruit=fruit.npy"], "out.npz")
    assert (report.rows, report.batches, report.output) == (70, 3, "out.npz")
    assert report.outputs["default"].shape == [70, 8]
    np.testing.assert_allclose(np.load("out.npz")["default"], expected, atol=1e-6)
    whole = run(PETS, ["fruit=fruit.npy"], batch_size=0, keep_values=True)
    assert whole.batches == 1
    np.testing.assert_allclose(whole.values["default"], expected, atol=1e-6)
    json.dumps(whole.to_dict())
    pinned = run(PETS, ["fruit=fruit.npy"], tags={"train"})
    assert pinned.outputs["default"].dtype == "float32"


def test_some_outputs() -> None:
    inputs = ["apples=[[1,2,3,4]]", "oranges=[[1,2,3]]"]
    report = run(PETS, inputs, signature="fruit_to_pet", only=["dogs"])
    assert list(report.outputs) == ["dogs"]
    assert len(report.outputs["dogs"].first) == 3
    with pytest.raises(compat_hub.UnknownNameError, match="no output 'birds'"):
        run(PETS, inputs, signature="fruit_to_pet", only=["birds"])


def test_sparse_and_ragged_outputs() -> None:
    ragged = str(FIXTURES / "ragged_io" / "module")
    rows = [{"ragged": [k] * k, "deep": [[k], []]} for k in range(5)]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    one = run(ragged, ["rows.jsonl"], only=["deep", "scaled"], batch_size=0, keep_values=True)
    cut = run(ragged, ["rows.jsonl"], "out.jsonl", only=["deep", "scaled"], batch_size=2)
    assert cut.outputs["scaled"].shape == [5, None]
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    for name in "deep", "scaled":
        assert [line[name] for line in lines] == one.values[name]
    run(ragged, ["rows.jsonl"], "out.npz", only=["scaled"], batch_size=2)
    with np.load("out.npz") as file:
        found = tf.RaggedTensor.from_row_splits(
            file["scaled_flat_values"], file["scaled_row_splits"]
        )
    assert plain_rows(found) == one.values["scaled"]


def test_a_fixed_number_of_rows_is_the_size_of_batches(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [2, 3], "x")
        return {"default": ({"x": x}, {"default": x + 1})}

    path = write_module(tmp_path / "module", none=build)
    Path("x.jsonl").write_text("[1, 2, 3]\n" * 4)
    assert run(path, ["x=x.jsonl"], "out.npz").batches == 2
    assert np.load("out.npz")["default"].shape == (4, 3)


def test_outputs_that_cannot_be_joined(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        return {"default": ({"x": x}, {"default": tf.reduce_mean(x)})}

    path = write_module(tmp_path / "module", none=build)
    Path("x.txt").write_text("")
    values = json.dumps(list(range(40)))
    for output in "out.npz", "out.jsonl", None:
        with pytest.raises(compat_hub.SignatureError, match="not one value for each"):
            run(path, [f"x={values}"], output, keep_values=True)
    assert not Path("out.npz").exists()
    report = run(path, [f"x={values}"], batch_size=0, keep_values=True)
    assert report.values == {"default": 19.5}


def test_without_inputs() -> None:
    report = run(str(FIXTURES / "bert" / "module"), [], signature="tokenization_info")
    assert (report.rows, report.outputs["do_lower_case"].shape) == (None, [])


def test_errors_leave_nothing_behind(tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    Path("bad.jsonl").write_text("[1,2,3,4,5,6,7]\n" * 40 + '[1,2,3,4,5,6,"x"]\n')
    for inputs, error, message in (
        (["fruit=bad.jsonl"], compat_hub.InputTypeError, "'bad.jsonl', line 41, input 'fruit'"),
        ([], compat_hub.InputTypeError, "missing 'fruit'"),
        (["fruit=empty.jsonl"], compat_hub.InputTypeError, "the inputs have no rows"),
    ):
        Path("empty.jsonl").touch()
        with pytest.raises(error, match=message):
            run(PETS, inputs, "out.npz")
    for name in "bad.jsonl", "empty.jsonl":
        Path(name).unlink()
    assert sorted(tmp_path.iterdir()) == before


def test_what_tensorflow_refuses(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        with tf.control_dependencies([v1.assert_less(x, 1.0)]):
            return {"default": ({"x": x}, {"default": tf.identity(x)})}

    path = write_module(tmp_path / "module", none=build)
    with pytest.raises(compat_hub.HubError, match=r"could not compute it: .*assertion failed"):
        run(path, ["x=[0, 2]"], "out.npz")


def test_images_of_no_known_size(tmp_path: Path) -> None:
    from PIL import Image

    def build() -> Any:
        x = v1.placeholder(tf.float32, [None, None, None, 3], "x")
        return {"default": ({"images": x}, {"default": tf.reduce_mean(x, [1, 2])})}

    path = write_module(tmp_path / "module", none=build)
    Image.new("RGB", (9, 9), (255, 0, 0)).save("a.png")
    with pytest.raises(compat_hub.InputTypeError, match="Pass it as the image size"):
        run(path, ["images=a.png"])
    report = run(path, ["images=a.png"], image_size=[4, 6], keep_values=True)
    assert np.allclose(report.values["default"], [[1, 0, 0]])
