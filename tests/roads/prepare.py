"""A fixture module converted by compat_hub, with what the programs on the roads need."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import compat_hub
from compat_hub.hub_module.saved_model import _identifier
from compat_hub.programs.gradients.custom import LostGradientWarning
from tests.records import Record, value_of
from tests.roads.cases import Case


def prepare(record: Record, folder: Path, train: bool = True) -> Case:
    """Writes the case of one fixture.

    Args:
        record: The fixture.
        folder: Where to; it is made.
        train: Whether to write what is to be trained, too.
    """
    folder.mkdir(parents=True)
    variants = compat_hub.load_module_spec(record.path).variants
    tags = None if frozenset() in variants else next(iter(variants))
    module = compat_hub.load(record.path, tags)
    arrays: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LostGradientWarning)
        module.save(folder / "saved_model")
        facts: dict[str, Any] = {"signatures": _write_signatures(module, record, arrays)}
        if train and record.train:
            facts["train"] = _write_trained(record, folder, arrays)
    np.savez(folder / "case.npz", **arrays)
    (folder / "case.json").write_text(json.dumps(facts, indent=1))
    return Case(folder)


def _write_signatures(
    module: compat_hub.HubModule, record: Record, arrays: dict[str, Any]
) -> dict[str, Any]:
    variant = module.variant(training=False)
    tags = sorted(variant.tags)
    signatures = {}
    for name in record.signatures(tags):
        signature = variant.signatures[name]
        given = record.inputs(name)
        required = {n: i for n, i in signature.inputs.items() if not variant.has_default(i)}
        expected = record.outputs(tags, name)
        if given.keys() == signature.inputs.keys() > required.keys():
            signatures[f"{name}_with_options"] = _write_signature(
                f"{name}_with_options", signature, signature.inputs, given, expected, arrays
            )
        if given.keys() - required.keys():  # a SavedModel's signature leaves them at their default
            fresh = compat_hub.load(record.path, variant.tags)
            expected = fresh({n: given[n] for n in required}, name, as_dict=True)
        signatures[name] = _write_signature(name, signature, required, given, expected, arrays)
    return signatures


def _write_signature(
    name: str, signature: Any, taken: Any, given: Any, expected: Any, arrays: dict[str, Any]
) -> dict[str, dict[str, str]]:
    inputs = {}
    for key, info in taken.items():
        value = given[key] if info.is_composite else tf.constant(given[key], info.dtype)
        labels = [_identifier(label) for label in info.component_labels(key)]
        inputs.update(put(arrays, f"in/{name}", zip(labels, info.unpack(value), strict=True)))
    outputs = {}
    for key, value in expected.items():
        info = signature.outputs[key]
        dense = value if info.is_composite else tf.convert_to_tensor(value)
        labels = info.component_labels(key)
        outputs.update(put(arrays, f"out/{name}", zip(labels, info.unpack(dense), strict=True)))
    return {"inputs": inputs, "outputs": outputs}


def put(arrays: dict[str, Any], prefix: str, values: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Keeps arrays in forms that numpy can save; returns their dtypes."""
    dtypes = {}
    for label, value in values:
        tensor = tf.convert_to_tensor(value)
        dtypes[label] = tensor.dtype.name
        array = tf.cast(tensor, tf.float32) if tensor.dtype == tf.bfloat16 else tensor
        array = np.asarray(array)
        arrays[f"{prefix}/{label}"] = array.astype("S") if array.dtype == object else array
    return dtypes


def _write_trained(record: Record, folder: Path, arrays: dict[str, Any]) -> dict[str, Any]:
    """Writes what is to be trained; returns facts, or the reason why nothing is."""
    train: Any = record.train
    tags = frozenset(train["tags"])
    variants = compat_hub.load_module_spec(record.path).variants
    switches = tags == {"train"} and frozenset() in variants
    module = compat_hub.load(record.path, None if switches else tags)
    infos = module.get_output_info_dict(train["signature"])
    inputs = record.inputs(train["signature"])
    if train.get("reg_of_inputs"):
        return {"unable": "the interface has no losses that depend on inputs"}
    if not inputs:
        return {"unable": "the signature has no inputs, so the object cannot be called"}
    returned = {"default"} if "default" in infos else set(infos)
    trained = [name for name in train["outputs"] if name in returned]
    outputs = trained or [name for name in returned if infos[name].dtype.is_floating]
    if not outputs:
        return {"unable": "the output `default` has no gradient"}
    path = module.save(folder / "trained", signatures=[train["signature"]])
    order = {v.name: k for k, v in enumerate(tf.saved_model.load(path).variables)}
    variables = {}
    for key, own in module.variable_map.items():
        parts = own if isinstance(own, list) else [own]
        if all(part.name in order for part in parts):
            variables[key] = [order[part.name] for part in parts]
    if outputs != train["outputs"]:
        _train(module, train, outputs, inputs)
        for key in variables:
            arrays[f"trained/{key}"] = value_of(module.variable_map[key])
    variant = module.variant(training=False)
    infos = variant.signatures[train["signature"]].inputs
    return {
        "outputs": outputs,
        "variables": variables,
        "hyperparameters": [n for n in inputs if variant.has_default(infos[n])],
        "dtypes": {n: infos[n].dtype.name for n in inputs},
    }


def _train(module: compat_hub.HubModule, train: Any, outputs: list[str], inputs: Any) -> None:
    """Trains as the record does, on the outputs that a converted module returns."""
    for _ in range(train["steps"]):
        with tf.GradientTape() as tape:
            result = module.call_signature(inputs, train["signature"], outputs, training=True)
            found = result.outputs
            terms = [tf.reduce_sum(tf.square(found[name])) for name in outputs]
            terms += [loss() for loss in module.regularization_losses]
            loss = tf.add_n([tf.cast(term, terms[0].dtype) for term in terms])
        gradients = tape.gradient(loss, module.trainable_variables)
        for variable, gradient in zip(module.trainable_variables, gradients, strict=True):
            if gradient is not None:
                rate = tf.cast(train["learning_rate"], variable.dtype)
                variable.assign_sub(rate * tf.convert_to_tensor(gradient))
