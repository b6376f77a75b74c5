"""Modules in TF1 Hub format, written by TensorFlow 2 from a graph that a test builds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from compat_hub import protos

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
            signatures = build()
            meta_graph, _ = tf.compat.v1.train.export_meta_graph(), None
            for name, (inputs, outputs) in signatures.items():
                meta_graph.signature_def[name].CopyFrom(_signature(inputs, outputs))
            meta_graph.meta_info_def.tags.extend([] if tag == "none" else [tag])
            if not saved_model.meta_graphs and tf.compat.v1.global_variables():
                with tf.compat.v1.Session() as session:
                    session.run(tf.compat.v1.global_variables_initializer())
                    saver = tf.compat.v1.train.Saver(write_version=2)
                    path = str(folder / "variables/variables")
                    saver.save(session, path, write_meta_graph=False, write_state=False)
            saved_model.meta_graphs.append(meta_graph)
    (folder / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    module_def = protos.ModuleDef(format=protos.ModuleDef.FORMAT_V3)
    (folder / "tfhub_module.pb").write_bytes(module_def.SerializeToString())
    return str(folder)


def _signature(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
    info = tf.compat.v1.saved_model.utils.build_tensor_info
    return tf.compat.v1.saved_model.signature_def_utils.build_signature_def(
        {name: info(tensor) for name, tensor in inputs.items()},
        {name: info(tensor) for name, tensor in outputs.items()},
    )
