"""The ways that a module is taken, each compared with the record of TensorFlow 1.15."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import AssetFileDef, MetaGraphDef

import compat_hub
from tests.records import Record, value_of

Values = Mapping[str, Any]
Pairs = Iterator[tuple[Any, Any]]


def difference(found: Any, expected: Any) -> float:
    """The largest difference relative to the largest magnitude; infinite where one has no match."""
    if isinstance(expected, tf.SparseTensor):
        return max(
            difference(getattr(found, p), getattr(expected, p)) for p in ("indices", "values")
        )
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        return float("inf")
    if expected.dtype.kind in "OS":
        return 0.0 if found.astype("S").tolist() == expected.astype("S").tolist() else float("inf")
    if not expected.size:
        return 0.0
    found, expected = found.astype(np.complex128), expected.astype(np.complex128)
    both = np.isfinite(expected) & np.isfinite(found)
    if not np.array_equal(np.isfinite(expected), np.isfinite(found)):
        return float("inf")
    scale = np.abs(expected[both]).max(initial=0.0) or 1.0
    return float(np.abs(found - expected)[both].max(initial=0.0) / scale)


def _outputs(record: Record, call: Callable[[list[str], str, Values], Values]) -> Pairs:
    for tags in record.tag_sets:
        for signature in record.signatures(tags):
            found = call(tags, signature, record.inputs(signature))
            for name, value in record.outputs(tags, signature).items():
                yield found[name], value


def call(record: Record) -> Pairs:
    """Each variant's signatures, called eagerly."""
    modules: dict[tuple[str, ...], Any] = {}

    def apply(tags: list[str], signature: str, inputs: Values) -> Values:
        module = modules.setdefault(tuple(tags), compat_hub.load(record.path, tags=tags))
        return module(inputs, signature=signature, as_dict=True)

    return _outputs(record, apply)


def function(record: Record) -> Pairs:
    """The same inside a tf.function."""

    def apply(tags: list[str], signature: str, inputs: Values) -> Values:
        module = compat_hub.load(record.path, tags=tags)
        infos = module.get_input_info_dict(signature)
        tensors = {n: _tensor(v, infos[n].dtype) for n, v in inputs.items()}
        return tf.function(lambda feeds: module(feeds, signature=signature, as_dict=True))(tensors)

    return _outputs(record, apply)


def _tensor(value: Any, dtype: tf.DType) -> Any:
    composite = isinstance(value, tf.SparseTensor | tf.RaggedTensor)
    return value if composite else tf.convert_to_tensor(value, dtype)


def tape(record: Record) -> Pairs:
    """Steps of gradient descent with a tape: every variable after each step."""
    train = record.train
    if train is None:
        return
    module = compat_hub.load(record.path, tags=train["tags"])
    for k in range(train["steps"]):
        with tf.GradientTape() as watching:
            result = module.call_signature(
                record.inputs(train["signature"]), train["signature"], training=True, losses=True
            )
            terms = [tf.reduce_sum(tf.square(result.outputs[name])) for name in train["outputs"]]
            terms += [loss() for loss in module.regularization_losses] + result.losses
            loss = tf.add_n([tf.cast(term, terms[0].dtype) for term in terms])
        gradients = watching.gradient(loss, module.trainable_variables)
        for variable, gradient in zip(module.trainable_variables, gradients, strict=True):
            if gradient is not None:
                rate = tf.cast(train["learning_rate"], variable.dtype)
                variable.assign_sub(rate * tf.convert_to_tensor(gradient))
        for key, value in record.variables(k + 1).items():
            yield value_of(module.variable_map[key]), value


