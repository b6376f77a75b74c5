from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from tests.records import FIXTURES, OUTPUT_TOLERANCE, Record, assert_close

v1 = tf.compat.v1


def _layer(name: str, x: tf.Tensor) -> tf.Tensor:
    with v1.variable_scope("", reuse=v1.AUTO_REUSE):
        kernel = v1.get_variable(
            f"{name}/kernel", [3, 3], regularizer=lambda w: 0.1 * tf.reduce_sum(tf.square(w))
        )
    return x @ kernel


def _two_signatures(training: bool = False) -> None:
    """`left` needs two variables, `right` one of them and two others."""
    x = v1.placeholder(tf.float32, [None, 3], "x")
    shared = _layer("shared", x)
    outputs = {"default": _layer("left", shared), "shared": shared}
    compat_hub.add_signature("left", inputs={"x": x}, outputs=outputs)
    y = v1.placeholder(tf.float32, [None, 3], "y")
    right = _layer("right", _layer("shared", y))
    average = v1.get_variable("average", [3], trainable=False)
    if training:
        update = average.assign(0.5 * average + 0.5 * tf.reduce_mean(right, 0))
        v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, update.op)
    compat_hub.add_signature("right", inputs={"y": y}, outputs=right - average)


@pytest.fixture(scope="module")
def two_signatures(tmp_path_factory: pytest.TempPathFactory) -> str:
    variants = [(set(), {"training": False}), ({"train"}, {"training": True})]
    spec = compat_hub.create_module_spec(_two_signatures, variants)
    return compat_hub.load(spec).export(tmp_path_factory.mktemp("modules") / "two_signatures")


def _names(variables: Any) -> list[str]:
    return sorted(v.name.removesuffix(":0") for v in variables)


@pytest.mark.parametrize("kind", ["path", "Path", "spec", "module"])
def test_what_it_takes(kind: str, fixture_path, tmp_path: Path) -> None:
    path = fixture_path("fruit")
    handle = {
        "path": path,
        "Path": Path(path),
        "spec": compat_hub.load_module_spec(path),
        "module": compat_hub.load(path),
    }[kind]
    found = compat_hub.convert(handle, tmp_path / "converted", signatures=["default"])
    assert found == str(tmp_path / "converted")
    record = Record(FIXTURES / "fruit")
    inputs = {n: tf.constant(v) for n, v in record.inputs("default").items()}
    value = tf.saved_model.load(found)(inputs)
    assert_close(value, record.outputs([], "default")["default"], OUTPUT_TOLERANCE, "default")


def test_a_plain_saved_model_is_refused(tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path / "plain"))
    with pytest.raises(compat_hub.ModuleFormatError, match=r"plain SavedModel.*nothing to convert"):
        compat_hub.convert(tmp_path / "plain", tmp_path / "converted")
    assert not (tmp_path / "converted").exists()


