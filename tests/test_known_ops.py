from __future__ import annotations

import pytest

import compat_hub
from compat_hub.known_ops import find_unknown_ops
from tests.copies import ModuleCopy, node
from tests.records import FIXTURES, Record


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


@pytest.mark.parametrize(
    ("name", "op"), [("resampler", "Resampler"), ("beam_search", "GatherTree")]
)
def test_ops_of_contrib_that_are_gone_are_named_at_once(name: str, op: str) -> None:
    with pytest.raises(compat_hub.ModuleFormatError, match=op) as caught:
        compat_hub.load(FIXTURES / "unknown_ops" / name / "module")
    assert name in str(caught.value)
