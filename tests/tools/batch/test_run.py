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
    report = run(PETS, ["fruit=fruit.npy"], "out.npz", batch_size=32)
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
            run(path, [f"x={values}"], output, batch_size=32, keep_values=True)
    assert not Path("out.npz").exists()
    report = run(path, [f"x={values}"], batch_size=0, keep_values=True)
    assert report.values == {"default": 19.5}


def test_rows_of_few_numbers_go_in_larger_batches() -> None:
    Path("fruit.csv").write_text(
        "\n".join([",".join("abcdefg"), *(",".join(map(str, row)) for row in _ROWS)])
    )
    assert run(PETS, ["fruit.csv:a:g"]).batches == 1
    assert run(PETS, ["fruit.csv:a:g"], batch_size=32).batches == 3
    text = str(FIXTURES / "text_table" / "module")
    assert run(text, [json.dumps(["a"] * 40)]).batches == 2


def test_a_saved_model_of_tf2(tmp_path: Path) -> None:
    module = compat_hub.load(PETS)
    path = module.save(tmp_path / "pets")
    np.savetxt("fruit.csv", _ROWS, delimiter=",", header="a,b,c,d,e,f,g", comments="")
    for signature in None, "serving_default":
        report = run(path, ["fruit.csv:a:g"], signature=signature, keep_values=True)
        np.testing.assert_allclose(report.values["default"], module(_ROWS), atol=1e-6)
    inputs = ["apples=[[1,2,3,4]]", "oranges=[[1,2,3]]"]
    report = run(path, inputs, signature="fruit_to_pet", only=["dogs"])
    assert report.outputs["dogs"].shape == [1, 3]
    for arguments, error, message in (
        ({"signature": "birds"}, compat_hub.UnknownNameError, "no signature 'birds'. It has: 'def"),
        ({"only": ["birds"]}, compat_hub.UnknownNameError, "no output 'birds'"),
        ({"inputs": []}, compat_hub.InputTypeError, "missing 'fruit'"),
        ({"tags": {"train"}}, compat_hub.ModuleFormatError, "pets' cannot be loaded: .*tags"),
    ):
        with pytest.raises(error, match=message):
            run(path, **{"inputs": ["fruit.csv:a:g"], **arguments})


def test_files_of_images_in_natural_order(tmp_path: Path) -> None:
    from PIL import Image

    def build() -> Any:
        x = v1.placeholder(tf.float32, [None, 2, 2, 3], "x")
        return {"default": ({"images": x}, {"default": tf.reduce_mean(x, [1, 2, 3])})}

    path = write_module(tmp_path / "module", none=build)
    Path("photos").mkdir()
    for k in 10, 2, 1:
        Image.new("RGB", (2, 2), (k, k, k)).save(f"photos/img{k}.png")
    run(path, ["photos/"], "out.csv", keep=["file"])
    assert Path("out.csv").read_text().splitlines() == [
        "file,default",
        *(f"photos/img{k}.png,{np.float32(k) / np.float32(255)!s}" for k in (1, 2, 10)),
    ]


def test_columns_to_keep() -> None:
    lines = [f"p{k},{k},{k + 1},{','.join('1' * 5)}" for k in range(40)]
    Path("t.csv").write_text("\n".join(["id,a,b,c,d,e,f,g", *lines]))
    report = run(PETS, ["t.csv:a:g"], "out.csv", keep=["id", "b"], batch_size=32)
    rows = [line.split(",")[:3] for line in Path("out.csv").read_text().splitlines()]
    assert rows[0] == ["id", "b", "default_0"]
    assert [row[0] for row in rows[1:]] == [f"p{k}" for k in range(40)]
    assert (report.rows, report.kept) == (40, {})
    report = run(PETS, ["t.csv:a:g"], keep=["*"], keep_values=True)
    assert list(report.to_dict()["kept"]) == ["id", *"abcdefg"]
    for keep, message in ((["z"], "no column 'z' to keep"), (["a:z"], "no column")):
        with pytest.raises(compat_hub.InputTypeError, match=message):
            run(PETS, ["t.csv:a:g"], "out.npz", keep=keep)


def test_columns_are_looked_for_before_anything_else(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text("a,b\n" + "1,2\n" * 2000)
    with pytest.raises(compat_hub.InputTypeError, match="no column 'c'"):
        run(PETS, ["fruit=t.csv:a:c"], progress=True)
    assert capsys.readouterr().err == ""


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
