from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from compat_hub.format.checkpoints.write_matrix import write_matrix

MATRIX = np.random.default_rng(0).normal(size=[7, 3]).astype(np.float32)


@pytest.mark.parametrize("rows", [2, 7, 100])
def test_readers_find_one_matrix(tmp_path: Path, rows: int) -> None:
    prefix = str(tmp_path / "variables")
    blocks = (MATRIX[start : start + rows] for start in range(0, 7, rows))
    write_matrix(prefix, "weights", (7, 3), blocks)
    assert tf.train.list_variables(prefix) == [("weights", [7, 3])]
    np.testing.assert_array_equal(tf.train.load_variable(prefix, "weights"), MATRIX)
    (restored,) = tf.raw_ops.RestoreV2(
        prefix=prefix, tensor_names=["weights"], shape_and_slices=[""], dtypes=[tf.float32]
    )
    np.testing.assert_array_equal(restored, MATRIX)


def test_only_the_checkpoint_is_left(tmp_path: Path) -> None:
    write_matrix(str(tmp_path / "variables"), "weights", (7, 3), [MATRIX[:4], MATRIX[4:]])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "variables.data-00000-of-00002",
        "variables.data-00001-of-00002",
        "variables.index",
    ]


def test_the_array_of_a_block_may_be_used_again(tmp_path: Path) -> None:
    def blocks():
        block = np.empty([1, 3], np.float32)
        for row in MATRIX:
            block[:] = row
            yield block

    prefix = str(tmp_path / "variables")
    write_matrix(prefix, "weights", (7, 3), blocks())
    np.testing.assert_array_equal(tf.train.load_variable(prefix, "weights"), MATRIX)


def test_on_another_filesystem() -> None:
    tf.io.gfile.makedirs("ram://test_matrix_checkpoint")
    prefix = "ram://test_matrix_checkpoint/variables"
    write_matrix(prefix, "weights", (7, 3), [MATRIX[:4], MATRIX[4:]])
    reader = tf.compat.v1.train.NewCheckpointReader(prefix)
    np.testing.assert_array_equal(reader.get_tensor("weights"), MATRIX)
