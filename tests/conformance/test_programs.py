"""Programs against the graph-mode API give the values that TensorFlow 1.15 recorded of them.

And modules that compat_hub wrote do what TensorFlow 1.15 recorded of these.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

import compat_hub
from tests.authoring import control_flow_of_tf1
from tests.conformance import test_outputs, test_training
from tests.records import FIXTURES, STEP_TOLERANCE, Record, assert_close, read_records
from tests.tf1.programs import PROGRAMS
from tests.tf1.programs.registry import Kept, array_of, is_array, plain

RECORDS = Path(__file__).parent.parent / "programs_fixtures"
EXPORTS = read_records(RECORDS / "exports")
v1 = tf.compat.v1


def _record(name: str) -> dict[str, Any]:
    return json.loads((RECORDS / f"{name}.json").read_text())


def _kept(name: str) -> list[dict[str, Any]]:
    return [v for v in _record(name).values() if isinstance(v, dict) and "module" in v]


@pytest.mark.parametrize("name", sorted(PROGRAMS))
@pytest.mark.parametrize("control_flow", ["of TF1", "in functions"])
def test_programs(name: str, control_flow: str, tmp_path: Path) -> None:
    in_functions = control_flow == "in functions"
    if in_functions and PROGRAMS[name].needs_tf1_control_flow:
        pytest.skip(PROGRAMS[name].needs_tf1_control_flow)
    with contextlib.nullcontext() if in_functions else control_flow_of_tf1():
        values = _run(name, tmp_path, in_functions)
    for value in values.values():
        if isinstance(value, Kept):
            _compare_loaded(tmp_path / value.path, plain(value), PROGRAMS[name].tolerance)


@pytest.mark.parametrize("name", [name for name in sorted(PROGRAMS) if _kept(name)])
def test_modules_that_tf1_exported(name: str) -> None:
    for kept in _kept(name):
        _compare_loaded(RECORDS / name / kept["module"], kept, PROGRAMS[name].tolerance)


def test_programs_without_tf2_behavior(tmp_path: Path) -> None:
    """As most programs for TF1 begin; there is no way back, so this is another process."""
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    script = "from tests.conformance import test_programs as t; t.run_without_tf2_behavior()"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert not done.stdout


def run_without_tf2_behavior() -> None:
    """Runs the programs in folders of the current one, and prints what goes wrong."""
    v1.disable_v2_behavior()
    for name in sorted(PROGRAMS):
        folder = Path(name).absolute()
        folder.mkdir()
        try:
            _run(name, folder)
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {error}"[:1000], flush=True)


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_modules_written_here(name: str) -> None:
    record = EXPORTS[name]
    test_outputs.test_calls(record, test_outputs._eagerly)
    if record.train:
        test_training.test_a_gradient_tape(record, in_function=False)


@pytest.mark.parametrize("name", sorted(EXPORTS))
@pytest.mark.parametrize("control_flow", ["of TF1", "in functions"])
def test_modules_written_here_in_graphs(name: str, control_flow: str) -> None:
    test_application_in_graphs(EXPORTS[name])
    if EXPORTS[name].train:
        _check_training(EXPORTS[name], control_flow)


def test_application_in_graphs(record: Record) -> None:
    """Every signature of every variant gives TF 1.15's outputs, and changes the same variables."""
    for tags in record.tag_sets:
        signatures = record.signatures(tags)
        inputs = {name: record.inputs(name) for name in signatures}
        turns = {
            (name, turn): (record.outputs(tags, name, turn), record.changed(tags, name, turn))
            for name in signatures
            for turn in range(1, record.calls(tags, name) + 1)
        }
        with tf.Graph().as_default():
            module = compat_hub.Module(record.path, tags=set(tags))
            results = {
                name: module(_in_graph(inputs[name]), signature=name, as_dict=True)
                for name in signatures
            }
            with v1.Session() as session:
                for (name, turn), (outputs, changed) in turns.items():
                    if turn == 1:
                        _initialize(session)
                    found = session.run(results[name])
                    for key, value in outputs.items():
                        what = f"{tags} {name} {key}, call {turn}"
                        _compare_values(found[key], value, record.output_tolerance, what)
                    for key, value in changed.items():
                        found_value = session.run(_whole(module.variable_map[key]))
                        assert_close(found_value, value, record.output_tolerance, key)


def test_training_in_graphs(trained: Record) -> None:
    """Steps of SGD on hub.Module, as they were recorded."""
    _check_training(trained, "in functions")


# The kind of control flow decides which gradients of TensorArrays TensorFlow takes.
@pytest.mark.parametrize("name", ["cond_in_while_in_cond", "elmo", "rnn_raw", "while_in_while"])
def test_training_in_graphs_with_control_flow_of_tf1(name: str) -> None:
    _check_training(Record(FIXTURES / name), "of TF1")


