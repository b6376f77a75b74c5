"""A training step, ours and others' in turn in one process."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

import compat_hub
from benchmarks.measures.calls import interleaved
from benchmarks.modules import inception_v3, resnet_v2, transformer
from benchmarks.modules.inputs import Call, call_of
from benchmarks.modules.layers import KerasLayers
from benchmarks.processes import Figures
from compat_hub import keras2
from tests.authoring import control_flow_of_tf1

_RATE = 1e-4
_STEPS = 4  # of each turn of fit


def native(module: str) -> Figures:
    """`fit` of a KerasLayer beside the same architecture of tf_keras layers."""
    call = _call(module)
    # An iterator with a tuner waits for it at its end, for 10 * (2**n - 1) ms in all.
    options = tf.data.Options()
    options.autotune.enabled = False
    fits = []
    for head in (_layer_of(module, call), _native_of(os.path.basename(module))):
        inputs = {
            name: tf_keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name)
            for name, tensor in call.inputs.items()
        }
        model = tf_keras.Model(inputs, tf_keras.layers.Dense(4)(head(inputs)))
        model.compile(tf_keras.optimizers.SGD(_RATE), "mse")
        data = tf.data.Dataset.from_tensors((call.inputs, tf.zeros([_batch(call), 4])))
        data = data.cache().repeat(_STEPS).with_options(options)
        fits.append(lambda model=model, data=data: model.fit(data, verbose=0))
    found = interleaved(*fits)
    return {name: seconds / _STEPS for name, seconds in found.items()}


def session(module: str) -> Figures:
    """A step in a tf.function beside a session of TF1 with the same graph."""
    call = _call(module)
    loaded = compat_hub.load(module)
    variables = loaded.trainable_variables

    @tf.function
    def step(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        with tf.GradientTape() as tape:
            outputs = loaded(inputs, signature=call.signature, as_dict=True, training=True)
            loss = tf.reduce_sum(tf.square(outputs[call.output]))
            loss += tf.add_n([tf.zeros([]), *(f() for f in loaded.regularization_losses)])
        gradients = tape.gradient(loss, variables)
        for variable, gradient in zip(variables, gradients, strict=True):
            if gradient is not None:
                _descend(variable, gradient)
        return loss

    v1 = tf.compat.v1
    tags = ["train"] if {"train"} in [set(t) for t in loaded.spec.get_tags()] else []
    graph = v1.Graph()
    with graph.as_default(), control_flow_of_tf1():
        session = v1.Session(graph=graph)
        signature = v1.saved_model.load(session, tags, module).signature_def[call.signature]
        output = graph.get_tensor_by_name(signature.outputs[call.output].name)
        losses = v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES)
        loss = tf.add_n([tf.reduce_sum(tf.square(output)), *losses])
        train = v1.train.GradientDescentOptimizer(_RATE).minimize(loss)
        updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
        feeds = [signature.inputs[k].name for k in call.inputs]
        run = session.make_callable([loss, train, *updates], feed_list=feeds)
    values = [v.numpy() for v in call.inputs.values()]
    return interleaved(lambda: step(call.inputs), lambda: run(*values))


def _descend(variable: tf.Variable, gradient: Any) -> None:
    """What v1.train.GradientDescentOptimizer does, by the ops that it does it with."""
    if isinstance(gradient, tf.IndexedSlices):
        variable.scatter_sub(tf.IndexedSlices(_RATE * gradient.values, gradient.indices))
    else:
        tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=_RATE, delta=gradient)


def embedding(module: str) -> Figures:
    """A step of fine-tuning an embedding in `fit`; `theirs` is a table of a tenth of the rows."""
    fits = []
    for path in (module, module.replace("1e6", "1e5")):
        call = call_of(os.path.basename(path))
        layer = keras2.KerasLayer(path, trainable=True)
        inputs = tf_keras.Input([], dtype=tf.string)
        model = tf_keras.Model(inputs, tf_keras.layers.Dense(2)(layer(inputs)))
        # The SGD that is not legacy keeps a momentum of 0, and adds it to the whole table.
        model.compile(tf_keras.optimizers.legacy.SGD(_RATE), "mse")
        sentences = call.inputs["sentences"]
        data = tf.data.Dataset.from_tensors((sentences, tf.zeros([len(sentences), 2])))
        data = data.cache().repeat(50)
        fits.append(lambda model=model, data=data: model.fit(data, verbose=0))
    found = interleaved(*fits)
    return {name: seconds / 50 for name, seconds in found.items()}


def _call(module: str) -> Call:
    name = os.path.basename(module)
    return call_of(name, batch=4)


def _batch(call: Call) -> int:
    return next(iter(call.inputs.values())).shape[0]


def _layer_of(module: str, call: Call) -> Callable[[Any], Any]:
    layer = keras2.KerasLayer(
        module, trainable=True, signature=call.signature, output_key=call.output
    )
    return layer if len(call.inputs) > 1 else lambda inputs: layer(next(iter(inputs.values())))


def _native_of(name: str) -> Callable[[dict[str, Any]], Any]:
    layers = KerasLayers()
    if name == "resnet50_v2":
        return lambda inputs: resnet_v2.features(layers, inputs["images"])
    if name == "inception_v3":
        return lambda inputs: inception_v3.features(layers, inputs["images"])
    encoder = transformer.bert if name == "bert_base" else transformer.albert
    return lambda inputs: encoder(layers, *inputs.values()).pooled
