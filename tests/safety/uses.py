"""Every public way to use a module, one after the other, as far as each gets."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import compat_hub
from compat_hub import beam, keras2, keras3
from compat_hub.tools.batch.run import run

v1 = tf.compat.v1

# What the attacks' signatures take, if they take it.
VALUES = {"x": np.ones([2], np.float32), "text": np.array(["a", "b"])}


class Uses:
    """The ways to use one module.

    Args:
        path: The module.
        folder: A folder for what they write.
    """

    def __init__(self, path: str, folder: Path) -> None:
        self._path = path
        self._folder = folder

    def all(self) -> Mapping[str, Callable[[], Any]]:
        """By name."""
        return {
            name: getattr(self, name)
            for name in dir(self)
            if not name.startswith("_") and name != "all"
        }

    def _inputs(self, signature: Any) -> dict[str, Any]:
        infos = compat_hub.load_module_spec(self._path).get_input_info_dict(signature)
        return {name: VALUES[name] for name in infos if name in VALUES}

    def _names(self) -> list[str]:
        return compat_hub.load_module_spec(self._path).get_signature_names()

    def load(self) -> Iterator[Any]:
        module = compat_hub.load(self._path)
        for name in self._names():
            for training in (False, True):
                with _errors():
                    yield module(self._inputs(name), name, as_dict=True, training=training)
            with _errors():
                yield module.signatures[name](**self._inputs(name))
        with _errors():
            yield from (loss() for loss in module.regularization_losses)

    def function(self) -> Iterator[Any]:
        module = compat_hub.load(self._path)
        for name in self._names():
            inputs = self._inputs(name)

            @tf.function(autograph=False)
            def call(name: str = name, inputs: Any = inputs) -> Any:
                return module(inputs, name, as_dict=True, training=True)

            with _errors():
                yield call()

    def gradients(self) -> Iterator[Any]:
        module = compat_hub.load(self._path)
        for name in self._names():
            inputs = {n: tf.constant(v) for n, v in self._inputs(name).items()}
            with _errors(), tf.GradientTape() as tape:
                tape.watch(list(inputs.values()))
                outputs = module(inputs, name, as_dict=True, training=True)
                total = tf.add_n([tf.reduce_sum(v) for v in outputs.values()])
                total += tf.add_n(
                    [tf.zeros([]), *(loss() for loss in module.regularization_losses)]
                )
            with _errors():
                yield tape.gradient(total, [*inputs.values(), *module.trainable_variables])

    def module_in_a_function(self) -> Iterator[Any]:
        for name in self._names():
            with _errors():
                yield self._made_in_a_function(name)()

    def _made_in_a_function(self, name: str) -> Callable[[], Any]:
        made: list[Any] = []

        @tf.function(autograph=False)
        def call() -> Any:
            if not made:
                made.append(compat_hub.Module(self._path, trainable=True))
            outputs = made[0](self._inputs(name), signature=name, as_dict=True)
            graph: Any = v1.get_default_graph()
            losses = graph.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES)
            with tf.control_dependencies(graph.get_collection(v1.GraphKeys.UPDATE_OPS)):
                return {k: tf.identity(v) for k, v in outputs.items()}, losses

        return call

    def gradients_in_a_graph(self) -> Iterator[Any]:
        for name in self._names():
            with tf.Graph().as_default(), v1.Session() as session, _errors():
                inputs = {n: tf.constant(v) for n, v in self._inputs(name).items()}
                module = compat_hub.Module(self._path, trainable=True)
                outputs = module(inputs, signature=name, as_dict=True)
                total = tf.add_n([tf.reduce_sum(v) for v in outputs.values()])
                found = tf.gradients(total, [*inputs.values(), *module.variables])
                with _errors():
                    session.run([v1.global_variables_initializer(), v1.tables_initializer()])
                yield session.run([g for g in found if g is not None])

    def keras3(self) -> Iterator[Any]:
        yield from self._layer(keras3.KerasLayer)

    def keras2(self) -> Iterator[Any]:
        yield from self._layer(keras2.KerasLayer)

    def _layer(self, kind: Any) -> Iterator[Any]:
        for name in self._names():
            with _errors():
                layer = kind(
                    self._path, trainable=True, signature=name, signature_outputs_as_dict=True
                )
                inputs = self._inputs(name)
                yield layer(inputs if len(inputs) != 1 else next(iter(inputs.values())))
                yield layer(inputs, training=True)
                yield layer.losses

    def convert(self) -> Iterator[Any]:
        path = compat_hub.convert(self._path, self._folder / "converted")
        loaded: Any = tf.saved_model.load(path)
        for name, function in loaded.signatures.items():
            inputs = {n: tf.constant(v) for n, v in self._inputs(name).items()}
            with _errors():
                yield function(**inputs)
        for training in (False, True):
            with _errors():
                yield loaded(*self._inputs("default").values(), training=training)
        with _errors():
            yield [loss() for loss in loaded.regularization_losses]

    def save_and_export(self) -> Iterator[Any]:
        module = compat_hub.load(self._path)
        with _errors():
            module.save(self._folder / "saved")
        with _errors():
            module.export(self._folder / "exported")
        yield None

    def graph(self) -> Iterator[Any]:
        for name in self._names():
            for control_flow in (1, 2):
                with tf.Graph().as_default(), _errors():
                    yield from self._in_a_graph(name, control_flow)

    def _in_a_graph(self, name: str, version: int) -> Iterator[Any]:
        module = compat_hub.Module(self._path, trainable=True)
        if version == 1:
            outputs = module(self._inputs(name), signature=name, as_dict=True)
        else:

            @tf.function(autograph=False)
            def call() -> Any:
                return module(self._inputs(name), signature=name, as_dict=True)

            outputs = call()
        tensors = tf.nest.flatten(outputs, expand_composites=True)
        yield [tensor.shape for tensor in tensors]
        with v1.Session() as session:
            with _errors():
                session.run(v1.global_variables_initializer())
            with _errors():
                session.run(v1.tables_initializer())
            for tensor in [*tensors, *module.variables]:
                with _errors():
                    yield session.run(tensor)
            for key in v1.get_default_graph().get_all_collection_keys():
                for element in v1.get_collection(key):
                    for part in ("initializer", "initial_value", "op"):
                        with _errors():
                            yield session.run(getattr(element, part))
                    with _errors():
                        yield session.run(element)
            with _errors():
                module.export(self._folder / "from_graph", session)

    def graph_alone(self) -> Iterator[Any]:
        with tf.Graph().as_default() as graph:
            compat_hub.Module(self._path)
            yield [output.shape for op in graph.get_operations() for output in op.outputs]

    def everything_in_the_graph(self) -> Iterator[Any]:
        with tf.Graph().as_default() as graph, v1.Session() as session:
            module = compat_hub.Module(self._path)
            for name in self._names():
                with _errors():
                    module(self._inputs(name), signature=name, as_dict=True)
            for operation in graph.get_operations():
                # What saves the module is the library's own.
                if operation.name.startswith("module"):
                    with _errors():
                        yield session.run(operation.outputs or operation)

    def eval_function(self) -> Iterator[Any]:
        with compat_hub.eval_function_for_module(self._path) as evaluate:
            for name in self._names():
                with _errors():
                    yield evaluate(self._inputs(name), signature=name, as_dict=True)

    def verify(self) -> Iterator[Any]:
        yield compat_hub.verify(self._path)

    def inspect(self) -> Iterator[Any]:
        yield str(compat_hub.inspect(self._path))

    def run(self) -> Iterator[Any]:
        values = self._folder / "values.npy"
        np.save(values, VALUES["x"])
        for name in self._names():
            for inputs in ([f"x={values}"], []):
                with _errors():
                    output = self._folder / "out.jsonl"
                    run(self._path, inputs, output, signature=name, overwrite=True)
                    yield output.read_text()

    def text_embedding_column(self) -> Iterator[Any]:
        features = {"text": np.array(["a", "b"])}
        column = compat_hub.text_embedding_column("text", self._path)
        with tf.Graph().as_default():
            dense = v1.feature_column.input_layer({"text": tf.constant(features["text"])}, [column])
            with v1.Session() as session:
                session.run([v1.global_variables_initializer(), v1.tables_initializer()])
                yield session.run(dense)

    def from_saved_model(self) -> Iterator[Any]:
        spec = compat_hub.create_module_spec_from_saved_model(self._path)
        module = compat_hub.load(spec)
        for name in self._names():
            with _errors():
                yield module(self._inputs(name), name, as_dict=True)

    def beam(self) -> Iterator[Any]:
        for name in self._names():
            with _errors():
                handler = beam.HubModelHandler(self._path, signature=name)
                model = handler.load_model()
                yield list(handler.run_inference([*VALUES["x"]], model))


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """What comes of a use is of no interest."""
    try:
        yield
    except GeneratorExit:
        raise
    except Exception:
        pass


def found_in(path: str, folder: Path, secret: str, marker: Path) -> list[str]:
    """Uses a module in every way.

    Returns:
        The names of the uses that gave the secret away or wrote the marker.
    """
    guilty = []
    for name, use in Uses(path, folder).all().items():
        results: list[str] = []
        with _errors():
            for result in use():
                results.append(str(result))
        if marker.exists() or any(secret in result for result in results):
            guilty.append(name)
            marker.unlink(missing_ok=True)
    return guilty
