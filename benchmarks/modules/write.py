"""The modules by name, each written once to a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

import compat_hub
from benchmarks.modules import inception_v3, ladder, lstm, resnet_v2, text, transformer
from benchmarks.modules.layers import L2, GraphLayers
from tests.authoring import control_flow_of_tf1

v1 = tf.compat.v1

TEXT_ROWS = 1_000_000
_TRAIN_VARIANT = [(set(), {"training": False}), ({"train"}, {"training": True})]
LADDER = (1_000, 3_000, 5_000, 10_000, 30_000, 50_000)


def _image_module(features: Callable[[Any, Any], Any], size: int) -> Callable[..., None]:
    def build(training: bool) -> None:
        images = v1.placeholder(tf.float32, [None, size, size, 3], "images")
        vectors = features(GraphLayers(training), images)
        for kernel in v1.trainable_variables():
            if kernel.op.name.endswith("kernel"):
                loss = L2 * tf.nn.l2_loss(kernel)
                v1.add_to_collection(v1.GraphKeys.REGULARIZATION_LOSSES, loss)
        compat_hub.add_signature(inputs={"images": images}, outputs=vectors)
        compat_hub.add_signature("image_feature_vector", {"images": images}, vectors)

    return build


def _token_inputs() -> dict[str, Any]:
    names = ("input_ids", "input_mask", "segment_ids")
    return {name: v1.placeholder(tf.int32, [None, None], name) for name in names}


def _bert(training: bool) -> None:
    inputs = _token_inputs()
    encoded = transformer.bert(GraphLayers(training), *inputs.values())
    outputs = {"pooled_output": encoded.pooled, "sequence_output": encoded.sequence}
    compat_hub.add_signature("tokens", inputs, outputs)


def _albert(training: bool) -> None:
    inputs = _token_inputs()
    layers = GraphLayers(training)
    encoded = transformer.albert(layers, *inputs.values())
    outputs = {"pooled_output": encoded.pooled, "sequence_output": encoded.sequence}
    compat_hub.add_signature("tokens", inputs, outputs)
    compat_hub.add_signature("embeddings", inputs, {"embeddings": encoded.embedded})
    classes = layers.dense(encoded.pooled, 2)
    compat_hub.add_signature("sentence_order", inputs, {"logits": classes})
    positions = v1.placeholder(tf.int32, [None, None], "mlm_positions")
    masked = tf.gather(encoded.sequence, positions, batch_dims=1)
    masked = layers.layer_norm(layers.dense(masked, transformer.ALBERT_FACTOR))
    table = next(v for v in v1.trainable_variables() if v.op.name == "embedding_0/embeddings")
    logits = tf.einsum("bte,ve->btv", masked, table)
    compat_hub.add_signature("mlm", {**inputs, "mlm_positions": positions}, {"mlm_logits": logits})


def _lstm() -> None:
    x = v1.placeholder(tf.float32, [None, None, lstm.INPUTS], "x")
    compat_hub.add_signature(inputs={"x": x}, outputs=lstm.outputs(x))


def _tiny() -> None:
    x = v1.placeholder(tf.float32, [None, 4], "x")
    kernel = v1.get_variable("kernel", [4, 4], initializer=v1.truncated_normal_initializer())
    compat_hub.add_signature(inputs={"x": x}, outputs=x @ kernel)


def _ladder(nodes: int) -> Callable[[], None]:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, ladder.UNITS], "x")
        compat_hub.add_signature(inputs={"x": x}, outputs=ladder.outputs(x, nodes))

    return build


def _saver() -> None:
    """Many variables, and the nodes that save and restore them."""
    x = y = v1.placeholder(tf.float32, [None, ladder.UNITS], "x")
    for layer in range(850):
        kernel = v1.get_variable(f"dense_{layer}/kernel", [ladder.UNITS, ladder.UNITS])
        bias = v1.get_variable(f"dense_{layer}/bias", [ladder.UNITS])
        y = tf.tanh(tf.nn.bias_add(y @ kernel, bias))
    v1.train.Saver()
    compat_hub.add_signature(inputs={"x": x}, outputs=y)


def _text(rows: int, vocabulary: str) -> Callable[[], None]:
    def build() -> None:
        sentences = v1.placeholder(tf.string, [None], "sentences")
        vectors = text.sentence_embeddings(sentences, rows, vocabulary)
        compat_hub.add_signature(inputs={"sentences": sentences}, outputs=vectors)

    return build


_VARIANTS: dict[str, Callable[..., None]] = {
    "resnet50_v2": _image_module(resnet_v2.features, resnet_v2.SIZE),
    "inception_v3": _image_module(inception_v3.features, inception_v3.SIZE),
    "bert_base": _bert,
    "albert_base": _albert,
}
_PLAIN: dict[str, Callable[[], None]] = {
    "lstm": _lstm,
    "tiny": _tiny,
    "saver": _saver,
    **{f"ladder_{nodes}": _ladder(nodes) for nodes in LADDER},
}
_TEXT = {"text_1e6": TEXT_ROWS, "text_1e5": TEXT_ROWS // 10}
NAMES = (*_VARIANTS, *_PLAIN, *_TEXT)


def module_path(name: str, folder: Path) -> str:
    """The module of that name, which is made where the folder does not have it yet."""
    path = folder / name
    if path.exists():
        return str(path)
    folder.mkdir(parents=True, exist_ok=True)
    with control_flow_of_tf1():
        if name in _VARIANTS:
            spec = compat_hub.create_module_spec(_VARIANTS[name], _TRAIN_VARIANT)
        elif name in _PLAIN:
            spec = compat_hub.create_module_spec(_PLAIN[name])
        else:
            vocabulary = text.write_vocabulary(_TEXT[name], str(folder / f"{name}.txt"))
            spec = compat_hub.create_module_spec(_text(_TEXT[name], vocabulary))
    tf.random.set_seed(1)
    compat_hub.load(spec).export(path)
    if name in _TEXT:
        os.remove(vocabulary)
    return str(path)
