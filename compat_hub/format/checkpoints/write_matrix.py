"""A checkpoint with one large matrix, of which no more than a block is in memory."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tensorflow as tf


def write_matrix(
    prefix: str, name: str, shape: tuple[int, int], blocks: Iterable[np.ndarray]
) -> None:
    """Writes a matrix of dtype float32, each block as a slice in a file of its own.

    Readers put the slices together: the checkpoint has one variable. It works in programs with and
    without eager execution.

    Args:
        prefix: The prefix of the checkpoint to write; its folder is there already.
        name: The name of the variable.
        shape: The shape of the matrix.
        blocks: Its rows from the first to the last, as arrays of shape [rows, shape[1]].
    """
    # Without the GPU, whose memory a session would take.
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        part = tf.compat.v1.placeholder(tf.string, [])
        place = tf.compat.v1.placeholder(tf.string, [1])
        values = tf.compat.v1.placeholder(tf.float32, [None, shape[1]])
        save = tf.raw_ops.SaveV2(
            prefix=part, tensor_names=[name], shape_and_slices=place, tensors=[values]
        )
        parts: list[str] = []
        start = 0
        for block in blocks:
            parts.append(f"{prefix}_part_{len(parts)}")
            # As for the parts of a partitioned variable: full shape, offsets and sizes.
            where = f"{shape[0]} {shape[1]} {start},{len(block)}:0,{shape[1]}"
            session.run(save, {part: parts[-1], place: [where], values: block})
            start += len(block)
        session.run(
            tf.raw_ops.MergeV2Checkpoints(
                checkpoint_prefixes=parts, destination_prefix=prefix, delete_old_dirs=False
            )
        )