def _fit(record: Record, keras: Any, layer_class: Any) -> Pairs:
    train = record.train
    if train is None:
        return
    module = compat_hub.load(record.path, tags=train["tags"])
    infos = module.get_input_info_dict(train["signature"])
    inputs = {n: _tensor(v, infos[n].dtype) for n, v in record.inputs(train["signature"]).items()}
    scalars = {n: v for n, v in inputs.items() if v.shape.rank == 0}
    hub_layer = layer_class(
        module,
        trainable=True,
        signature=train["signature"],
        signature_outputs_as_dict=True,
        arguments=scalars,
    )

    class Model(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hub_layer = hub_layer
            self.built = True

        def call(self, inputs: Any, training: Any = None) -> Any:
            return self.hub_layer(inputs, training=training)

        def train_step(self, data: Any) -> Any:
            with tf.GradientTape() as watching:
                outputs = self(data[0] if isinstance(data, tuple) else data, training=True)
                terms = [tf.reduce_sum(tf.square(outputs[n])) for n in train["outputs"]]
                loss = tf.add_n([tf.cast(t, terms[0].dtype) for t in terms + list(self.losses)])
            weights = self.trainable_weights
            gradients = watching.gradient(
                loss, [getattr(w, "value", w) if keras3 else w for w in weights]
            )
            pairs = [(g, w) for g, w in zip(gradients, weights, strict=True) if g is not None]
            self.optimizer.apply_gradients(pairs)
            return {"loss": loss}

    keras3 = keras.__name__ == "keras"
    model = Model()
    options = {"jit_compile": False} if keras3 else {}
    model.compile(keras.optimizers.SGD(train["learning_rate"]), **options)
    data = tf.data.Dataset.from_tensors({n: v for n, v in inputs.items() if n not in scalars})
    for k in range(train["steps"]):
        model.fit(data, verbose=0)
        for key, value in record.variables(k + 1).items():
            yield value_of(module.variable_map[key]), value


def keras_3(record: Record) -> Pairs:
    """Steps of `fit` with the layer of Keras 3."""
    import keras  # noqa: PLC0415

    from compat_hub import keras3  # noqa: PLC0415

    return _fit(record, keras, keras3.KerasLayer)


def tf_keras(record: Record) -> Pairs:
    """Steps of `fit` with the layer of tf_keras."""
    import tf_keras as keras  # noqa: PLC0415

    from compat_hub import keras2  # noqa: PLC0415

    return _fit(record, keras, keras2.KerasLayer)


_SERVE = """
import sys
import numpy as np
import tensorflow as tf
folder, *signatures = sys.argv[1:]
model = tf.saved_model.load(f"{folder}/model")
for k, signature in enumerate(signatures):
    function = model.signatures[signature]
    _, specs = function.structured_input_signature
    feeds = {}
    with np.load(f"{folder}/given{k}.npz") as arrays:
        for name, spec in specs.items():
            value = arrays[name]
            value = value.tolist() if value.dtype.kind == "S" else value
            feeds[name] = tf.constant(value, spec.dtype)
    found = function(**feeds)
    np.savez(f"{folder}/made{k}.npz", **{name: value.numpy() for name, value in found.items()})
"""


def convert(record: Record) -> Pairs:
    """What `convert` writes, served by tf.saved_model.load in a process without compat_hub."""
    for tags in record.tag_sets:
        if "train" in tags:
            continue
        with tempfile.TemporaryDirectory() as folder:
            module = compat_hub.load(record.path, tags=tags)
            module.save(f"{folder}/model")
            served = [s for s in record.signatures(tags) if _give(record, module, s) is not None]
            for k, signature in enumerate(served):
                np.savez(f"{folder}/given{k}.npz", **(_give(record, module, signature) or {}))
            command = [sys.executable, "-c", _SERVE, folder, *served]
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
            if done.returncode:
                raise RuntimeError((done.stderr.strip().splitlines() or ["no word"])[-1])
            for k, signature in enumerate(served):
                with np.load(f"{folder}/made{k}.npz", allow_pickle=True) as made:
                    for name, value in record.outputs(tags, signature).items():
                        if name in made:
                            yield made[name], value


def _give(record: Record, module: compat_hub.HubModule, signature: str) -> Values | None:
    """What a converted signature takes; nothing if the record feeds what it has as a default."""
    variant = module.variant(training=False)
    infos = variant.signatures[signature].inputs
    arrays = {}
    for name, value in record.inputs(signature).items():
        if variant.has_default(infos[name]) or infos[name].is_composite:
            return None
        array = np.asarray(value)
        arrays[name] = array.astype("S") if array.dtype == object else array
    return arrays


def _apply_in_graph(
    record: Record, tags: list[str], signature: str, trainable: bool
) -> tuple[compat_hub.Module, Values]:
    """A module in the current graph, and what a signature gives for the recorded inputs."""
    module = compat_hub.Module(record.path, trainable=trainable, tags=set(tags))
    infos = module.get_input_info_dict(signature)
    inputs = {n: _tensor(v, infos[n].dtype) for n, v in record.inputs(signature).items()}
    return module, module(inputs, signature=signature, as_dict=True)


def hub_module(record: Record) -> Pairs:
    """`compat_hub.Module` in a graph and a session, outputs of each variant."""

    def apply(tags: list[str], signature: str, _: Values) -> Values:
        v1 = tf.compat.v1
        with tf.Graph().as_default(), v1.Session() as session:
            outputs = _apply_in_graph(record, tags, signature, trainable=False)[1]
            session.run([v1.global_variables_initializer(), v1.tables_initializer()])
            expected = record.outputs(tags, signature)
            return session.run({name: outputs[name] for name in expected})

    return _outputs(record, apply)


def session_training(record: Record) -> Pairs:
    """Steps in a session with `compat_hub.Module`, as the record was made."""
    train = record.train
    if train is None:
        return
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        module, outputs = _apply_in_graph(record, train["tags"], train["signature"], trainable=True)
        terms = [tf.reduce_sum(tf.square(outputs[name])) for name in train["outputs"]]
        terms += v1.losses.get_regularization_losses()
        loss = tf.add_n([tf.cast(term, terms[0].dtype) for term in terms])
        updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
        with tf.control_dependencies(updates):
            optimizer = v1.train.GradientDescentOptimizer(train["learning_rate"])
            step = optimizer.minimize(loss, var_list=v1.trainable_variables())
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        for k in range(train["steps"]):
            if train.get("loss_with_step"):
                session.run([loss, step])
            else:
                session.run(step)
            values = session.run(dict(module.variable_map))
            for key, value in record.variables(k + 1).items():
                parts = values[key]
                yield np.concatenate(parts) if isinstance(parts, list) else parts, value


@contextlib.contextmanager
def _untouched(record: Record, tags: list[str]) -> Iterator[tuple[tf.Graph, Any]]:
    """The second judge: TensorFlow 2 with the module's own graph, and the recorded variables.

    What differs from TensorFlow 1.15 here is a difference of the two TensorFlows. Gradients of
    loops of TensorFlow 1 come only where the control flow of TensorFlow 2 is turned off.
    """
    v1 = tf.compat.v1
    v1.disable_control_flow_v2()
    saved = saved_model_pb2.SavedModel.FromString(
        (Path(record.path) / "saved_model.pb").read_bytes()
    )
    (meta_graph,) = (m for m in saved.meta_graphs if set(m.meta_info_def.tags) == set(tags))
    _find_assets(meta_graph, Path(record.path) / "assets")
    with tf.Graph().as_default() as graph, v1.Session() as session:
        v1.train.import_meta_graph(meta_graph)
        start = record.variables(0)
        session.run(v1.global_variables_initializer())
        for variable in v1.global_variables():
            name, where = _place(variable)
            if name in start:
                variable.load(start[name][where], session)
        session.run(v1.tables_initializer())
        yield graph, session


def _place(variable: Any) -> tuple[str, tuple[slice, ...]]:
    """The name of a variable in the record, and which part it is: the whole, save for a slice."""
    info = variable._get_save_slice_info()
    if info is None:
        return variable.op.name, ()
    places = zip(info.var_offset, info.var_shape, strict=True)
    return info.full_name, tuple(slice(at, at + size) for at, size in places)


def _find_assets(meta_graph: MetaGraphDef, folder: Path) -> None:
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    for packed in meta_graph.collection_def["saved_model_assets"].any_list.value:
        asset = AssetFileDef()
        packed.Unpack(asset)
        value = tf.make_tensor_proto(str(folder / asset.filename))
        nodes[asset.tensor_info.name.partition(":")[0]].attr["value"].tensor.CopyFrom(value)


def _feeds(record: Record, tags: list[str], name: str) -> tuple[Any, dict[str, Any]]:
    """A signature as it stands in the file, and the values of its tensors."""
    signature = compat_hub.load_module_spec(record.path).signature(name, frozenset(tags))
    feeds: dict[str, Any] = {}
    for key, value in record.inputs(name).items():
        info = signature.inputs[key]
        parts = info.unpack(value) if info.is_composite else [value]
        feeds.update(zip(info.components, map(np.asarray, parts), strict=True))
    return signature, feeds


def alone(record: Record) -> Pairs:
    """Outputs of each variant by TensorFlow 2 alone."""
    for tags in record.tag_sets:
        for name in record.signatures(tags):
            with _untouched(record, tags) as (_, session):
                signature, feeds = _feeds(record, tags, name)
                for key, value in record.outputs(tags, name).items():
                    if not signature.outputs[key].is_composite:
                        yield session.run(signature.outputs[key].components[0], feeds), value


def alone_training(record: Record) -> Pairs:
    """Steps of training by TensorFlow 2 alone."""
    train = record.train
    if train is None:
        return
    v1 = tf.compat.v1
    with _untouched(record, train["tags"]) as (graph, session):
        signature, feeds = _feeds(record, train["tags"], train["signature"])
        outputs = [
            graph.get_tensor_by_name(signature.outputs[n].components[0]) for n in train["outputs"]
        ]
        terms = [tf.reduce_sum(tf.square(output)) for output in outputs]
        losses = v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES)
        loss = tf.add_n([tf.cast(term, terms[0].dtype) for term in [*terms, *losses]])
        updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
        with tf.control_dependencies([op for op in updates if _runs(op, graph, feeds)]):
            optimizer = v1.train.GradientDescentOptimizer(train["learning_rate"])
            step = optimizer.minimize(loss, var_list=v1.trainable_variables())
        variables = v1.global_variables()
        for k in range(train["steps"]):
            session.run([loss, step] if train.get("loss_with_step") else step, feeds)
            expected = record.variables(k + 1)
            for variable, value in zip(variables, session.run(variables), strict=True):
                name, where = _place(variable)
                if name in expected:
                    yield value, expected[name][where]