def _check_training(trained: Record, control_flow: str) -> None:
    train = trained.train
    assert train
    if "stripped" in trained.meta:
        pytest.skip("in TF1, gradients of control flow need the collections that it lost")
    if "reg_of_inputs" in train:
        pytest.skip("of a loss on inputs, the collection has one that nothing feeds")
    in_functions = control_flow == "in functions"
    with contextlib.nullcontext() if in_functions else control_flow_of_tf1():
        _train_in_a_graph(trained, train)


def _run(name: str, folder: Path, in_functions: bool = False) -> Mapping[str, Any]:
    """Runs a program and compares what it returns."""
    program = PROGRAMS[name]
    values = program.run(v1, compat_hub, str(folder))
    expected = _record(name)
    assert values.keys() == expected.keys()
    for key, value in expected.items():
        if not (in_functions and key.startswith(tuple(program.control_flow_names))):
            _compare(plain(values[key]), value, program.tolerance, key)
    return values


def _compare_loaded(path: Path, kept: Mapping[str, Any], tolerance: float) -> None:
    """Loads a module in TensorFlow 2; compares its variables and what it computes."""
    module = compat_hub.load(str(path), tags=kept["tags"] or None)
    inputs = {
        key: array_of(value) if is_array(value) else value for key, value in kept["inputs"].items()
    }
    outputs = module(inputs, signature=kept["signature"], as_dict=True)
    assert outputs.keys() >= kept["outputs"].keys()
    for key, value in kept["outputs"].items():
        _compare(plain(outputs[key].numpy()), value, tolerance, key)
    for key, value in kept["variables"].items():
        _compare(plain(module.variable_map[key].numpy()), value, tolerance, key)


def _compare(found: Any, expected: Any, tolerance: float, what: str) -> None:
    if is_array(expected):
        assert is_array(found), f"{what}: {found}"
        assert_close(array_of(found), array_of(expected), tolerance, what)
    elif isinstance(expected, dict) and "raises" in expected:
        assert "raises" in found, f"{what}: {found}"
        # An error here may be caught by more handlers.
        assert set(found["raises"]) >= set(expected["raises"]), what
        assert "nothing raised" not in set(found["raises"]) - set(expected["raises"]), what
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys(), what
        for key, value in expected.items():
            _compare(found[key], value, tolerance, f"{what}, {key}")
    else:
        assert found == expected, what


def _train_in_a_graph(record: Record, train: Mapping[str, Any]) -> None:
    inputs = record.inputs(train["signature"])
    with tf.Graph().as_default():
        module = compat_hub.Module(record.path, trainable=True, tags=set(train["tags"]))
        outputs = module(_in_graph(inputs), signature=train["signature"], as_dict=True)
        losses = v1.losses.get_regularization_losses()
        updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
        assert len(losses) == train["reg"]
        assert len(updates) == train["update_ops"]
        assert [v.op.name for v in v1.trainable_variables()] == train["trainable"]
        terms = [tf.reduce_sum(outputs[key] ** 2) for key in train["outputs"]]
        loss = tf.add_n(terms + [tf.cast(term, terms[0].dtype) for term in losses])
        with tf.control_dependencies(updates):
            step = v1.train.GradientDescentOptimizer(train["learning_rate"]).minimize(loss)
        with v1.Session() as session:
            _initialize(session)
            for k in range(train["steps"]):
                if train.get("loss_with_step"):
                    value, _ = session.run([loss, step])
                else:
                    value = session.run(loss)
                    session.run(step)
                expected = record.arrays[f"loss{k}"]
                assert_close(value, expected, STEP_TOLERANCE, f"loss before step {k + 1}")
                for key, expected in record.variables(k + 1).items():
                    found = session.run(_whole(module.variable_map[key]))
                    assert_close(
                        found, expected, record.step_tolerance, f"{key} after step {k + 1}"
                    )


def _initialize(session: Any) -> None:
    session.run([v1.global_variables_initializer(), v1.tables_initializer()])


def _whole(variable: Any) -> Any:
    """A variable, or the parts of a partitioned one in one piece."""
    if not isinstance(variable, list):
        return variable
    rests = {tuple(part.shape[1:]) for part in variable}
    return tf.concat(variable, axis=0 if len(rests) == 1 else 1)


def _in_graph(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs of a record, whose tensors belong to the eager program."""

    def convert(value: Any) -> Any:
        return value.numpy() if isinstance(value, tf.Tensor) else value

    return {
        key: tf.nest.map_structure(convert, value, expand_composites=True)
        if isinstance(value, tf.SparseTensor | tf.RaggedTensor)
        else convert(value)
        for key, value in inputs.items()
    }


def _compare_values(found: Any, expected: Any, tolerance: float, what: str) -> None:
    """Compares what a session gave with a value of a record."""
    if isinstance(expected, tf.SparseTensor):
        for part in ("indices", "values", "dense_shape"):
            assert_close(getattr(found, part), getattr(expected, part), tolerance, what)
    elif isinstance(expected, tf.RaggedTensor):
        assert_close(found.flat_values, expected.flat_values, tolerance, what)
        for a, b in zip(found.nested_row_splits, expected.nested_row_splits, strict=True):
            assert_close(a, b, 0, what)
    else:
        assert_close(found, expected, tolerance, what)
