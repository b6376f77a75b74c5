"""One description of an architecture, built as a graph of TF1 or of native tf_keras layers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

import tensorflow as tf

v1 = tf.compat.v1

MOMENTUM = 0.9
EPSILON = 1e-3
L2 = 1e-4


class Layers(Protocol):
    """What the architectures are built of; tensors are [batch, height, width, channels]."""

    def conv(
        self, x: Any, filters: int, size: tuple[int, int], strides: int, padding: str, bias: bool
    ) -> Any:
        """A convolution."""
        ...

    def batch_norm(self, x: Any, scale: bool = True) -> Any:
        """Batch normalization over the last axis."""
        ...

    def dense(self, x: Any, units: int) -> Any:
        """A matrix product with the last axis, and a bias."""
        ...

    def embedding(self, ids: Any, rows: int, units: int) -> Any:
        """Rows of a table."""
        ...

    def layer_norm(self, x: Any) -> Any:
        """Layer normalization over the last axis."""
        ...

    def dropout(self, x: Any, rate: float) -> Any:
        """Dropout in training."""
        ...

    def shared(self, name: str) -> contextlib.AbstractContextManager[None]:
        """What is built within has the weights of what was built within under this name before."""
        ...


class GraphLayers:
    """In the current graph of TF1, with variables, update ops and regularization losses."""

    def __init__(self, training: bool) -> None:
        self._training = training
        self._counts: dict[str, dict[str, int]] = {"": {}}
        self._scope = ""

    def conv(
        self, x: Any, filters: int, size: tuple[int, int], strides: int, padding: str, bias: bool
    ) -> Any:
        """A convolution."""
        with self._named("conv2d"):
            fan_in = size[0] * size[1] * x.shape[-1]
            y = tf.nn.conv2d(
                x, self._kernel([*size, x.shape[-1], filters], fan_in), strides, padding
            )
            return tf.nn.bias_add(y, self._zeros("bias", filters)) if bias else y

    def batch_norm(self, x: Any, scale: bool = True) -> Any:
        """Batch normalization over the last axis."""
        with self._named("batch_normalization"):
            depth = x.shape[-1]
            gamma = self._ones("gamma", depth) if scale else tf.ones([depth])
            beta = self._zeros("beta", depth)
            mean = self._zeros("moving_mean", depth, trainable=False)
            variance = self._ones("moving_variance", depth, trainable=False)
            if not self._training:
                return v1.nn.fused_batch_norm(
                    x, gamma, beta, mean, variance, epsilon=EPSILON, is_training=False
                )[0]
            y, *batch = v1.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON)
            for average, value in zip((mean, variance), batch, strict=True):
                change = (average - value) * (1 - MOMENTUM)
                v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, average.assign_sub(change).op)
            return y

    def dense(self, x: Any, units: int) -> Any:
        """A matrix product with the last axis, and a bias."""
        with self._named("dense"):
            kernel = self._kernel([x.shape[-1], units], x.shape[-1])
            flat = tf.reshape(x, [-1, x.shape[-1]])
            y = tf.nn.bias_add(flat @ kernel, self._zeros("bias", units))
            shape = tf.concat([tf.shape(x)[:-1], [units]], 0)
            return tf.ensure_shape(tf.reshape(y, shape), [*x.shape[:-1], units])

    def embedding(self, ids: Any, rows: int, units: int) -> Any:
        """Rows of a table."""
        with self._named("embedding"):
            values = v1.truncated_normal_initializer(stddev=0.02)
            table = v1.get_variable("embeddings", [rows, units], initializer=values)
            return tf.nn.embedding_lookup(table, ids)

    def layer_norm(self, x: Any) -> Any:
        """Layer normalization over the last axis."""
        with self._named("layer_normalization"):
            gamma = self._ones("gamma", x.shape[-1])
            beta = self._zeros("beta", x.shape[-1])
            mean, variance = tf.nn.moments(x, [-1], keepdims=True)
            return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-12)

    def dropout(self, x: Any, rate: float) -> Any:
        """Dropout in training."""
        return tf.nn.dropout(x, rate) if self._training else x

    @contextlib.contextmanager
    def shared(self, name: str) -> Iterator[None]:
        """What is built within has the weights of what was built within under this name before."""
        outer, self._scope = self._scope, name
        self._counts[name] = {}
        try:
            with v1.variable_scope(name, reuse=v1.AUTO_REUSE):
                yield
        finally:
            self._scope = outer

    @contextlib.contextmanager
    def _named(self, kind: str) -> Iterator[None]:
        counts = self._counts[self._scope]
        counts[kind] = counts.get(kind, -1) + 1
        with v1.variable_scope(f"{kind}_{counts[kind]}"):
            yield

    def _kernel(self, shape: list[int], fan_in: int) -> Any:
        values = v1.truncated_normal_initializer(stddev=fan_in**-0.5)
        return v1.get_variable("kernel", shape, initializer=values)

    def _zeros(self, name: str, size: int, trainable: bool = True) -> Any:
        return v1.get_variable(
            name, [size], initializer=v1.zeros_initializer(), trainable=trainable
        )

    def _ones(self, name: str, size: int, trainable: bool = True) -> Any:
        return v1.get_variable(name, [size], initializer=v1.ones_initializer(), trainable=trainable)


class KerasLayers:
    """As native tf_keras layers, on symbolic inputs of a functional model."""

    def __init__(self) -> None:
        import tf_keras  # noqa: PLC0415

        self._layers = tf_keras.layers
        self._shared: dict[str, list[Any]] = {}
        self._pending: list[Any] | None = None
        self._made: list[Any] | None = None

    def conv(
        self, x: Any, filters: int, size: tuple[int, int], strides: int, padding: str, bias: bool
    ) -> Any:
        """A convolution."""
        layer = self._layers.Conv2D
        options = {"strides": strides, "padding": padding.lower(), "use_bias": bias}
        return self._layer(lambda: layer(filters, size, **options))(x)

    def batch_norm(self, x: Any, scale: bool = True) -> Any:
        """Batch normalization over the last axis."""
        layer = self._layers.BatchNormalization
        return self._layer(lambda: layer(momentum=MOMENTUM, epsilon=EPSILON, scale=scale))(x)

    def dense(self, x: Any, units: int) -> Any:
        """A matrix product with the last axis, and a bias."""
        return self._layer(lambda: self._layers.Dense(units))(x)

    def embedding(self, ids: Any, rows: int, units: int) -> Any:
        """Rows of a table."""
        return self._layer(lambda: self._layers.Embedding(rows, units))(ids)

    def layer_norm(self, x: Any) -> Any:
        """Layer normalization over the last axis."""
        return self._layer(lambda: self._layers.LayerNormalization(epsilon=1e-12))(x)

    def dropout(self, x: Any, rate: float) -> Any:
        """Dropout in training."""
        return self._layers.Dropout(rate)(x)

    @contextlib.contextmanager
    def shared(self, name: str) -> Iterator[None]:
        """What is built within has the weights of what was built within under this name before."""
        if name in self._shared:
            self._pending = list(self._shared[name])
        else:
            self._made = self._shared[name] = []
        yield
        self._pending = self._made = None

    def _layer(self, make: Any) -> Any:
        if self._pending is not None:
            return self._pending.pop(0)
        layer = make()
        if self._made is not None:
            self._made.append(layer)
        return layer