def test_what_is_there_stays(fixture_path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").write_text("mine")
    with pytest.raises(FileExistsError, match="left as it is"):
        compat_hub.convert(fixture_path("fruit"), tmp_path / "taken")
    assert [p.name for p in tmp_path.rglob("*")] == ["taken", "file"]


def test_a_module_without_an_inference_variant(fixture_path, tmp_path: Path) -> None:
    path = fixture_path("train_only_tags")
    with pytest.raises(
        compat_hub.UnknownNameError, match=r"compat_hub\.load\(handle, tags=\.\.\.\)\.save\(path\)"
    ) as caught:
        compat_hub.convert(path, tmp_path / "converted")
    tags, *_ = compat_hub.load_module_spec(path).get_tags()
    assert repr(path) in str(caught.value)
    assert all(f'"{tag}"' in str(caught.value) for tag in tags)
    assert not list(tmp_path.iterdir())
    module = compat_hub.load(path, tags=tags)
    compat_hub.convert(module, tmp_path / "converted")
    assert tf.saved_model.load(str(tmp_path / "converted")).variables


# Some signatures ----------------------------------------------------------------------------------


def test_all_signatures(two_signatures: str, tmp_path: Path) -> None:
    compat_hub.convert(two_signatures, tmp_path / "all")
    loaded = tf.saved_model.load(str(tmp_path / "all"))
    assert sorted(loaded.signatures) == ["left", "right"]
    assert _names(loaded.variables) == ["average", "left/kernel", "right/kernel", "shared/kernel"]
    assert _names(loaded.trainable_variables) == ["left/kernel", "right/kernel", "shared/kernel"]
    assert len(loaded.regularization_losses) == 3
    assert not callable(loaded)  # which of the two would it be?


@pytest.mark.parametrize(
    ("signature", "given", "variables"),
    [
        ("left", "x", ["left/kernel", "shared/kernel"]),
        ("right", "y", ["average", "right/kernel", "shared/kernel"]),
    ],
)
def test_one_signature_with_the_variables_it_needs(
    signature: str, given: str, variables: list[str], two_signatures: str, tmp_path: Path
) -> None:
    path = compat_hub.convert(two_signatures, tmp_path / "one", signatures=[signature])
    loaded = tf.saved_model.load(path)
    assert sorted(loaded.signatures) == [signature, "serving_default"]
    assert _names(loaded.variables) == variables
    kernels = [name for name in variables if name != "average"]
    assert _names(loaded.trainable_variables) == kernels
    stored = tf.train.list_variables(f"{path}/variables/variables")
    assert sum(len(shape) > 0 for _, shape in stored) == len(variables)
    # The losses of variables that are not written are gone with them.
    losses = sorted(float(loss()) for loss in loaded.regularization_losses)
    expected = [float(0.1 * tf.reduce_sum(tf.square(v))) for v in loaded.trainable_variables]
    assert losses == pytest.approx(sorted(expected))

    module = compat_hub.load(two_signatures)
    x = tf.constant(np.random.default_rng(0).normal(size=[4, 3]), tf.float32)
    outputs = module({given: x}, signature, as_dict=True)
    for name, value in loaded.signatures[signature](**{given: x}).items():
        np.testing.assert_allclose(value, outputs[name], rtol=1e-6)
    np.testing.assert_allclose(loaded(x), outputs["default"], rtol=1e-6)
    np.testing.assert_allclose(loaded({given: x}), outputs["default"], rtol=1e-6)
    loaded({given: x}, training=True)
    module({given: x}, signature, training=True)  # the update op is that of one signature
    own = {v.name: v for v in module.variables}
    for variable in loaded.variables:
        np.testing.assert_allclose(variable, own[variable.name], rtol=1e-6)


@pytest.mark.parametrize(
    ("signatures", "message"),
    [
        (["left", "nope"], r"no signature 'nope' in module .*It has: 'left', 'right'"),
        ([], r"list of names of signatures, found \[\]. Leave it out"),
        ("left", r"list of names of signatures, found 'left'"),
    ],
)
def test_signatures_that_are_none(
    signatures: Any, message: str, two_signatures: str, tmp_path: Path
) -> None:
    with pytest.raises(compat_hub.HubError, match=message) as caught:
        compat_hub.convert(two_signatures, tmp_path / "none", signatures=signatures)
    assert isinstance(caught.value, ValueError)
    assert not list(tmp_path.iterdir())


def test_a_name_given_twice_counts_once(two_signatures: str, tmp_path: Path) -> None:
    path = compat_hub.convert(two_signatures, tmp_path / "one", signatures=["right", "right"])
    assert sorted(tf.saved_model.load(path).signatures) == ["right", "serving_default"]


# Without compat_hub -------------------------------------------------------------------------------

_ALONE = """
import sys
sys.modules["compat_hub"] = None  # an import of it fails
import numpy as np
import tensorflow as tf
path, inputs, outputs = sys.argv[1:]
loaded = tf.saved_model.load(path)
with np.load(inputs) as file:
    given = {k: tf.constant(v.tolist() if v.dtype.kind == "S" else v) for k, v in file.items()}
np.savez(outputs, **loaded.signatures["default"](**given))
"""


@pytest.mark.parametrize("fixture", ["text_two_assets", "cond_in_while_in_cond"])
def test_neither_compat_hub_nor_the_module_is_needed(fixture: str, copy_of, tmp_path: Path) -> None:
    copy = copy_of(fixture)
    path = compat_hub.convert(copy.path, tmp_path / "converted")
    assets = {p.name for p in (copy.folder / "assets").glob("*")}
    assert {p.name for p in (tmp_path / "converted/assets").glob("*")} == assets
    shutil.rmtree(copy.path)
    shutil.move(path, tmp_path / "moved")
    record = Record(FIXTURES / fixture)
    values = {n: np.asarray(v) for n, v in record.inputs("default").items()}
    given = {n: v.astype("S") if v.dtype == object else v for n, v in values.items()}
    np.savez(tmp_path / "in.npz", **given)
    arguments = [str(tmp_path / n) for n in ("moved", "in.npz", "out.npz")]
    subprocess.run([sys.executable, "-c", _ALONE, *arguments], check=True, cwd=tmp_path)
    with np.load(tmp_path / "out.npz") as file:
        for name, value in record.outputs([], "default").items():
            assert_close(file[name], value, OUTPUT_TOLERANCE, name)
