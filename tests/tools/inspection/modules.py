"""Modules that are hard to inspect, or to load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from tests.authoring import Signatures, write_module

v1 = tf.compat.v1

SCRIPT = "<script>alert(1)</script>"


def reading_files(folder: Path) -> str:
    """A variable that trains, and an output that is the content of a file."""

    def build() -> Signatures:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        w = v1.get_variable("w", [2, 3], initializer=v1.ones_initializer())
        content = tf.raw_ops.ReadFile(filename=tf.constant("/etc/hostname"), name="stolen")
        return {
            "default": ({"x": x}, {"default": tf.matmul(x, w)}),
            "leak": ({"x": x}, {"default": tf.matmul(x, w), "secret": content}),
        }

    return write_module(folder, none=build)


def without_gradient(folder: Path) -> str:
    """An op on the way from the output to the variable has no gradient registered."""

    def build() -> Signatures:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        w = v1.get_variable("w", [2, 2], initializer=v1.ones_initializer())
        logarithm = tf.raw_ops.MatrixLogarithm(input=tf.cast(w, tf.complex64))
        y = tf.matmul(x, tf.math.real(logarithm))
        return {"default": ({"x": x}, {"default": y}), "plain": ({"x": x}, {"default": x + w[0]})}

    return write_module(folder, none=build)


def classes_only(folder: Path) -> str:
    """The output is a class, the input a number of a word."""

    def build() -> Signatures:
        ids = v1.placeholder(tf.int64, [None], "ids")
        w = v1.get_variable("table", [5, 4], initializer=v1.random_normal_initializer(seed=1))
        scores = tf.gather(w, ids)
        return {
            "default": ({"ids": ids}, {"default": tf.argmax(scores, -1)}),
            "scores": ({"ids": ids}, {"default": scores}),
        }

    return write_module(folder, none=build)


def hostile_names(folder: Path) -> str:
    """Signatures, inputs and tensors whose names are a page's code, and a terminal's."""

    def build() -> Signatures:
        x = v1.placeholder_with_default(tf.constant([SCRIPT.encode()]), [None], "x")
        y = tf.strings.join([x, "\x1b[31m"])
        return {SCRIPT: ({SCRIPT: x}, {"\x1b[2J{0}": y})}

    return write_module(folder, none=build)


def large(folder: Path, layers: int) -> str:
    """Many variables in scopes within scopes."""

    def build() -> Signatures:
        x: Any = v1.placeholder(tf.float32, [None, 4], "x")
        y = x
        for k in range(layers):
            with v1.variable_scope(f"net/layer_{k}/dense"):
                w = v1.get_variable("kernel", [4, 4], initializer=v1.ones_initializer())
                y = tf.nn.relu(tf.matmul(y, w))
        return {"default": ({"x": x}, {"default": y})}

    return write_module(folder, none=build)
