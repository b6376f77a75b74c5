"""Modules in TF1 Hub format, written by TensorFlow 2 from a graph that a test builds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from compat_hub.format import protos

# By the signature's name: its inputs and outputs by name.
Signatures = Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]


def write_module(folder: Path, **variants: Callable[[], Signatures]) -> str:
    """Writes a module and returns its path.

    Args:
        folder: Where to; it is made.
        **variants: By tag, or `none` for no tag: a function that builds the variant's graph in the
            current one. The first variant has all variables; its initializers give their values.
    """
    saved_model = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    (folder / "variables").mkdir(parents=True)
    for tag, build in variants.items():
        with tf.Graph().as_default():
            add_meta_graph(saved_model, build(), [] if tag == "none" else [tag])
            if len(saved_model.meta_graphs) == 1 and tf.compat.v1.global_variables():
                with tf.compat.v1.Session() as session:
                    session.run(tf.compat.v1.global_variables_initializer())
                    saver = tf.compat.v1.train.Saver(write_version=2)
                    path = str(folder / "variables/variables")
                    saver.save(session, path, write_meta_graph=False, write_state=False)
    (folder / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    module_def = protos.ModuleDef(format=protos.ModuleDef.FORMAT_V3)
    (folder / "tfhub_module.pb").write_bytes(module_def.SerializeToString())
    return str(folder)


def add_meta_graph(saved_model: Any, signatures: Signatures, tags: Sequence[str] = ()) -> None:
    """Appends the current graph as a variant."""
    meta_graph = saved_model.meta_graphs.add()
    meta_graph.CopyFrom(tf.compat.v1.train.export_meta_graph())
    meta_graph.meta_info_def.tags.extend(tags)
    for name, (inputs, outputs) in signatures.items():
        meta_graph.signature_def[name].CopyFrom(_signature(inputs, outputs))


def save_checkpoint(folder: Path, values: Mapping[str, Any]) -> None:
    """Writes values by name as the checkpoint of a module directory."""
    prefix = folder / "variables" / "variables"
    prefix.parent.mkdir(parents=True)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=list(values.values()),
    )


@contextlib.contextmanager
def control_flow_of_tf1() -> Iterator[None]:
    """Loops and conditionals become Enter, Switch and Merge, as TF1 made them."""
    enabled = tf.compat.v1.control_flow_v2_enabled()
    tf.compat.v1.disable_control_flow_v2()
    try:
        yield
    finally:
        if enabled:
            tf.compat.v1.enable_control_flow_v2()


def _signature(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
    info = tf.compat.v1.saved_model.utils.build_tensor_info
    return tf.compat.v1.saved_model.signature_def_utils.build_signature_def(
        {name: info(tensor) for name, tensor in inputs.items()},
        {name: info(tensor) for name, tensor in outputs.items()},
    )
