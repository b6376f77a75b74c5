"""A damaged module and a call that does not fit get the right error, and nothing is half-done."""

from __future__ import annotations

import dataclasses
import gc
import random
import shutil
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import any_pb2
from tensorflow.core.framework import types_pb2, variable_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

import compat_hub
from compat_hub.format import protos
from tests.authoring import write_module
from tests.copies import ModuleCopy, node
from tests.records import FIXTURES, OUTPUT_TOLERANCE, Record, assert_close, value_of

# Damaged modules ---------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Damage:
    """One way to break a module.

    Attributes:
        apply: Breaks a copy.
        fixture: The module to copy.
        names: What the message names, besides the handle: the variant, the tensor, the file.
        advice: What it says to do.
        use: What then raises, where loading the module does not.
    """

    apply: Callable[[ModuleCopy], None]
    fixture: str
    names: list[str]
    advice: str
    use: Callable[[compat_hub.HubModule], Any] | None = None


DAMAGES: dict[str, Damage] = {}


def damage(
    fixture: str,
    *names: str,
    advice: str = "fresh copy",
    use: Callable[[compat_hub.HubModule], Any] | None = None,
) -> Callable[..., Any]:
    """Adds the decorated function to the list."""

    def add(apply: Callable[[ModuleCopy], None]) -> Callable[[ModuleCopy], None]:
        DAMAGES[apply.__name__] = Damage(apply, fixture, list(names), advice, use)
        return apply

    return add


def _module_def(**fields: Any) -> bytes:
    return protos.ModuleDef(**fields).SerializeToString()


@damage("fruit", "tfhub_module.pb", advice="compat_hub.load()")
def an_empty_folder(copy: ModuleCopy) -> None:
    shutil.rmtree(copy.folder)
    copy.folder.mkdir()


@damage("fruit", "format 0", "FORMAT_V3", "tfhub_module.pb", advice="Check that")
def empty_module_proto(copy: ModuleCopy) -> None:
    copy.file("tfhub_module.pb").write_bytes(b"")


@damage("fruit", "tfhub_module.pb")
def truncated_module_proto(copy: ModuleCopy) -> None:
    copy.file("tfhub_module.pb").write_bytes(b"\x08")


@damage("fruit", "tfhub_module.pb")
def garbage_module_proto(copy: ModuleCopy) -> None:
    copy.file("tfhub_module.pb").write_bytes(bytes(range(255, 155, -1)))


@damage("fruit", "format 4", "FORMAT_V3", advice="Check that")
def unknown_format(copy: ModuleCopy) -> None:
    copy.file("tfhub_module.pb").write_bytes(b"\x08\x04")


@damage("fruit", "telepathy, time-travel", advice="A newer version")
def unknown_required_features(copy: ModuleCopy) -> None:
    fields = {"format": 3, "required_features": ["time-travel", "telepathy"]}
    copy.file("tfhub_module.pb").write_bytes(_module_def(**fields))


@damage("fruit", "tfhub_module.pb")
def a_folder_instead_of_the_module_proto(copy: ModuleCopy) -> None:
    copy.file("tfhub_module.pb").unlink()
    copy.file("tfhub_module.pb").mkdir()


@damage("fruit", "saved_model.pb", "saved_model.pbtxt", advice="complete copy")
def no_saved_model(copy: ModuleCopy) -> None:
    copy.file("saved_model.pb").unlink()


@damage("fruit", "saved_model.pb", "no graph")
def empty_saved_model(copy: ModuleCopy) -> None:
    copy.file("saved_model.pb").write_bytes(b"")


@damage("fruit", "saved_model.pb")
def garbage_saved_model(copy: ModuleCopy) -> None:
    copy.file("saved_model.pb").write_bytes(np.random.default_rng(0).bytes(5000))


@damage("fruit", "saved_model.pbtxt")
def garbage_text_saved_model(copy: ModuleCopy) -> None:
    copy.file("saved_model.pb").unlink()
    copy.file("saved_model.pbtxt").write_text("meta_graphs { graph_def { node")


@damage("fruit", "saved_model.pbtxt")
def binary_as_text_saved_model(copy: ModuleCopy) -> None:
    copy.file("saved_model.pb").rename(copy.file("saved_model.pbtxt"))


@damage("fruit", "saved_model.pb", "no graph")
def no_meta_graph(copy: ModuleCopy) -> None:
    with copy.saved_model() as saved_model:
        del saved_model.meta_graphs[:]


@damage("image_bn", '{"train"}', "two variants")
def two_variants_with_the_same_tags(copy: ModuleCopy) -> None:
    with copy.saved_model() as saved_model:
        saved_model.meta_graphs.add().CopyFrom(saved_model.meta_graphs[1])


# The checkpoint


@damage("fruit", "checkpoint is missing", "/variables.")
def no_checkpoint(copy: ModuleCopy) -> None:
    shutil.rmtree(copy.file("variables"))


@damage("fruit", "variables/variables", "variables.index is missing")
def no_checkpoint_files(copy: ModuleCopy) -> None:
    for file in copy.file("variables").iterdir():
        file.unlink()


@damage("fruit", "variables/variables", "variables.index is missing")
def no_checkpoint_index(copy: ModuleCopy) -> None:
    copy.file("variables/variables.index").unlink()


@damage("fruit", "variables/variables")
def garbage_checkpoint_index(copy: ModuleCopy) -> None:
    copy.file("variables/variables.index").write_bytes(bytes(300))