def _runs(update: Any, graph: tf.Graph, feeds: Values) -> bool:
    """Whether an op needs no placeholder that is not fed: other signatures have theirs."""
    fed = {graph.get_tensor_by_name(name).op for name in feeds}
    waiting = [getattr(update, "op", update)]
    seen = set(waiting)
    while waiting:
        op = waiting.pop()
        if op in fed:
            continue
        if op.type == "Placeholder":
            return False
        before = {tensor.op for tensor in op.inputs} | set(op.control_inputs)
        waiting += before - seen
        seen |= before
    return True


WAYS: dict[str, Callable[[Record], Pairs]] = {
    "call": call,
    "tf.function": function,
    "tape": tape,
    "Keras 3 fit": keras_3,
    "tf_keras fit": tf_keras,
    "convert": convert,
    "hub.Module": hub_module,
    "hub.Module, training": session_training,
    "TensorFlow 2 alone, training": alone_training,
    "TensorFlow 2 alone": alone,
}


def outcome(way: str, folder: Path) -> str:
    """The worst difference from the record, or the error.

    Each number is relative to the largest magnitude of its tensor; `-` says that the record has
    nothing to compare.
    """
    try:
        worst = [difference(found, expected) for found, expected in WAYS[way](Record(folder))]
    except Exception as error:
        text = " ".join(str(error).split())
        short = text if len(text) < 600 else f"{text[:100]} ... {text[-500:]}"
        return f"{type(error).__name__}: {short}"
    return f"{max(worst):.1e}" if worst else "-"
