"""What `HubModule.save` writes gives TF 1.15's outputs, and trains as hub.Module did."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import compat_hub
from compat_hub.programs.gradients.custom import LostGradientWarning
from tests.records import Record, assert_close, value_of

TF1_OPS = {
    *("Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"),
    *("RefSwitch", "RefMerge", "RefEnter", "RefExit", "RefNextIteration", "RefIdentity"),
    *("Variable", "VariableV2", "Assign", "AssignAdd", "AssignSub", "HashTableRef"),
    *("TensorArrayV3", "LSTMBlockCell", "GRUBlockCell"),
}

RUNS_AS_IT_IS = {"gradients_of_array_loops"}  # a part of it

# Of outputs that do not train; the others do.
pytestmark = pytest.mark.filterwarnings(
    "ignore::compat_hub.programs.gradients.outputs.NoGradientWarning"
)


def _save(module: compat_hub.HubModule, path: Path, **kwargs: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LostGradientWarning)
        return tf.saved_model.load(module.save(path, **kwargs))


def _flat(module: compat_hub.HubModule, signature: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs of a signature as its SavedModel takes them."""
    variant = module.variant(training=False)
    flat = {}
    for name, info in variant.signatures[signature].inputs.items():
        if not variant.has_default(info):
            value = inputs[name] if info.is_composite else tf.constant(inputs[name], info.dtype)
            labels = [_parameter(label) for label in info.component_labels(name)]
            flat.update(zip(labels, info.unpack(value), strict=True))
    return flat


def _parameter(label: str) -> str:
    """The keyword argument for an input: some names cannot be one."""
    clean = "".join(c if c.isalnum() else "_" for c in label)
    odd = clean in {"class", "self"} or clean[0] == "_" or clean[0].isdigit()
    return f"arg_{clean}" if odd else clean


def _variables(module: compat_hub.HubModule, loaded: Any) -> dict[str, Any]:
    """The loaded object's variables as in `variable_map`."""
    counterpart = {
        id(own): other for own, other in zip(module.variables, loaded.variables, strict=True)
    }
    return {
        key: [counterpart[id(p)] for p in v] if isinstance(v, list) else counterpart[id(v)]
        for key, v in module.variable_map.items()
    }


def _call_in_keras_3(path: Path, signature: str, inputs: dict[str, Any]) -> dict[str, Any]:
    layer = keras.layers.TFSMLayer(str(path), call_endpoint=signature)
    if len(inputs) == 1:
        (value,) = inputs.values()
        return layer(value)
    # Keras wants a positional argument; a signature takes several inputs by keyword only.
    return layer.call_endpoint_fn(**inputs)


def test_outputs(record: Record, tmp_path: Path) -> None:
    for number, tags in enumerate(record.tag_sets):
        module = compat_hub.load(record.path, tags=tags)
        path = tmp_path / str(number)
        loaded = _save(module, path)
        written = (path / "saved_model.pb").read_bytes()
        (meta_graph,) = saved_model_pb2.SavedModel.FromString(written).meta_graphs
        bodies = [
            meta_graph.graph_def.node,
            *(function.node_def for function in meta_graph.graph_def.library.function),
        ]
        if record.folder.name not in RUNS_AS_IT_IS:
            assert not TF1_OPS & {node.op for nodes in bodies for node in nodes}
        for turn_of_signature, signature in enumerate(record.signatures(tags)):
            inputs = record.inputs(signature)
            defaults = module.variant(training=False)
            infos = defaults.signatures[signature].inputs
            if any(defaults.has_default(info) for name, info in infos.items() if name in inputs):
                continue  # the record feeds what the signature leaves at its default
            if turn_of_signature:  # a call may change the state, and the record is of the first
                loaded = tf.saved_model.load(str(path))
            call = loaded.signatures[signature]
            # Keras has no weights of unknown rank.
            if not turn_of_signature and all(v.shape.rank is not None for v in module.variables):
                value = _call_in_keras_3(path, signature, _flat(module, signature, inputs))
                expected = record.outputs(tags, signature)
                for name in expected.keys() & value.keys():
                    what = f"{tags} {signature} {name} in Keras 3"
                    assert_close(value[name], expected[name], record.output_tolerance, what)
            for turn in range(1, record.calls(tags, signature) + 1):
                found = call(**_flat(module, signature, inputs))
                for name, info in defaults.signatures[signature].outputs.items():
                    if name not in record.outputs(tags, signature, turn):
                        continue
                    value = info.pack([found[label] for label in info.component_labels(name)])
                    expected = record.outputs(tags, signature, turn)[name]
                    what = f"{tags} {signature} {name}, call {turn}"
                    assert_close(value, expected, record.output_tolerance, what)
                variables = _variables(module, loaded)
                for name, value in record.changed(tags, signature, turn).items():
                    assert_close(value_of(variables[name]), value, record.output_tolerance, name)


def test_training(trained: Record, tmp_path: Path) -> None:
    train = trained.train
    module = compat_hub.load(trained.path, tags=train["tags"])
    infos = module.get_output_info_dict(train["signature"])
    returned = {"default"} if "default" in infos else set(infos)
    inputs = trained.inputs(train["signature"])
    if not set(train["outputs"]) <= returned or train.get("reg_of_inputs") or not inputs:
        pytest.skip("the interface returns other outputs, or no losses that depend on inputs")
    loaded = _save(module, tmp_path / "saved", signatures=[train["signature"]])
    variant = module.variant(training=False)
    infos = variant.signatures[train["signature"]].inputs
    values = {
        name: value if infos[name].is_composite else tf.constant(value, infos[name].dtype)
        for name, value in inputs.items()
    }
    hyper = {n: v for n, v in values.items() if variant.has_default(infos[n])}
    values = {n: v for n, v in values.items() if n not in hyper}
    if "training" in hyper:  # the argument of that name is the input's value, too
        assert hyper.pop("training").numpy()
    names = [v.name for v in loaded.variables]
    kept = dict(zip(names, loaded.variables, strict=True))
    for _ in range(train["steps"]):
        with tf.GradientTape() as tape:
            output = loaded(values, training=True, **hyper)
            outputs = output if isinstance(output, dict) else {"default": output}
            terms = [tf.reduce_sum(tf.square(outputs[name])) for name in train["outputs"]]
            terms += [loss() for loss in loaded.regularization_losses]
            loss = tf.add_n([tf.cast(term, terms[0].dtype) for term in terms])
        variables = loaded.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            if gradient is not None:
                rate = tf.cast(train["learning_rate"], variable.dtype)
                variable.assign_sub(rate * tf.convert_to_tensor(gradient))
    checked = 0
    for key, value in trained.variables(train["steps"]).items():
        own = module.variable_map[key]
        parts = own if isinstance(own, list) else [own]
        if all(part.name in kept for part in parts):
            found = [kept[part.name] for part in parts]
            found = value_of(found if isinstance(own, list) else found[0])
            assert_close(found, value, trained.step_tolerance, f"{key} after training")
            checked += 1
    assert checked