@damage("fruit", "variables/variables")
def truncated_checkpoint_index(copy: ModuleCopy) -> None:
    file = copy.file("variables/variables.index")
    file.write_bytes(file.read_bytes()[:-30])


@damage("partitioned", "variables/variables")
def checkpoint_index_that_points_behind_its_end(copy: ModuleCopy) -> None:
    file = copy.file("variables/variables.index")
    data = bytearray(file.read_bytes())
    data[-45] ^= 1 << 6  # in the footer, which says where the blocks are
    file.write_bytes(data)


@damage("fruit", "variables/variables", "variables.data-00000-of-00001 is missing")
def no_checkpoint_shard(copy: ModuleCopy) -> None:
    copy.file("variables/variables.data-00000-of-00001").unlink()


@damage("sharded", "variables/variables", "variables.data-00002-of-00004 is missing")
def one_checkpoint_shard_less(copy: ModuleCopy) -> None:
    copy.file("variables/variables.data-00002-of-00004").unlink()


@damage("sharded", "data-00000-of-00004, variables.data-00003-of-00004 are missing")
def two_checkpoint_shards_less(copy: ModuleCopy) -> None:
    copy.file("variables/variables.data-00000-of-00004").unlink()
    copy.file("variables/variables.data-00003-of-00004").unlink()


@damage("fruit", "variables/variables", "variables.data-00000-of-00001 is incomplete")
def truncated_checkpoint_shard(copy: ModuleCopy) -> None:
    file = copy.file("variables/variables.data-00000-of-00001")
    file.write_bytes(file.read_bytes()[:-3])


@damage("fruit", "variables/variables")
def flipped_bit_in_a_checkpoint_shard(copy: ModuleCopy) -> None:
    file = copy.file("variables/variables.data-00000-of-00001")
    data = bytearray(file.read_bytes())
    data[10] ^= 1
    file.write_bytes(data)


@damage("fruit", "set()", "'cats/kernel'", "not in the checkpoint", "variables/variables")
def variable_not_in_the_checkpoint(copy: ModuleCopy) -> None:
    with copy.checkpoint() as values:
        del values["cats/kernel"]


@damage("partitioned", "set()", "'outer/inner/weights/part_0'", "not in the check")
def partitioned_variable_not_in_the_checkpoint(copy: ModuleCopy) -> None:
    with copy.checkpoint() as values:
        del values["outer/inner/weights"]


@damage("fruit", "'cats/kernel'", "(5, 2)", "[5, 3]")
def variable_of_another_shape(copy: ModuleCopy) -> None:
    with copy.checkpoint() as values:
        values["cats/kernel"] = np.zeros([5, 3], "float32")


@damage("partitioned", "'outer/inner/weights/part_0'", "[7, 4]", "[8, 4]")
def partitioned_variable_of_another_shape(copy: ModuleCopy) -> None:
    with copy.checkpoint() as values:
        values["outer/inner/weights"] = np.zeros([8, 4], "float32")


@damage("fruit", "'cats/kernel'", "float32", "float64")
def variable_of_another_dtype(copy: ModuleCopy) -> None:
    with copy.checkpoint() as values:
        values["cats/kernel"] = values["cats/kernel"].astype("float64")


# Assets


@damage("text_table", "vocab.txt", advice="the whole folder")
def no_asset(copy: ModuleCopy) -> None:
    copy.file("assets/vocab.txt").unlink()


def _rename_asset(copy: ModuleCopy, name: str) -> None:
    with copy.meta_graph() as meta_graph:
        packed = meta_graph.collection_def["saved_model_assets"].any_list.value[0]
        asset = meta_graph_pb2.AssetFileDef.FromString(packed.value)
        asset.filename = name
        packed.value = asset.SerializeToString()


@damage("text_table", "set()", "'../../secret.txt'", advice="outside the module's assets folder")
def asset_above_the_folder(copy: ModuleCopy) -> None:
    (copy.folder.parent / "secret.txt").write_text("sphinx\n")
    _rename_asset(copy, "../../secret.txt")


@damage("text_table", "set()", "'a/../../vocab.txt'", advice="outside the module's assets folder")
def asset_above_the_folder_in_disguise(copy: ModuleCopy) -> None:
    _rename_asset(copy, "a/../../vocab.txt")


@damage("text_table", "set()", "'/etc/hostname'", advice="outside the module's assets folder")
def asset_at_an_absolute_path(copy: ModuleCopy) -> None:
    _rename_asset(copy, "/etc/hostname")


@damage("text_table", "set()", "''", advice="outside the module's assets folder")
def asset_without_a_name(copy: ModuleCopy) -> None:
    _rename_asset(copy, "")


@damage("text_table", "set()", "InitializeTableFromTextFileV2", "state", advice="vocab.txt")
def vocabulary_with_a_word_twice(copy: ModuleCopy) -> None:
    copy.file("assets/vocab.txt").write_text("one\ntwo\none\n")


@damage("text_kv", "set()", "InitializeTableFromTextFileV2", "state", advice="prices.tsv")
def vocabulary_with_too_few_columns(copy: ModuleCopy) -> None:
    copy.file("assets/prices.tsv").write_text("pear 1.5\n")


@damage("text_kv", "set()", "InitializeTableFromTextFileV2", "state", advice="apple")
def vocabulary_with_a_word_for_a_number(copy: ModuleCopy) -> None:
    copy.file("assets/prices.tsv").write_text("pear\tapple\t10\n")


