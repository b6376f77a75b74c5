"""Keras 3's TFSMLayer on a converted module."""

from __future__ import annotations

import keras
import tensorflow as tf

from tests.roads.cases import Case, UnableError


def check(case: Case) -> str:
    """Calls each signature; returns how."""
    if any(v.shape.rank is None for v in tf.saved_model.load(case.saved_model).variables):
        raise UnableError("Keras has no weights of unknown shape")
    for signature in case.signatures:
        layer = keras.layers.TFSMLayer(case.saved_model, call_endpoint=signature)
        inputs = {name: tf.constant(value) for name, value in case.inputs(signature).items()}
        if len(inputs) == 1:
            (value,) = inputs.values()
            outputs = layer(value)
        else:  # Keras insists on a first argument; a signature takes its inputs by keyword
            outputs = layer.call_endpoint_fn(**inputs)
        case.check(signature, outputs)
    return ""
