"""A fixture in a model of either Keras, exported, with what the programs on the roads need."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import compat_hub
from tests.records import Record
from tests.roads.cases import Case, UnableError
from tests.roads.prepare import put

SIGNATURE = "serving_default"


def write(record: Record, folder: Path, kind: str = "keras3", trainable: bool = True) -> Case:
    """Exports a model of one layer, on the signature that is recorded first.

    Args:
        record: The fixture.
        folder: Where to; it is made.
        kind: `keras2` or `keras3`.
        trainable: Of the layer.

    Raises:
        UnableError: Keras cannot have such a model.
    """
    keras: Any = importlib.import_module({"keras2": "tf_keras", "keras3": "keras"}[kind])
    layers = importlib.import_module(f"compat_hub.{kind}")
    variants = compat_hub.load_module_spec(record.path).variants
    tags = None if frozenset() in variants else next(iter(variants))
    module = compat_hub.load(record.path, tags)
    names = [n for n in record.signatures(sorted(tags or ())) if record.inputs(n)]
    if not names:
        raise UnableError("no signature with recorded outputs has inputs")
    signature = "default" if "default" in names else names[0]
    infos = module.get_input_info_dict(signature)
    has_default = module.variant(training=False).has_default
    values = record.inputs(signature)
    arguments = {n: v for n, v in values.items() if has_default(infos[n])}
    values = {n: v for n, v in values.items() if n not in arguments}
    outputs = record.outputs(sorted(tags or ()), signature)
    composite = [n for n in values if infos[n].is_composite]
    described = module.get_output_info_dict(signature)
    if composite or any(described[n].is_composite for n in outputs):
        raise UnableError("a sparse or ragged value, of which the exports make dense tensors only")
    if any(infos[n].get_shape().rank == 0 for n in values):
        raise UnableError("an input without a batch dimension, which Keras has not")
    as_dict = outputs.keys() != {"default"}
    layer = layers.KerasLayer(
        module,
        signature=signature,
        trainable=trainable,
        arguments=arguments,
        **({"signature_outputs_as_dict": True} if as_dict else {"output_key": "default"}),
    )
    try:
        inputs = {n: _input(keras, infos[n], values[n], _name(k)) for k, n in enumerate(values)}
        model = keras.Model([*inputs.values()], layer(inputs))
    except compat_hub.SignatureError as error:
        raise UnableError(f"Keras: {_reason(error)}") from error
    folder.mkdir(parents=True)
    with contextlib.redirect_stdout(io.StringIO()):  # it lists what it writes
        model.export(str(folder / "saved_model"))
    given = {_name(k): tf.constant(v, infos[n].dtype) for k, (n, v) in enumerate(values.items())}
    wanted = {n if as_dict else "output_0": tf.convert_to_tensor(v) for n, v in outputs.items()}
    arrays: dict[str, Any] = {}
    facts = {
        "inputs": put(arrays, f"in/{SIGNATURE}", given.items()),
        "outputs": put(arrays, f"out/{SIGNATURE}", wanted.items()),
    }
    np.savez(folder / "case.npz", **arrays)
    (folder / "case.json").write_text(json.dumps({"signatures": {SIGNATURE: facts}}, indent=1))
    return Case(folder)


def _reason(error: Exception) -> str:
    """What Keras says of a failed call, without its frame and its colours."""
    lines = [re.sub(r"\x1b\[\d*m", "", line).strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("Exception encountered")]
    return lines[0] if lines else type(error).__name__


def _name(number: int) -> str:
    """The name of an input: Keras takes fewer names than modules have."""
    return f"given_{number}"


def _input(keras: Any, info: Any, value: Any, name: str) -> Any:
    declared, found = info.get_shape(), tf.TensorShape(np.shape(value))
    shape = declared if declared.rank else found
    return keras.Input(shape[1:], batch_size=shape[0], dtype=info.dtype.name, name=name)


def write_unable(folder: Path, reason: str) -> None:
    """Writes why there is no such model."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.json").write_text(json.dumps({"unable": reason, "signatures": {}}, indent=1))
