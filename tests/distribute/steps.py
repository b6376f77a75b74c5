"""Training steps in two replicas, and what they have to come to, computed without a strategy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

import compat_hub
from tests.records import STEP_TOLERANCE, Record, assert_close, value_of

STEPS = 2
Values = dict[str, np.ndarray]


def inputs_of(record: Record, replica: int) -> dict[str, Any]:
    """A replica's half of the global batch: what is recorded, or that turned round."""
    train = record.train
    infos = compat_hub.load_module_spec(record.path).get_input_info_dict(
        train["signature"], train["tags"]
    )
    given = record.inputs(train["signature"])
    tensors = {
        name: value
        if isinstance(value, tf.SparseTensor | tf.RaggedTensor)
        else tf.convert_to_tensor(value, infos[name].dtype)
        for name, value in given.items()
    }
    return {n: _turned(t) for n, t in tensors.items()} if replica else tensors


def _turned(tensor: Any) -> Any:
    if not isinstance(tensor, tf.Tensor) or not tensor.shape.rank:
        return tensor
    turned = tf.reverse(tensor, [0])
    return turned * tf.cast(0.5, turned.dtype) if turned.dtype.is_floating else turned


def loss_of(
    module: compat_hub.HubModule, record: Record, inputs: Mapping[str, Any], replicas: int
) -> tf.Tensor:
    """A replica's part of the loss: the mean over replicas, and the regularization once."""
    train = record.train
    result = module.call_signature(inputs, train["signature"], training=True, losses=True)
    terms = [tf.reduce_sum(tf.square(result.outputs[name])) for name in train["outputs"]]
    terms += result.losses + [loss() for loss in module.regularization_losses]
    return tf.add_n([tf.cast(t, terms[0].dtype) for t in terms]) / tf.cast(replicas, terms[0].dtype)


def train_in(strategy: tf.distribute.Strategy, record: Record) -> compat_hub.HubModule:
    """Loads a module in the strategy's scope and trains it in a custom loop."""
    train = record.train
    with strategy.scope():
        module = compat_hub.load(record.path, tags=train["tags"])
        optimizer = tf_keras.optimizers.SGD(train["learning_rate"])
        optimizer.build(module.trainable_variables)

    def step(inputs: Mapping[str, Any]) -> None:
        with tf.GradientTape() as tape:
            loss = loss_of(module, record, inputs, strategy.num_replicas_in_sync)
        variables = module.trainable_variables
        gradients = zip(tape.gradient(loss, variables), variables, strict=True)
        pairs: dict[tf.DType, list[Any]] = {}
        for gradient, variable in gradients:
            if gradient is not None:
                pairs.setdefault(variable.dtype, []).append((gradient, variable))
        for one_dtype in pairs.values():  # those of several TensorFlow cannot add up at once
            optimizer.apply_gradients(one_dtype)

    given = strategy.experimental_distribute_values_from_function(
        lambda context: inputs_of(record, context.replica_id_in_sync_group)
    )
    run = tf.function(lambda: strategy.run(step, args=(given,)))
    for _ in range(STEPS):
        run()
    return module


def expected_after(record: Record, replicas: int = 2) -> Values:
    """The variables' values: one module for each replica, without a strategy.

    Each module sees one half of the batch. What is trained moves by the mean of the gradients,
    which is the gradient for the whole batch where examples do not see one another. What calls
    write to goes its own way: of floats the mean counts, of others what the first replica has.
    """
    train = record.train
    modules = [compat_hub.load(record.path, tags=train["tags"]) for _ in range(replicas)]
    for _ in range(STEPS):
        gradients = []
        for k, module in enumerate(modules):
            with tf.GradientTape() as tape:
                loss = loss_of(module, record, inputs_of(record, k), replicas)
            gradients.append(tape.gradient(loss, module.trainable_variables))
        sums = [_add(parts) for parts in zip(*gradients, strict=True)]
        for module in modules:
            for variable, total in zip(module.trainable_variables, sums, strict=True):
                if total is not None:
                    variable.assign_sub(tf.cast(train["learning_rate"], total.dtype) * total)
    found = [values_of(module) for module in modules]
    return {
        name: np.mean([f[name] for f in found], axis=0, dtype=value.dtype)
        if value.dtype.kind in "fc"
        else value
        for name, value in found[0].items()
    }


def _add(parts: Any) -> tf.Tensor | None:
    known = [tf.convert_to_tensor(p) for p in parts if p is not None]
    return tf.add_n(known) if known else None


def values_of(module: compat_hub.HubModule) -> Values:
    """The variables' values by name."""
    return {name: np.asarray(value_of(v)) for name, v in module.variable_map.items()}


def assert_same(found: Values, expected: Values) -> None:
    """Compares the values of all variables."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert_close(found[name], value, STEP_TOLERANCE, name)
