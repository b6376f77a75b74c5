"""The checkpoint of a module, made from one of a training with other names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.format.checkpoints.copy import copy_variables
from compat_hub.format.variant import Slice, VariableInfo

KERNEL = np.arange(6, dtype=np.float32).reshape([3, 2])


def _info(
    name: str, dtype: tf.DType = tf.float32, shape: Any = (3, 2), part: Slice | None = None
) -> VariableInfo:
    key = name.rpartition("/")[0] if part else name
    return VariableInfo(name, key, dtype, tf.TensorShape(shape), True, part, "")


def _save(prefix: Path, values: Mapping[str, Any]) -> str:
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=list(values.values()),
    )
    return str(prefix)


def _copy(
    infos: Sequence[VariableInfo],
    source: str,
    folder: Path,
    name_in_source: Callable[[str], str] = str,
) -> dict[str, np.ndarray]:
    target = str(folder / "target")
    copy_variables(infos, source, name_in_source, target, "module 'm'")
    reader = tf.train.load_checkpoint(target)
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def _assert_kernel(found: Mapping[str, np.ndarray], name: str = "kernel") -> None:
    assert list(found) == [name]
    np.testing.assert_array_equal(found[name], KERNEL)


def test_only_what_the_module_has(tmp_path: Path) -> None:
    source = _save(tmp_path / "c", {"kernel": KERNEL, "kernel/Adam": KERNEL, "step": np.int64(3)})
    _assert_kernel(_copy([_info("kernel")], source, tmp_path))


def test_other_names(tmp_path: Path) -> None:
    source = _save(tmp_path / "c", {"scope/kernel": KERNEL, "kernel": -KERNEL})
    _assert_kernel(_copy([_info("kernel")], source, tmp_path, lambda name: f"scope/{name}"))


def test_two_variables_from_one(tmp_path: Path) -> None:
    source = _save(tmp_path / "c", {"x": KERNEL})
    found = _copy([_info("a"), _info("b/c")], source, tmp_path, lambda _: "x")
    assert sorted(found) == ["a", "b/c"]
    np.testing.assert_array_equal(found["a"], found["b/c"])


def test_from_a_checkpoint_of_tensorflow_2(tmp_path: Path) -> None:
    path = tf.train.Checkpoint(layer=tf.Module(), kernel=tf.Variable(KERNEL)).save(tmp_path / "c")
    names = "{}/.ATTRIBUTES/VARIABLE_VALUE".format
    _assert_kernel(_copy([_info("kernel")], path, tmp_path, names))


def test_parts_in_the_module(tmp_path: Path) -> None:
    source = _save(tmp_path / "c", {"kernel": KERNEL})
    parts = [Slice((3, 2), (0, 0), (2, 2)), Slice((3, 2), (2, 0), (1, 2))]
    infos = [_info(f"kernel/part_{k}", shape=p.shape, part=p) for k, p in enumerate(parts)]
    asked: list[str] = []

    def name_in_source(name: str) -> str:
        asked.append(name)
        return name

    _assert_kernel(_copy(infos, source, tmp_path, name_in_source))
    assert asked == ["kernel"]


def test_parts_in_the_source(tmp_path: Path) -> None:
    source = str(tmp_path / "c")
    tf.raw_ops.SaveV2(
        prefix=source,
        tensor_names=["kernel", "kernel"],
        shape_and_slices=["3 2 0,1:-", "3 2 1,2:-"],
        tensors=[KERNEL[:1], KERNEL[1:]],
    )
    _assert_kernel(_copy([_info("kernel")], source, tmp_path))


@pytest.mark.parametrize("dtype", ["string", "bfloat16", "bool", "complex64", "uint8"])
def test_dtypes(dtype: str, tmp_path: Path) -> None:
    ones = [b"\0a", b""] if dtype == "string" else tf.cast([1, 0], dtype)
    source = _save(tmp_path / "c", {"v": tf.constant(ones)})
    found = _copy([_info("v", tf.as_dtype(dtype), [None])], source, tmp_path)
    assert found["v"].tolist() == tf.constant(ones).numpy().tolist()


def test_a_folder_is_its_latest_checkpoint(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        kernel = tf.compat.v1.get_variable("kernel", initializer=KERNEL)
        saver = tf.compat.v1.train.Saver()
        session.run(kernel.initializer)
        for step, value in (1, -KERNEL), (2, KERNEL):
            session.run(kernel.assign(value))
            saver.save(session, str(tmp_path / "run" / "model.ckpt"), step)
    _assert_kernel(_copy([_info("kernel")], str(tmp_path / "run"), tmp_path))
    with pytest.raises(AssertionError):
        _assert_kernel(_copy([_info("kernel")], str(tmp_path / "run/model.ckpt-1"), tmp_path))


def test_a_prefix_goes_before_a_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    source = _save(tmp_path / "c", {"kernel": KERNEL})
    _assert_kernel(_copy([_info("kernel")], source, tmp_path))


def test_in_graph_mode_nothing_is_added_to_the_graph(tmp_path: Path) -> None:
    source = _save(tmp_path / "c", {"kernel": KERNEL})
    with tf.Graph().as_default() as graph:
        copy_variables([_info("kernel")], source, str, str(tmp_path / "target"), "m")
        assert not graph.get_operations()
    assert tf.train.load_checkpoint(str(tmp_path / "target")).has_tensor("kernel")


def test_what_the_source_lacks(tmp_path: Path) -> None:
    source = _save(tmp_path / "c", {"kernel": KERNEL, "bias": KERNEL})
    with pytest.raises(
        compat_hub.UnknownNameError,
        match=r"module 'm': the variable 'w'.*looked for as 'x/w'.*'bias', 'kernel'.*transform_fn",
    ) as error:
        _copy([_info("w")], source, tmp_path, lambda name: f"x/{name}")
    assert isinstance(error.value, ValueError)  # as tensorflow_hub raised it
    assert not list(tmp_path.glob("target*"))


@pytest.mark.parametrize(
    "info",
    [
        _info("kernel", shape=[2, 3]),
        _info("kernel", shape=[3, 2, 1]),
        _info("kernel", tf.float64),
        _info("kernel/part_0", shape=[1, 2], part=Slice((4, 2), (0, 0), (1, 2))),
    ],
)
def test_another_shape_or_dtype(info: VariableInfo, tmp_path: Path) -> None:
    source = _save(tmp_path / "c", {"kernel": KERNEL})
    with pytest.raises(
        compat_hub.SignatureError,
        match=r"module 'm': the variable 'kernel' is float.*float32 \[3, 2\] as 'kernel' in the",
    ):
        _copy([info], source, tmp_path)
    assert not list(tmp_path.glob("target*"))


def test_an_unknown_shape_fits(tmp_path: Path) -> None:
    source = _save(tmp_path / "c", {"kernel": KERNEL})
    for shape in (None, [None, 2]):
        _assert_kernel(_copy([_info("kernel", shape=shape)], source, tmp_path))


@pytest.mark.parametrize("damage", ["no index", "empty index", "garbage", "no data", "short data"])
def test_a_checkpoint_that_cannot_be_read(damage: str, tmp_path: Path) -> None:
    source = _save(tmp_path / "c", {"kernel": KERNEL})
    index, data = tmp_path / "c.index", tmp_path / "c.data-00000-of-00001"
    if damage == "no index":
        index.unlink()
    elif damage == "no data":
        data.unlink()
    elif damage == "short data":
        data.write_bytes(data.read_bytes()[:5])
    else:
        index.write_bytes(b"" if damage == "empty index" else b"garbage" * 20)
    with pytest.raises(compat_hub.ResolveError, match=r"checkpoint '.*/c'.*(Pass|Check)"):
        _copy([_info("kernel")], source, tmp_path)


def test_a_folder_without_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(compat_hub.ResolveError, match=r"names its latest.*Pass the prefix"):
        _copy([_info("kernel")], str(tmp_path), tmp_path)
    with pytest.raises(compat_hub.ResolveError, match=r"nowhere' cannot be opened"):
        _copy([_info("kernel")], str(tmp_path / "nowhere"), tmp_path)
