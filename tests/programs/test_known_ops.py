from __future__ import annotations

import pytest
import tensorflow as tf

import compat_hub
from compat_hub.programs.known_ops import find_unknown_ops
from tests.copies import ModuleCopy, node
from tests.records import FIXTURES, OUTPUT_TOLERANCE, Record, assert_close


def _message(copy: ModuleCopy) -> str | None:
    return find_unknown_ops(compat_hub.load_module_spec(copy.path).variant())


def test_every_fixture_has_known_ops(record: Record) -> None:
    for variant in compat_hub.load_module_spec(record.path).variants.values():
        assert find_unknown_ops(variant) is None


def test_unknown_ops_are_listed_with_a_place_each(copy_of) -> None:
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        for name in ("MatMul_1", "MatMul_2"):
            node(meta_graph, name).op = "Zzz"
        node(meta_graph, "Tanh").op = "Aaa"
    message = _message(copy)
    assert message is not None
    assert "'Aaa' (node 'Tanh', for signature 'fruit_to_pet')" in message
    assert "'Zzz' (node 'MatMul_2', for signature 'default')" in message
    assert copy.path in message


def test_an_op_that_only_an_initializer_needs_does_not_count(copy_of) -> None:
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        node(meta_graph, "cats/kernel/Initializer/random_uniform/sub").op = "Zzz"
    assert _message(copy) is None


def test_an_op_behind_an_input_does_not_count(copy_of) -> None:
    # Cut off by the signature, wherever it is in the graph.
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        node(meta_graph, "apples").op = "Zzz"
        node(meta_graph, "oranges").op = "Zzz"
    assert _message(copy) is None


def test_an_op_in_a_function_that_nothing_calls_does_not_count(copy_of) -> None:
    copy = copy_of("functions")
    with copy.meta_graph() as meta_graph:
        function = meta_graph.graph_def.library.function.add()
        function.signature.name = "nobody_calls"
        function.node_def.add(name="x", op="Zzz")
    assert _message(copy) is None


def test_a_function_that_is_called_by_its_name_is_no_unknown_op(copy_of) -> None:
    copy = copy_of("functions")
    with copy.meta_graph() as meta_graph:
        assert any(n.op == "swish" for n in meta_graph.graph_def.node)
    assert _message(copy) is None


def test_an_op_in_a_table_initializer(copy_of) -> None:
    copy = copy_of("text_table")
    with copy.meta_graph() as meta_graph:
        name = "string_to_index/hash_table/table_init/InitializeTableFromTextFileV2"
        node(meta_graph, name).op = "Zzz"
    assert f"'Zzz' (node '{name}', for the tables)" in (_message(copy) or "")


def test_only_what_needs_an_op_is_refused(copy_of) -> None:
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        dogs = meta_graph.signature_def["fruit_to_pet"].outputs["dogs"].name
        node(meta_graph, dogs.partition(":")[0]).op = "Zzz"
    record = Record(FIXTURES / "fruit")
    module = compat_hub.load(copy.path)
    found = module(record.inputs("default"), as_dict=True)
    assert_close(
        found["default"], record.outputs([], "default")["default"], OUTPUT_TOLERANCE, "value"
    )
    pets = record.inputs("fruit_to_pet")
    cats = module.call_signature(pets, "fruit_to_pet", ["cats"]).outputs["cats"]
    assert_close(cats, record.outputs([], "fruit_to_pet")["cats"], OUTPUT_TOLERANCE, "value")
    for call in (
        lambda: module(pets, signature="fruit_to_pet", as_dict=True),
        lambda: module.signatures["fruit_to_pet"](**pets),
    ):
        with pytest.raises(compat_hub.ModuleFormatError) as caught:
            call()
        for name in (copy.path, "set()", "'fruit_to_pet'", "'Zzz'", "import that package"):
            assert name in str(caught.value)


def test_a_table_that_cannot_be_filled_refuses_only_what_looks_things_up(copy_of) -> None:
    copy = copy_of("text_table")
    with copy.meta_graph() as meta_graph:
        name = "string_to_index/hash_table/table_init/InitializeTableFromTextFileV2"
        node(meta_graph, name).op = "Zzz"
        other = meta_graph.signature_def["other"]
        other.outputs["default"].CopyFrom(meta_graph.signature_def["default"].outputs["default"])
        constant = meta_graph.graph_def.node.add(name="constant", op="Const")
        constant.attr["dtype"].type = tf.float32.as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(3.0))
        other.outputs["default"].name = "constant:0"
        other.outputs["default"].tensor_shape.Clear()
    module = compat_hub.load(copy.path)
    assert module(signature="other") == 3.0
    with pytest.raises(compat_hub.ModuleFormatError, match="'Zzz'"):
        module(Record(FIXTURES / "text_table").inputs("default"))


def test_a_module_of_which_nothing_works_is_refused_at_once(copy_of) -> None:
    copy = copy_of("no_variables")
    with copy.meta_graph() as meta_graph:
        output = meta_graph.signature_def["default"].outputs["default"].name
        node(meta_graph, output.partition(":")[0]).op = "Zzz"
    with pytest.raises(compat_hub.ModuleFormatError, match="'Zzz'") as caught:
        compat_hub.load(copy.path)
    assert copy.path in str(caught.value)
