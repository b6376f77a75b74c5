"""Faults put into each pass on purpose: each is seen by a test, or by the check behind the pass.

A pass is skipped, or one of the inputs in what it made becomes another tensor. Then a witness, a
test of some module that needs the pass, has to fail.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import control_flow_pb2
from tensorflow.python.framework import function

import compat_hub
from compat_hub.graphdef.names import is_control, node_of, tensor_of
from compat_hub.graphdef.op_outputs import output_dtypes
from compat_hub.graphdef.run_passes import Pass
from compat_hub.programs import pipeline, raising
from compat_hub.programs.gradients.custom import LostGradientWarning
from compat_hub.programs.passes import PASSES
from compat_hub.programs.raising import RAISING
from compat_hub.tf_private import op_registry
from compat_hub.v1.graph import meta_graphs
from tests.authoring import control_flow_of_tf1, write_module
from tests.conformance import (
    test_converted,
    test_outputs,
    test_programs,
    test_state_and_randomness,
    test_training,
)
from tests.copies import ModuleCopy
from tests.records import FIXTURES, Record
from tests.safety import test_attacks, test_other_resources
from tests.v1.graph import test_meta_graphs

v1 = tf.compat.v1
_Witness = Callable[[Path], None]

pytestmark = pytest.mark.filterwarnings("ignore")


def _record(name: str, folder: Path) -> Record:
    """A copy: what others have read of the fixture, and built of it, is not used."""
    shutil.copytree(FIXTURES / name, folder / name)
    return Record(folder / name)


def _outputs(name: str) -> _Witness:
    return lambda folder: test_outputs.test_calls(_record(name, folder), test_outputs._eagerly)


def _training(name: str) -> _Witness:
    return lambda folder: test_training.test_a_gradient_tape(_record(name, folder), False)


def _in_graphs(name: str) -> _Witness:
    return lambda folder: test_programs.test_application_in_graphs(_record(name, folder))


def _saved(name: str) -> _Witness:
    return lambda folder: test_converted.test_outputs(_record(name, folder), folder)


def _saved_and_trained(name: str) -> _Witness:
    return lambda folder: test_converted.test_training(_record(name, folder), folder)


def _lost_gradient(folder: Path) -> None:
    module = compat_hub.load(_record("custom_gradient", folder).path)
    (info,) = module.get_input_info_dict().values()
    x = tf.ones([2, *info.get_shape()[1:]])
    with warnings.catch_warnings(record=True) as caught, tf.GradientTape() as tape:
        warnings.simplefilter("always")
        tape.watch(x)
        loss = tf.reduce_sum(module(x))
        assert tape.gradient(loss, x) is not None
    assert any(issubclass(w.category, LostGradientWarning) for w in caught)


def _own_gradient_in_a_branch(folder: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [], "x")

        @function.Defun(tf.float32, tf.float32)
        def three(x: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
            del x
            return 3.0 * gradient

        @function.Defun(tf.float32, grad_func=three)
        def double(x: tf.Tensor) -> tf.Tensor:
            return 2.0 * x

        with control_flow_of_tf1():
            y = v1.cond(x > 0, lambda: double(x), lambda: -x)
        return {"default": ({"x": x}, {"default": y})}

    module = compat_hub.load(write_module(folder / "module", none=build))
    with pytest.warns(LostGradientWarning, match="in loops or conditionals"):
        module.save(folder / "saved")


def _calls_become_nodes(folder: Path) -> None:
    spec = compat_hub.load_module_spec(_record("resampler", folder).path)
    nodes = meta_graphs.prepare(spec, spec.variant(), {}).graph_def.node
    assert not [node.name for node in nodes if node.op.startswith("CompatHub_")]


def _ranks(folder: Path) -> None:
    """The kernel itself would end the process."""
    module = compat_hub.load(_record("fused_bn_v1", folder).path)
    nodes = _rewritten(module, None).node
    checks = [node for node in nodes if node.op == "EnsureShape"]
    convolutions = [node for node in nodes if node.op == "Conv2D"]
    assert [node.name for node in checks] == [node_of(node.input[0]) for node in convolutions]
    (signature,) = module.variant(training=False).signatures.values()
    (info,) = signature.inputs.values()
    assert [tensor_of(node.input[0]) for node in checks[:1]] == list(info.components)


def _lookups(folder: Path) -> None:
    """The copy of the table shows in nothing but memory."""
    module = compat_hub.load(_record("words", folder).path)
    assert "EnsureShape" in [node.op for node in _rewritten(module, [None]).node]


def _rewritten(module: compat_hub.HubModule, shape: Any) -> Any:
    variant = module.variant(training=False)
    (signature,) = [s for s in variant.signatures.values() if s.name == "default"]
    specs = {n: s.spec() for n, s in module.state.tensors(variant).items()}
    for info in signature.inputs.values():
        specs.update({tensor: tf.TensorSpec(shape, info.dtype) for tensor in info.components})
    fetches = [tensor for info in signature.outputs.values() for tensor in info.components]
    return pipeline.rewrite(variant, fetches, [], specs, {}).graph_def


def _value_of_a_reference(folder: Path) -> None:
    """A branch of TensorFlow 2 has the values of reference variables, and cannot assign to them."""
    record = _record("cond_assign_reference", folder)
    with tf.Graph().as_default():
        module = compat_hub.Module(record.path)
        inputs = record.inputs("default")
        with pytest.raises(compat_hub.GraphError, match="takes such a variable by its value"):
            tf.cond(tf.constant(True), lambda: module(inputs), lambda: 0 * module(inputs))


def _defaults(folder: Path) -> None:
    """Calls are the same, but for converters that refuse the op."""
    record = _record("optional_inputs", folder)
    test_converted.test_outputs(record, folder)
    saved = (folder / "0" / "saved_model.pb").read_bytes()
    assert b"PlaceholderWithDefault" not in saved


def _damaged_constant(folder: Path) -> None:
    copy = ModuleCopy("cond", folder / "copy")
    with copy.meta_graph() as meta_graph:
        for node in meta_graph.graph_def.node:
            if node.op == "Const":
                node.attr["value"].tensor.dtype = tf.int64.as_datatype_enum
    with pytest.raises(compat_hub.ModuleFormatError, match="has the dtype"):
        compat_hub.load(copy.path)(np.ones([2, 5], "float32"))


def _damaged_context(folder: Path) -> None:
    copy = ModuleCopy("while_rnn", folder / "copy")
    with copy.meta_graph() as meta_graph:
        values = meta_graph.collection_def["while_context"].bytes_list.value
        context = control_flow_pb2.WhileContextDef.FromString(values[0])
        context.parallel_iterations = 2**30
        values[0] = context.SerializeToString()
    with tf.Graph().as_default(), pytest.raises(compat_hub.ModuleFormatError, match="iterations"):
        compat_hub.Module(copy.path)


def _unlisted_variable(folder: Path) -> None:
    copy = ModuleCopy("fruit", folder / "copy")
    with copy.meta_graph() as meta_graph:
        for collection in ("variables", "trainable_variables"):
            del meta_graph.collection_def[collection].bytes_list.value[0]
    with pytest.raises(compat_hub.ModuleFormatError, match="GLOBAL_VARIABLES"):
        compat_hub.load(copy.path)(np.ones([2, 5], "float32"))


def _devices(folder: Path) -> None:
    test_meta_graphs.test_devices_are_dropped(lambda name: ModuleCopy(name, folder / "copy"))


def _seed(folder: Path) -> None:
    test_state_and_randomness.test_set_seed_repeats_a_run(
        folder, lambda name: _record(name, folder).path
    )


def _file(folder: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [2], "x")
        v1.placeholder_with_default(tf.io.read_file(str(folder / "file")), [], "content")
        return {"default": ({"x": x}, {"default": 2.0 * x})}

    path = write_module(folder / "module", none=build)
    spec = compat_hub.load_module_spec(path)
    meta_graph = meta_graphs.prepare(spec, spec.variant(), {})
    assert "ReadFile" not in [node.op for node in meta_graph.graph_def.node]


WITNESSES: dict[str, Sequence[_Witness]] = {
    "ops_to_calls": [_outputs("beam_search")],
    "calls_of_ops_to_nodes": [_calls_become_nodes, _in_graphs("beam_search")],
    "check": [_damaged_constant],
    "check_contexts": [_damaged_context],
    "keep_collections": [lambda _: test_meta_graphs.test_collections()],
    "drop_foreign_assets": [
        test_attacks.test_a_programs_export_takes_no_file_that_is_not_the_modules
    ],
    "initialize_from_checkpoint": [_in_graphs("constant")],
    "drop_met_controls": [test_attacks.test_what_stands_before_an_input_that_is_always_fed],
    "leave_out_host": [_file],
    "set_asset_paths": [lambda _: test_meta_graphs.test_assets_are_where_the_module_is()],
    "replace_lost_gradients": [_lost_gradient, _outputs("custom_gradient")],
    "stop_gradients": [_training("loops_without_back_prop")],
    "expand_block_cells": [_saved("block_cells_unrolled")],
    "inline_calls": [_training("partitioned_call")],
    "clear_devices": [_devices, _in_graphs("text_kv")],
    "name_gradients": [_training("block_cells_unrolled")],
    "references_to_values": [_value_of_a_reference],
    "references_to_resources": [_training("reference_gather")],
    "check_variables": [_unlisted_variable],
    "keep_lookups_of_rows": [_lookups],
    "ensure_ranks": [_ranks],
    "unfed_to_defaults": [_defaults],
    "read_variables_outside": [_saved_and_trained("while_in_while_in_while")],
    "raise_control_flow": [_training("cond")],
    "drop_gradients_in_functions": [_own_gradient_in_a_branch],
    "own_resources": [
        lambda folder: test_other_resources.test_tables_of_the_program(folder, "function")
    ],
    "fill_memory": [test_other_resources.test_memory_of_others],
    "seed_random_ops": [_seed],
    "rename_functions": [
        lambda _: test_meta_graphs.test_functions_of_two_imports_have_different_names()
    ],
    "tensor_arrays_to_lists": [_training("tensor_array_no_loop")],
    "cut_again": [_training("tensor_array_no_loop")],
    "loops_and_conditionals": [_training("cond")],
}
ALL = {entry.name: entry for entry in [*PASSES, *RAISING]}
# What no witness sees, and why.
_READS = "it looks at the graph and changes nothing"
UNSEEN = {
    ("cut_again", "skipped"): "nodes that nothing needs cost time, and change no number",
    ("references_to_values", "corrupted"): "only graphs of its unit tests have what it changes",
    ("check", "corrupted"): _READS,
    ("check_contexts", "corrupted"): _READS,
    ("check_variables", "corrupted"): _READS,
}


def _skipped(entry: Pass) -> Pass:
    def run(_: Any) -> None:
        pass

    return dataclasses.replace(entry, run=run)


def _corrupted(entry: Pass) -> Pass:
    """The first node that the pass changed, and that takes a tensor, takes another of its dtype."""

    def run(rewrite: Any) -> None:
        before = {n.name: n.SerializeToString(deterministic=True) for n in rewrite.graph_def.node}
        entry.run(rewrite)
        nodes = {n.name: n for n in rewrite.graph_def.node}
        dtypes = {
            f"{n.name}:{k}": dtype
            for n in nodes.values()
            for k, dtype in enumerate(output_dtypes(n, op_registry.op_def))
        }
        dtypes.update(rewrite.dtypes)
        for node in nodes.values():
            same = before.get(node.name) == node.SerializeToString(deterministic=True)
            if same or not node.input or is_control(node.input[0]):
                continue
            source = tensor_of(node.input[0])
            others = [
                t
                for t, dtype in dtypes.items()
                if dtype == dtypes.get(source) and node_of(t) not in {node.name, node_of(source)}
            ]
            node.input[0] = others[0] if others else "nothing"
            return
        pytest.skip("it changes no node that takes something")

    run.__name__ = entry.name
    return dataclasses.replace(entry, run=run)


@contextlib.contextmanager
def _with(entry: Pass, mutant: Pass) -> Iterator[None]:
    def changed(entries: Sequence[Pass]) -> tuple[Pass, ...]:
        return tuple(mutant if each is entry else each for each in entries)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "PASSES", changed(PASSES))
        patch.setattr(meta_graphs, "PASSES", changed(PASSES))
        patch.setattr(raising, "RAISING", changed(RAISING))
        yield


def test_every_pass_has_a_witness() -> None:
    assert WITNESSES.keys() == ALL.keys()


@pytest.mark.parametrize("name", WITNESSES)
def test_without_a_fault_the_witness_is_content(name: str, tmp_path: Path) -> None:
    for k, witness in enumerate(WITNESSES[name]):
        (tmp_path / str(k)).mkdir()
        witness(tmp_path / str(k))


@pytest.mark.parametrize("fault", [_skipped, _corrupted], ids=["skipped", "corrupted"])
@pytest.mark.parametrize("name", WITNESSES)
def test_a_fault_is_seen(name: str, fault: Callable[[Pass], Pass], tmp_path: Path) -> None:
    if (name, fault.__name__[1:]) in UNSEEN:
        pytest.skip(UNSEEN[name, fault.__name__[1:]])
    entry = ALL[name]
    with _with(entry, fault(entry)):
        for k, witness in enumerate(WITNESSES[name]):
            folder = tmp_path / str(k)
            folder.mkdir()
            try:
                witness(folder)
            except pytest.skip.Exception:
                raise
            except BaseException:
                return
    raise AssertionError(f"nothing failed with the pass {name!r} {fault.__name__[1:]}")