@damage("text_table", "set()", "'string_to_index/hash_table/hash_table'", "HashTableV2")
def table_of_an_unknown_dtype(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        table = node(meta_graph, "string_to_index/hash_table/hash_table")
        table.attr["value_dtype"].type = 99


@damage("text_table", "set()", "'string_to_index/hash_table/hash_table'", "HashTableV2")
def table_with_an_unknown_attribute(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        table = node(meta_graph, "string_to_index/hash_table/hash_table")
        table.attr["keydtype"].CopyFrom(table.attr.pop("key_dtype"))


# The graph and what is said of it


def _call_fruit_to_pet(module: compat_hub.HubModule) -> None:
    inputs = Record(FIXTURES / "fruit").inputs("fruit_to_pet")
    module(inputs, signature="fruit_to_pet", as_dict=True)


@damage(
    "fruit",
    "set()",
    "'Frobnicate'",
    "'MatMul'",
    "'fruit_to_pet'",
    advice="import that package",
    use=_call_fruit_to_pet,
)
def unknown_op(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        node(meta_graph, "MatMul").op = "Frobnicate"


def _compute_losses(module: compat_hub.HubModule) -> None:
    for loss in module.regularization_losses:
        loss()


@damage(
    "fruit",
    "set()",
    "'Frobnicate'",
    "Regularizer/L2Loss'",
    advice="import that package",
    use=_compute_losses,
)
def unknown_op_in_a_regularization_loss(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        node(meta_graph, "from_apples/Regularizer/L2Loss").op = "Frobnicate"


def _train_image_bn(module: compat_hub.HubModule) -> None:
    module(Record(FIXTURES / "image_bn").inputs("default"), training=True)


@damage(
    "image_bn",
    '{"train"}',
    "'Frobnicate'",
    "signature 'default'",
    advice="import that package",
    use=_train_image_bn,
)
def unknown_op_in_an_update_op(copy: ModuleCopy) -> None:
    with copy.saved_model() as saved_model:
        name = "batch_normalization/AssignMovingAvg/AssignSubVariableOp"
        node(saved_model.meta_graphs[1], name).op = "Frobnicate"


@damage("functions", "set()", "'Frobnicate'", "function 'swish'", advice="import that package")
def unknown_op_in_a_function(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        library = meta_graph.graph_def.library.function
        next(f for f in library if f.signature.name == "swish").node_def[0].op = "Frobnicate"


@damage("fruit", "set()", "'nowhere'", "signature 'default', output 'default'")
def signature_with_an_output_that_is_no_node(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        meta_graph.signature_def["default"].outputs["default"].name = "nowhere:0"


@damage("fruit", "set()", "'nowhere'", "signature 'fruit_to_pet', input 'apples'")
def signature_with_an_input_that_is_no_node(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        meta_graph.signature_def["fruit_to_pet"].inputs["apples"].name = "nowhere:0"


@damage("sparse_io", "set()", "'nowhere'", "signature 'default', input 'sparse'")
def signature_with_a_component_that_is_no_node(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        sparse = meta_graph.signature_def["default"].inputs["sparse"].coo_sparse
        sparse.values_tensor_name = "nowhere:0"


@damage("fruit", "set()", "signature 'default'", "encoding", advice="default")
def signature_with_an_output_of_no_kind(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        meta_graph.signature_def["default"].outputs["default"].Clear()


@damage("fruit", "set()", "signature 'default'", advice="DType")
def signature_with_an_unknown_dtype(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        meta_graph.signature_def["default"].outputs["default"].dtype = 99


@damage("fruit", "signature 'fruit_to_pet'", "'apples'", "float32 [None, 7]", "float32 [None, 4]")
def signature_with_another_size_than_its_placeholder(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        apples = meta_graph.signature_def["fruit_to_pet"].inputs["apples"]
        apples.tensor_shape.dim[1].size = 7


@damage("fruit", "signature 'fruit_to_pet'", "'apples'", "float32 [4]", "float32 [None, 4]")
def signature_with_another_rank_than_its_placeholder(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        apples = meta_graph.signature_def["fruit_to_pet"].inputs["apples"]
        del apples.tensor_shape.dim[0]


@damage("fruit", "signature 'fruit_to_pet'", "'apples'", "int32 [None, 4]", "float32 [None, 4]")
def signature_with_another_dtype_than_its_placeholder(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        meta_graph.signature_def["fruit_to_pet"].inputs["apples"].dtype = types_pb2.DT_INT32


@damage("sparse_io", "signature 'default'", "'sparse'", "int64 [None, 3]", "int64 [None, 2]")
def sparse_input_with_another_rank_than_its_placeholder(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        meta_graph.signature_def["default"].inputs["sparse"].tensor_shape.dim.add(size=4)


@damage("ragged_io", "set()", "signature 'default'", "components", advice="3")
def composite_input_with_too_few_components(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        deep = meta_graph.signature_def["default"].inputs["deep"]
        del deep.composite_tensor.components[-1]


@damage("ragged_io", "set()", "signature 'default'", "composite", advice=tf.__version__)
def composite_input_of_an_unknown_type(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        deep = meta_graph.signature_def["default"].inputs["deep"]
        deep.composite_tensor.type_spec.type_spec_class = 9999


@damage("fruit", "set()", "'nowhere'", use=_compute_losses)
def edge_to_a_node_that_is_not_there(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        node(meta_graph, "from_apples/Regularizer/mul").input[0] = "nowhere"
        node(meta_graph, "from_apples/Regularizer/L2Loss").op = "Frobnicate"


@damage("fruit", "set()", "'nowhere'", "'regularization_losses'")
def regularization_loss_that_is_no_node(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        losses = meta_graph.collection_def["regularization_losses"].node_list
        losses.value[0] = "nowhere:0"


@damage("image_bn", '{"train"}', "'nowhere'", "'update_ops'")
def update_op_that_is_no_node(copy: ModuleCopy) -> None:
    with copy.saved_model() as saved_model:
        saved_model.meta_graphs[1].collection_def["update_ops"].node_list.value[0] = "nowhere"


@damage("text_table", "set()", "'nowhere'", "'table_initializer'")
def table_initializer_that_is_no_node(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        meta_graph.collection_def["table_initializer"].node_list.value[0] = "nowhere"


@damage("text_table", "set()", "'nowhere'", "'saved_model_assets'")
def asset_path_that_is_no_node(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        packed = meta_graph.collection_def["saved_model_assets"].any_list.value[0]
        asset = meta_graph_pb2.AssetFileDef.FromString(packed.value)
        asset.tensor_info.name = "nowhere:0"
        packed.value = asset.SerializeToString()


def _variable(meta_graph: Any, name: str) -> Any:
    """The VariableDef of that name, written back when the context ends."""

    class Edit:
        def __enter__(self) -> Any:
            self.values = meta_graph.collection_def["variables"].bytes_list.value
            protos = [variable_pb2.VariableDef.FromString(v) for v in self.values]
            self.index, self.proto = next(
                (k, p) for k, p in enumerate(protos) if p.variable_name == f"{name}:0"
            )
            return self.proto

        def __exit__(self, *_: object) -> None:
            self.values[self.index] = self.proto.SerializeToString()

    return Edit()


@damage("fruit", "set()", "'variables'", "parsed")
def garbage_variable(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        meta_graph.collection_def["variables"].bytes_list.value[0] = b"\xff\xff"


@damage("fruit", "set()", "'trainable_variables'", "parsed")
def garbage_trainable_variable(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        meta_graph.collection_def["trainable_variables"].bytes_list.value[2] = b"\xff\xff"


@damage("fruit", "set()", "'nowhere'", "'variables'")
def variable_that_is_no_node(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph, _variable(meta_graph, "from_apples") as variable:
        variable.variable_name = "nowhere:0"


@damage("fruit", "set()", "'MatMul'")
def variable_that_is_another_op(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph, _variable(meta_graph, "from_apples") as variable:
        variable.variable_name = "MatMul:0"


@damage("fruit", "set()", "'from_apples'")
def variable_without_a_dtype(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        node(meta_graph, "from_apples").attr.pop("dtype")


@damage("partitioned", "set()", "'outer/bias/part_1'")
def part_outside_of_its_variable(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph, _variable(meta_graph, "outer/bias/part_1") as variable:
        variable.save_slice_info_def.var_offset[0] = 4


@damage("partitioned", "set()", "'outer/bias/part_1'")
def part_of_another_rank(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph, _variable(meta_graph, "outer/bias/part_1") as variable:
        variable.save_slice_info_def.var_shape.append(2)


@damage("image_bn", "'conv2d/bias'", '{"train"}', "(6,)", "(7,)", advice="`tags`")
def variants_that_disagree_on_a_variable(copy: ModuleCopy) -> None:
    with copy.saved_model() as saved_model:
        bias = node(saved_model.meta_graphs[1], "conv2d/bias")
        bias.attr["shape"].shape.dim[0].size = 7


@damage("image_bn", "set()", "attachment")
def garbage_attachment(copy: ModuleCopy) -> None:
    with copy.meta_graph() as meta_graph:
        meta_graph.collection_def["hub_module_attachments"].bytes_list.value[0] = b"\xff\xff"


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_module(kind: str, copy_of) -> None:
    found = DAMAGES[kind]
    copy = copy_of(found.fixture)
    found.apply(copy)
    with _variables_made() as variables:
        use = found.use or (lambda _: compat_hub.load(copy.path))
        module: Any = compat_hub.load(copy.path) if found.use else None
        with pytest.raises(compat_hub.ModuleFormatError) as caught:
            use(module)
        message = str(caught.value)
        del caught, module
    for name in [copy.path, *found.names, found.advice]:
        assert name in message
    if any(variable() is not None for variable in variables):
        gc.collect()
    assert not [variable() for variable in variables if variable() is not None]
    copy.repair()
    _check_variables(compat_hub.load(copy.path), copy.fixture)


class _variables_made:  # noqa: N801
    """The variables that are made in this context, by weak references."""

    def __enter__(self) -> list[weakref.ref]:
        made = []

        def creator(next_creator: Callable[..., tf.Variable], **kwargs: Any) -> tf.Variable:
            variable = next_creator(**kwargs)
            made.append(weakref.ref(variable))
            return variable

        self._scope = tf.variable_creator_scope(creator)
        self._scope.__enter__()
        return made

    def __exit__(self, *exception: Any) -> None:
        self._scope.__exit__(*exception)


def test_variables_made_sees_those_of_a_module(fixture_path) -> None:
    with _variables_made() as variables:
        module = compat_hub.load(fixture_path("fruit"))
    assert [variable() for variable in variables] == list(module.variables)


def _check_variables(module: compat_hub.HubModule, fixture: str) -> None:
    for name, value in Record(FIXTURES / fixture).variables(0).items():
        assert_close(value_of(module.variable_map[name]), value, 0, name)


def _check_it_works(module: compat_hub.HubModule, fixture: str) -> None:
    record = Record(FIXTURES / fixture)
    signature = record.signatures([])[0]
    outputs = module(record.inputs(signature), signature, as_dict=True)
    for name, value in record.outputs([], signature).items():
        assert_close(outputs[name], value, OUTPUT_TOLERANCE, name)


_COLLECTIONS = {
    "variables": "node_list",
    "trainable_variables": "node_list",
    "regularization_losses": "bytes_list",
    "update_ops": "float_list",
    "table_initializer": "int64_list",
    "saved_model_assets": "node_list",
    "hub_module_attachments": "any_list",
}
_A_VALUE = {
    "node_list": "x",
    "bytes_list": b"x",
    "float_list": 1.0,
    "int64_list": 1,
    "any_list": any_pb2.Any(),
}


@pytest.mark.parametrize("collection", _COLLECTIONS)
def test_a_collection_of_the_wrong_kind(collection: str, copy_of) -> None:
    copy = copy_of("fruit")
    kind = _COLLECTIONS[collection]
    with copy.meta_graph() as meta_graph:
        proto = meta_graph.collection_def[collection]
        proto.Clear()
        getattr(proto, kind).value.append(_A_VALUE[kind])
    with pytest.raises(compat_hub.ModuleFormatError, match=f"{collection}.*{kind}") as caught:
        compat_hub.load(copy.path)
    assert copy.path in str(caught.value)


def test_an_unknown_op_that_nothing_needs_does_not_matter(copy_of) -> None:
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        node(meta_graph, "from_apples/Assign").op = "Frobnicate"
        meta_graph.graph_def.node.add(name="left_over", op="Frobnicate", input=["Tanh"])
    _check_it_works(compat_hub.load(copy.path), "fruit")


def test_an_unknown_op_in_a_variant_that_is_not_asked_for_does_not_matter(copy_of) -> None:
    copy = copy_of("image_bn")
    unknown_op_in_an_update_op(copy)
    _check_it_works(compat_hub.load(copy.path, tags=[]), "image_bn")
    module = compat_hub.load(copy.path)
    _check_it_works(module, "image_bn")
    with pytest.raises(compat_hub.ModuleFormatError, match="Frobnicate"):
        _train_image_bn(module)


# Truncated and flipped bytes ---------------------------------------------------------------------


def _load_or_hub_error(path: str) -> bool:
    """Whether the module loads; any error but a HubError is the test's."""
    try:
        compat_hub.load(path)
    except compat_hub.HubError:
        return False
    return True


@pytest.mark.parametrize("fixture", ["fruit", "image_bn"])
def test_a_saved_model_truncated_anywhere(fixture: str, copy_of) -> None:
    copy = copy_of(fixture)
    file = copy.file("saved_model.pb")
    data = file.read_bytes()
    # Between two MetaGraphs, a truncated file is a whole one with fewer variants.
    with copy.saved_model() as saved_model:
        del saved_model.meta_graphs[1:]
    whole = {len(data), len(file.read_bytes())}
    offsets = {*range(0, len(data), len(data) // 150), len(data) - 1}
    for offset in sorted(offsets - whole):
        file.write_bytes(data[:offset])
        assert not _load_or_hub_error(copy.path), offset


@pytest.mark.parametrize("name", ["variables.index", "variables.data-00000-of-00001"])
def test_a_checkpoint_truncated_anywhere(name: str, copy_of) -> None:
    copy = copy_of("fruit")
    file = copy.file(f"variables/{name}")
    data = file.read_bytes()
    for offset in range(0, len(data), 7):
        file.write_bytes(data[:offset])
        assert not _load_or_hub_error(copy.path), offset


@pytest.mark.parametrize(
    ("fixture", "name", "seed"),
    [
        ("image_bn", "saved_model.pb", 1),
        ("text_table", "saved_model.pb", 2),
        ("ragged_io", "saved_model.pb", 3),
        ("partitioned", "variables/variables.index", 4),
        ("fruit", "tfhub_module.pb", 5),
    ],
)
def test_flipped_bits(fixture: str, name: str, seed: int, copy_of) -> None:
    copy = copy_of(fixture)
    file = copy.file(name)
    data = file.read_bytes()
    generator = random.Random(seed)
    loaded = 0
    for _ in range(40):
        flipped = bytearray(data)
        for _ in range(generator.choice([1, 1, 1, 2, 8])):
            flipped[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        file.write_bytes(flipped)
        loaded += _load_or_hub_error(copy.path)
    assert loaded < 40


def _messages(message: Any) -> Iterator[Any]:
    """A message and all messages in it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            inner = value.values() if hasattr(value, "values") else ()
            inner = [v for v in inner if hasattr(v, "ListFields")]
        else:
            inner = [value] if hasattr(value, "ListFields") else value
        for found in inner:
            yield from _messages(found)


@pytest.mark.parametrize(("fixture", "seed"), [("image_bn", 1), ("text_kv", 2), ("sparse_io", 3)])
def test_fields_that_are_missing(fixture: str, seed: int, copy_of) -> None:
    copy = copy_of(fixture)
    data = copy.file("saved_model.pb").read_bytes()
    generator = random.Random(seed)
    loaded = 0
    for _ in range(60):
        copy.file("saved_model.pb").write_bytes(data)
        with copy.saved_model() as saved_model:
            meta_graph = generator.choice(saved_model.meta_graphs)
            # The graph is much the largest part.
            parts = [meta_graph.graph_def, meta_graph.signature_def, meta_graph.collection_def]
            part = generator.choice(parts)
            if not hasattr(part, "ListFields"):
                part = part[generator.choice(sorted(part))]
            message = generator.choice([m for m in _messages(part) if m.ListFields()])
            message.ClearField(generator.choice(message.ListFields())[0].name)
        loaded += _load_or_hub_error(copy.path)
    assert 0 < loaded < 60


# Handles -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function", [compat_hub.load, compat_hub.load_module_spec, compat_hub.resolve]
)
def test_handles_that_lead_nowhere(
    function: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COMPAT_HUB_RETRIES", "0")
    file = tmp_path / "file"
    file.write_text("")
    for handle, words in {
        str(tmp_path / "missing"): "does not exist",
        str(file): "a file, not a folder",
        "http://127.0.0.1:1/google/elmo/3": "no connection to '127.0.0.1'",
        "HTTP://127.0.0.1:1/module.tar.gz": "no connection to '127.0.0.1'",
        str(tmp_path / "missing.tar.gz"): "does not exist",
        "nosuchscheme://bucket/module": "nosuchscheme",
        "": "non-empty",
    }.items():
        with pytest.raises(compat_hub.ResolveError) as caught:
            function(handle)
        assert words in str(caught.value)
        assert repr(handle) in str(caught.value)


@pytest.mark.parametrize("handle", [None, 3, b"bytes", ["list"]])
def test_handles_that_are_no_paths(handle: Any) -> None:
    for function in (compat_hub.load, compat_hub.load_module_spec, compat_hub.resolve):
        with pytest.raises(compat_hub.ResolveError, match="string or path"):
            function(handle)


# Calls -------------------------------------------------------------------------------------------


def _fruit(**changes: Any) -> dict[str, Any]:
    return {
        "apples": np.zeros([2, 4], "float32"),
        "oranges": np.zeros([2, 3], "float32"),
        **changes,
    }


_SPARSE = tf.SparseTensor([[0, 1]], [1.0], [2, 4])
_RAGGED = tf.ragged.constant([[1.0], [1.0, 2.0]])
_BAD_INPUTS = {
    "none": (None, ["missing 'apples', 'oranges'", "float32 [None, 4]"]),
    "one_value": (np.zeros([2, 4], "float32"), ["a dict with the keys 'apples', 'oranges'"]),
    "an_empty_dict": ({}, ["missing 'apples', 'oranges'"]),
    "one_missing": ({"apples": np.zeros([2, 4], "float32")}, ["missing 'oranges'"]),
    "one_extra": (_fruit(pears=1), ["not an input: 'pears'", "The inputs are 'apples'"]),
    "a_number_as_name": ({**_fruit(), 7: 1}, ["not an input: 7"]),
    "wrong_size": (
        _fruit(apples=np.zeros([2, 5], "float32")),
        ["input 'apples'", "float32 [None, 4]", "float32 [2, 5]"],
    ),
    "wrong_rank": (_fruit(apples=[1.0, 2.0, 3.0, 4.0]), ["input 'apples'", "float32 [4]"]),
    "scalar": (_fruit(oranges=0.5), ["input 'oranges'", "float32 []"]),
    "wrong_dtype_of_a_tensor": (
        _fruit(apples=tf.zeros([2, 4], tf.int32)),
        ["input 'apples'", "float32 [None, 4]", "int32 [2, 4]", "tf.cast()"],
    ),
    "complex_numbers": (
        _fruit(apples=np.zeros([2, 4], "complex64")),
        ["input 'apples'", "complex64 [2, 4]", ".astype()"],
    ),
    "strings": (_fruit(apples=[["a"] * 4]), ["input 'apples'", "does not convert"]),
    "an_uneven_list": (
        _fruit(apples=[[1.0], [1.0, 2.0]]),
        ["input 'apples'", "a list", "does not convert"],
    ),
    "an_object": (_fruit(apples=object()), ["input 'apples'", "a object", "does not convert"]),
    "none_as_value": (_fruit(apples=None), ["input 'apples'", "NoneType"]),
    "sparse": (
        _fruit(apples=_SPARSE),
        ["input 'apples'", "sparse float32 [2, 4]", "tf.sparse.to_dense()"],
    ),
    "ragged": (
        _fruit(apples=_RAGGED),
        ["input 'apples'", "ragged float32 [2, None]", ".to_tensor()"],
    ),
}


@pytest.mark.parametrize("kind", _BAD_INPUTS)
def test_inputs_that_do_not_fit(kind: str, fixture_path) -> None:
    module = _shared(fixture_path("fruit"))
    inputs, words = _BAD_INPUTS[kind]
    with pytest.raises(compat_hub.InputTypeError) as caught:
        module(inputs, "fruit_to_pet", as_dict=True)
    for word in [repr(module.spec.handle), "set()", "'fruit_to_pet'", *words]:
        assert word in str(caught.value)


def _shared(path: str, cache: dict[str, compat_hub.HubModule] = {}) -> compat_hub.HubModule:  # noqa: B006
    """A loaded module that the tests of bad calls share; no call gets through to its state."""
    if path not in cache:
        cache[path] = compat_hub.load(path)
    return cache[path]


_BAD_COMPOSITES = {
    "a_dense_tensor_for_a_sparse_one": (
        "sparse_io",
        {"sparse": tf.zeros([2, 6]), "scale": 1.0},
        ["input 'sparse'", "sparse float32 [None, None]", "found float32 [2, 6]", "tf.sparse"],
    ),
    "a_list_for_a_sparse_tensor": (
        "sparse_io",
        {"sparse": [[0.0] * 6], "scale": 1.0},
        ["input 'sparse'", "a list"],
    ),
    "a_ragged_tensor_for_a_sparse_one": (
        "sparse_io",
        {"sparse": _RAGGED, "scale": 1.0},
        ["input 'sparse'", "ragged float32 [2, None]"],
    ),
    "a_sparse_tensor_of_another_dtype": (
        "sparse_io",
        {"sparse": tf.SparseTensor([[0, 1]], [1], [2, 6]), "scale": 1.0},
        ["input 'sparse'", "sparse int32 [2, 6]", "tf.cast()"],
    ),
    "a_sparse_tensor_of_another_rank": (
        "sparse_io",
        {"sparse": tf.SparseTensor([[0]], [1.0], [6]), "scale": 1.0},
        ["input 'sparse'", "[None, None]", "sparse float32 [6]"],
    ),
    "a_dense_tensor_for_a_ragged_one": (
        "ragged_io",
        {"ragged": tf.zeros([2, 3]), "deep": tf.ragged.constant([[[1]]])},
        ["input 'ragged'", "ragged float32", "found float32 [2, 3]", "tf.ragged.constant()"],
    ),
    "a_list_that_is_not_deep_enough": (
        "ragged_io",
        {"ragged": [[1.0], []], "deep": [1, 2]},
        ["input 'deep'", "ragged int32", "a list"],
    ),
    "a_ragged_tensor_of_another_rank": (
        "ragged_io",
        {"ragged": tf.ragged.constant([[[1.0]]]), "deep": tf.ragged.constant([[[1]]])},
        ["input 'ragged'", "ragged float32 [1, None, None]"],
    ),
    "floats_for_ints": (
        "ragged_io",
        {"ragged": [[1.0], []], "deep": tf.ragged.constant([[[1.5]]])},
        ["input 'deep'", "ragged int32", "ragged float32", "tf.cast()"],
    ),
}


@pytest.mark.parametrize("kind", _BAD_COMPOSITES)
def test_composite_inputs_of_the_wrong_kind(kind: str, fixture_path) -> None:
    fixture, inputs, words = _BAD_COMPOSITES[kind]
    module = _shared(fixture_path(fixture))
    with pytest.raises(compat_hub.InputTypeError) as caught:
        module(inputs, as_dict=True)
    for word in [repr(module.spec.handle), "'default'", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("in_function", [False, True], ids=["eager", "tf.function"])
@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (
            {"signature": "nope"},
            compat_hub.UnknownNameError,
            ["'nope'", "'default', 'fruit_to_pet'"],
        ),
        ({"signature": "fruit_to_pet"}, compat_hub.UnknownNameError, ["'default'", "as_dict=True"]),
        ({"signature": "default"}, compat_hub.InputTypeError, ["missing 'default'", "'apples'"]),
    ],
)
def test_names_that_do_not_exist(
    arguments: dict[str, Any], kind: type, words: list[str], in_function: bool, fixture_path
) -> None:
    module = _shared(fixture_path("fruit"))

    def call(apples: tf.Tensor, oranges: tf.Tensor) -> Any:
        return module({"apples": apples, "oranges": oranges}, **arguments)

    run = tf.function(call) if in_function else call
    with pytest.raises(kind) as caught:
        run(tf.zeros([2, 4]), tf.zeros([2, 3]))
    for word in [repr(module.spec.handle), "set()", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("tags", ["train", ["train"], {"gpu", "small"}])
def test_unknown_tags(tags: Any, fixture_path) -> None:
    with pytest.raises(compat_hub.UnknownNameError) as caught:
        compat_hub.load(fixture_path("fruit"), tags=tags)
    assert repr(fixture_path("fruit")) in str(caught.value)
    assert "It has: set()" in str(caught.value)
    with pytest.raises(compat_hub.UnknownNameError, match=r'set\(\), {"gpu", "small"}, {"train"}'):
        compat_hub.load(fixture_path("aux_variant"), tags="gpu")


@pytest.mark.parametrize("tags", [3, ["train", 3], [["train"]], object()])
def test_tags_that_are_no_strings(tags: Any, fixture_path) -> None:
    with pytest.raises(compat_hub.InputTypeError, match="`tags`"):
        compat_hub.load(fixture_path("image_bn"), tags=tags)


def test_a_signature_callable_with_two_positional_inputs(fixture_path) -> None:
    call = _shared(fixture_path("fruit")).signatures["fruit_to_pet"]
    with pytest.raises(compat_hub.InputTypeError, match=r"'fruit_to_pet'.*by keyword"):
        call(tf.zeros([2, 4]), tf.zeros([2, 3]))
    with pytest.raises(compat_hub.InputTypeError, match="by keyword"):
        call(tf.zeros([2, 4]), oranges=tf.zeros([2, 3]))


def test_an_output_that_depends_on_an_input_of_another_signature(copy_of) -> None:
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        outputs = meta_graph.signature_def["default"].outputs
        outputs["cats"].CopyFrom(meta_graph.signature_def["fruit_to_pet"].outputs["cats"])
    module = compat_hub.load(copy.path)
    assert module(tf.zeros([2, 5])).shape == [2, 4]
    with pytest.raises(compat_hub.SignatureError, match="'cats' depends on the placeholder") as e:
        module(tf.zeros([2, 5]), as_dict=True)
    assert copy.path in str(e.value)


# Modules that are too much ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "value", "size"), [(tf.float32, 1.0, 2**29), (tf.string, b"", 2**31)]
)
def test_a_constant_of_one_value_for_millions_of_elements(
    tmp_path: Path, dtype: tf.DType, value: Any, size: int
) -> None:
    path = tmp_path / "module"

    def build() -> Any:
        x = tf.compat.v1.placeholder(tf.int32, [], "x")
        many = tf.constant([value], dtype, name="many")
        attr = many.op.node_def.attr["value"]
        attr.tensor.tensor_shape.dim[0].size = size
        many.op._set_attr("value", attr)
        return {"default": ({"x": x}, {"default": x + tf.raw_ops.Size(input=many)})}

    write_module(path, none=build)
    assert (path / "saved_model.pb").stat().st_size < 2000
    message = r"'many' has the shape.*COMPAT_HUB_MAX_CONSTANT_BYTES"
    with pytest.raises(compat_hub.ModuleFormatError, match=message):
        compat_hub.load(path)(1)
    with tf.Graph().as_default(), pytest.raises(compat_hub.ModuleFormatError, match=message):
        compat_hub.Module(path)
    assert "COMPAT_HUB_MAX_CONSTANT_BYTES" in " ".join(
        finding.text for finding in compat_hub.inspect(path).verdict
    )


@pytest.mark.parametrize("depth", [120, 2000])
def test_text_that_nests_messages(depth: int, copy_of) -> None:
    copy = copy_of("fruit")
    copy.file("saved_model.pb").unlink()
    inner = 'func { name: "f" attr { key: "k" value { ' * depth + "i: 1 " + "} } }" * depth
    node = 'node { name: "a" op: "Const" attr { key: "k" value { ' + inner + "} } }"
    copy.file("saved_model.pbtxt").write_text("meta_graphs { graph_def { " + node + "} }")
    for use in (compat_hub.load, compat_hub.load_module_spec, compat_hub.inspect):
        with pytest.raises(
            compat_hub.ModuleFormatError, match=r"saved_model\.pbtxt.*cannot be par"
        ):
            use(copy.path)


def _chain_of_functions(depth: int, op: str) -> Any:
    """A graph whose functions call each other, by their names or by PartitionedCall."""
    graph_def = tf.compat.v1.GraphDef(versions={"producer": 134})
    placeholder = graph_def.node.add(name="x", op="Placeholder")
    placeholder.attr["dtype"].type = types_pb2.DT_FLOAT
    placeholder.attr["shape"].shape.dim.add(size=-1)
    for k in range(depth):
        function = graph_def.library.function.add(ret={"r": "n:y:0"})
        function.signature.name = f"f{k}"
        function.signature.input_arg.add(name="a", type=types_pb2.DT_FLOAT)
        function.signature.output_arg.add(name="r", type=types_pb2.DT_FLOAT)
        inner = function.node_def.add(name="n", op="Neg", input=["a"])
        inner.attr["T"].type = types_pb2.DT_FLOAT
        if k:
            _make_call(inner, op or f"f{k - 1}", f"f{k - 1}")
            function.ret["r"] = "n:output:0" if op else "n:r:0"
    _make_call(graph_def.node.add(name="y", input=["x"]), op or f"f{depth - 1}", f"f{depth - 1}")
    return graph_def


def _make_call(node: Any, op: str, function: str) -> None:
    node.op = op
    node.attr["f"].func.name = function
    for name in ("Tin", "Tout"):
        node.attr[name].list.type.append(types_pb2.DT_FLOAT)


@pytest.mark.parametrize("op", ["", "PartitionedCall"])
@pytest.mark.parametrize("depth", [60, 500])
def test_functions_that_call_each_other(tmp_path: Path, op: str, depth: int) -> None:
    def build() -> Any:
        x, y = tf.graph_util.import_graph_def(
            _chain_of_functions(1, op), return_elements=["x:0", "y:0"], name=""
        )
        return {"default": ({"x": x}, {"default": y})}

    path = write_module(tmp_path / "module", none=build)
    file = tmp_path / "module/saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    saved_model.meta_graphs[0].graph_def.CopyFrom(_chain_of_functions(depth, op))
    file.write_bytes(saved_model.SerializeToString())

    def in_a_graph() -> Any:
        with compat_hub.eval_function_for_module(path) as f:
            return f([1.0])

    if depth < 64:
        assert in_a_graph() == compat_hub.load(path)([1.0]).numpy() == [-1.0]
        return
    for use in (lambda: compat_hub.load(path)([1.0]), in_a_graph):
        with pytest.raises(compat_hub.ModuleFormatError, match=r"over 65 levels"):
            use()
    assert "over 65 levels" in str(compat_hub.inspect(path))


def test_a_constant_in_the_dataset_of_an_iterator(copy_of) -> None:
    copy = copy_of("dataset_iterators")
    with copy.saved_model() as saved_model:
        for function in saved_model.meta_graphs[0].graph_def.library.function:
            for inner in function.node_def:
                if inner.name == "OptimizeDataset/count":
                    inner.attr["value"].tensor.tensor_shape.dim.add(size=2**30)
    with pytest.raises(compat_hub.ModuleFormatError, match="COMPAT_HUB_MAX_CONSTANT_BYTES"):
        compat_hub.load(copy.path)()


def test_a_variant_without_signatures_is_saved(copy_of, tmp_path: Path) -> None:
    copy = copy_of("fruit")
    with copy.saved_model() as saved_model:
        del saved_model.meta_graphs[:]
        saved_model.meta_graphs.add()
    path = compat_hub.load(copy.path).save(tmp_path / "saved_model")
    assert not tf.saved_model.load(path).signatures
