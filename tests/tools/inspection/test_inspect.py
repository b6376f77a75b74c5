from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import tensorflow as tf

import compat_hub
from tests.copies import ModuleCopy, node
from tests.records import FIXTURES
from tests.tools.inspection import modules


def _verdict(path: str, topic: str) -> list[tuple[str, str]]:
    found = compat_hub.inspect(path).verdict
    return [(finding.level, finding.text) for finding in found if finding.topic == topic]


def test_facts_of_a_module(fixture_path) -> None:
    inspection = compat_hub.inspect(fixture_path("image_bn"))
    facts = inspection.facts
    assert inspection.passed
    assert (facts.format, facts.tensorflow) == ("TF1 Hub format", tf.__version__)
    inference, train = facts.variants
    assert (inference.tags, train.tags) == ((), ("train",))
    assert inference.producer == "1.15.5"
    assert facts.size is not None
    on_disk = [p.stat().st_size for p in Path(facts.path or "").rglob("*") if p.is_file()]
    assert facts.size.total == sum(on_disk)
    (default, features) = inference.signatures
    assert (default.name, features.name) == ("default", "image_feature_vector")
    assert [str(t) for t in default.inputs] == ["float32 [None, 8, 8, 3]"]
    assert [t.name for t in features.outputs] == ["block_1/relu", "block_2", "default"]
    kernel = next(v for v in facts.variables if v.name == "conv2d/kernel")
    assert kernel.shape == (3, 3, 3, 6)
    assert (kernel.parameters, kernel.bytes, kernel.trainable) == (162, 648, True)
    assert kernel.variants == ((), ("train",))
    assert {v.name for v in facts.variables if not v.trainable} == {
        f"batch_normalization{k}/moving_{what}" for k in ("", "_1") for what in ("mean", "variance")
    }
    assert len(train.update_ops) == 4
    assert len(train.regularization_losses) == 2
    (attachment,) = inference.attachments
    assert (attachment.key, attachment.image_size) == ("image_module_info", (8, 8))


def test_common_signatures_have_docs(fixture_path) -> None:
    inspection = compat_hub.inspect(fixture_path("inception"))
    signatures = {s.name: s for s in inspection.facts.variants[0].signatures}
    found = signatures["image_classification"]
    assert found.common_signatures == ("image_classification",)
    assert "each color between 0 and 1" in (found.inputs[0].docs or "")
    assert "A score (logit)" in (found.outputs[0].docs or "")
    assert "each color between 0 and 1" in str(inspection)
    hparams = signatures["image_classification_with_bn_hparams"]
    assert [t.default for t in hparams.inputs] == ["0.9", None]


def test_tables_and_assets(fixture_path) -> None:
    facts = compat_hub.inspect(fixture_path("text_two_assets")).facts
    assert [(a.name, a.bytes) for a in facts.assets] == [("vocab.txt", 36), ("vocab.txt0", 25)]
    tables = facts.variants[0].tables
    assert {t.op for t in tables} == {"HashTableV2"}
    assert (tables[0].key_dtype, tables[0].value_dtype) == ("string", "int64")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("while_in_while", (2, 0, 1)),
        ("cond_in_while_in_cond", (1, 3, 0)),
        ("fruit", (0, 0, 0)),
        ("cond", (0, 1, 0)),
    ],
)
def test_control_flow(name: str, expected: tuple[int, int, int], fixture_path) -> None:
    flow = compat_hub.inspect(fixture_path(name)).facts.variants[0].control_flow
    assert (flow.loops, flow.conditionals, flow.tensor_arrays) == expected


@pytest.mark.parametrize("name", ["ragged_io", "partitioned", "unknown_shape_variable", "names"])
def test_it_is_shown_in_all_ways(name: str, fixture_path) -> None:
    path = fixture_path(name)
    inspection = compat_hub.inspect(path)
    found = json.loads(json.dumps(inspection.to_dict(), allow_nan=False))
    assert found == inspection.to_dict()
    assert list(found) == [
        *("handle", "path", "format", "tensorflow", "size", "variants", "variables", "assets"),
        *("problems", "passed", "verdict", "weights"),
    ]
    assert found["weights"] is None
    assert {f["level"] for f in found["verdict"]} <= {"yes", "note", "no"}
    assert path in repr(inspection)
    assert "<table" in inspection._repr_html_()


def test_a_module_that_works(fixture_path) -> None:
    path = fixture_path("pets")
    (load,) = _verdict(path, "load")
    assert load[0] == "yes"
    assert "load() takes it" in load[1]
    (call,) = _verdict(path, "call")
    assert call[1].endswith("can be called: default, fruit_to_pet.")
    train = _verdict(path, "train")
    assert [level for level, _ in train] == ["yes"] * 3
    assert "'default'" in train[0][1]
    assert "4 of 8 trainable variables train (80 parameters)" in train[0][1]
    assert "all 8 trainable variables train (125 parameters)" in train[1][1]
    assert "run 4 update ops and add 3 regularization losses" in train[2][1]


def test_an_op_that_all_signatures_need_and_tensorflow_lacks(copy_of) -> None:
    copy: ModuleCopy = copy_of("image_bn")
    with copy.saved_model() as message:
        for meta_graph in message.meta_graphs:
            node(meta_graph, "conv2d/Conv2D").op = "Zzz"
    with pytest.raises(compat_hub.ModuleFormatError):
        compat_hub.load(copy.path)
    inspection = compat_hub.inspect(copy.path)
    assert not inspection.passed
    unknown = [u.op for v in inspection.facts.variants for u in v.unknown_ops]
    assert unknown == ["Zzz", "Zzz"]
    level, text = _verdict(copy.path, "load")[0]
    assert level == "no"
    assert "does not have the op 'Zzz'" in text
    assert not any(s.is_tried for v in inspection.facts.variants for s in v.signatures)


def test_an_op_that_one_signature_needs_leaves_the_others(copy_of) -> None:
    copy: ModuleCopy = copy_of("pets")
    with copy.saved_model() as message:
        meta_graph = next(m for m in message.meta_graphs if m.meta_info_def.tags)
        name = meta_graph.signature_def["fruit_to_pet"].outputs["dogs"].name
        node(meta_graph, name.partition(":")[0]).op = "Zzz"
    ((level, text),) = _verdict(copy.path, "load")
    assert level == "yes"
    assert "stops the calls that need it" in text
    level, text = _verdict(copy.path, "call")[0]
    assert level == "no"
    assert "'fruit_to_pet' of the variant {\"train\"} cannot be called" in text
    assert "does not have the op 'Zzz'" in text
    assert '1 signature of the variant {"train"} can be called: default.' in [
        text for _, text in _verdict(copy.path, "call")
    ]


def test_variables_that_the_checkpoint_does_not_have() -> None:
    path = str(FIXTURES / "incomplete" / "aux_head" / "module")
    inspection = compat_hub.inspect(path)
    assert not inspection.passed
    missing = {v.tags: v.missing for v in inspection.facts.variants}
    assert not missing[()]
    assert missing["disc",] == ("disc/kernel", "disc/bias", "score/kernel", "score/bias")
    assert "aux/kernel" in missing["train",]
    ((level, _),) = _verdict(path, "load")
    assert level == "yes"
    calls = [text for level, text in _verdict(path, "call") if level == "no"]
    assert len(calls) == 2
    assert "'score' of the variant {\"disc\"} cannot be called: it needs 'disc/kernel'" in calls[0]
    assert "missing='initial'" in calls[0]
    assert "not in the checkpoint" in inspection.text()


def test_host_access(tmp_path: Path) -> None:
    path = modules.reading_files(tmp_path / "module")
    with pytest.raises(compat_hub.UnsafeModuleError):
        compat_hub.load(path)
    inspection = compat_hub.inspect(path)
    assert not inspection.passed
    (access,) = inspection.facts.variants[0].host_access
    assert (access.op, access.node, access.user) == ("ReadFile", "stolen", "signature 'leak'")
    (level, text), *_ = _verdict(path, "load")
    assert level == "no"
    assert "allow_host_access=True" in text
    # What would train, once it is allowed, is told as well.
    assert "the only trainable variable trains (6 parameters)" in _verdict(path, "train")[0][1]


def test_a_graph_that_touches_the_host_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = modules.reading_files(tmp_path / "module")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("imported")

    monkeypatch.setattr(tf.graph_util, "import_graph_def", refuse)
    compat_hub.inspect(path)


def test_irreducible_control_flow(copy_of) -> None:
    copy: ModuleCopy = copy_of("cond")
    with copy.meta_graph() as meta_graph:
        merge = next(n for n in meta_graph.graph_def.node if n.op == "Merge")
        always = meta_graph.graph_def.node.add(name="always", op="Const")
        always.attr["dtype"].type = tf.bool.as_datatype_enum
        always.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(True))
        odd = meta_graph.graph_def.node.add(name="odd", op="Switch")
        odd.input.extend([merge.input[0], "always"])
        odd.attr["T"].type = tf.float32.as_datatype_enum
        merge.input[0] = "odd:1"
    inspection = compat_hub.inspect(copy.path)
    assert inspection.passed  # it runs
    level, text = _verdict(copy.path, "train")[0]
    assert level == "no"
    assert "nothing trains: control flow that it needs cannot be differentiated" in text
    assert "layer with trainable=False" in text


def test_an_op_without_a_gradient(tmp_path: Path) -> None:
    path = modules.without_gradient(tmp_path / "module")
    module = compat_hub.load(path)
    with tf.GradientTape() as tape:
        output = module(tf.ones([1, 2]))
    with pytest.raises(compat_hub.NoGradientError, match="MatrixLogarithm"):
        tape.gradient(output, module.trainable_variables)
    no, yes = _verdict(path, "train")[:2]
    assert no[0] == "no"
    assert "TensorFlow has no gradient of the op 'MatrixLogarithm'" in no[1]
    assert yes == (
        "yes",
        "Through 'plain' of the variant set(), the only trainable variable trains (4 parameters).",
    )


def test_integers(tmp_path: Path) -> None:
    found = dict(reversed(_verdict(modules.classes_only(tmp_path / "module"), "train")))
    texts = [*found.values()]
    assert any("nothing trains: it gives int64, which has no gradient" in text for text in texts)
    assert any("the only trainable variable trains" in text for text in texts)
    notes = _verdict(str(tmp_path / "module"), "train")
    assert any("No gradient reaches 'ids' (int64)" in text for _, text in notes)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("no_variables", "Nothing trains: it has no variables."),
        ("custom_gradient", "made with tf.custom_gradient, which the format does not store"),
        ("while_rnn", 'There is no variant {"train"}: training calls run the graph of set()'),
        ("train_only_tags", "There is no variant without tags"),
    ],
)
def test_notes(name: str, expected: str, fixture_path) -> None:
    verdict = compat_hub.inspect(fixture_path(name)).verdict
    assert any(expected in finding.text for finding in verdict), [f.text for f in verdict]


def test_batch_normalization_without_a_variant_for_training(copy_of) -> None:
    copy: ModuleCopy = copy_of("fused_bn_v3_frozen")
    with copy.saved_model() as message:
        (train,) = [m for m in message.meta_graphs if m.meta_info_def.tags]
        message.meta_graphs.remove(train)
    notes = [text for level, text in _verdict(copy.path, "train") if level == "note"]
    assert any("stored averages, which stay as they are" in text for text in notes)


def test_variables_that_are_not_trainable(copy_of) -> None:
    copy: ModuleCopy = copy_of("fruit")
    with copy.saved_model() as message:
        for meta_graph in message.meta_graphs:
            del meta_graph.collection_def["trainable_variables"]
    assert compat_hub.load(copy.path).trainable_variables == ()
    (found, *_) = _verdict(copy.path, "train")
    assert found[0] == "note"
    assert "TRAINABLE_VARIABLES" in found[1]


def test_a_signature_that_one_variant_lacks(copy_of) -> None:
    copy: ModuleCopy = copy_of("pets")
    with copy.saved_model() as message:
        meta_graph = next(m for m in message.meta_graphs if m.meta_info_def.tags)
        del meta_graph.signature_def["fruit_to_pet"]
    assert any("has no signature 'fruit_to_pet'" in text for _, text in _verdict(copy.path, "call"))


def test_a_signature_that_cannot_be_called(copy_of) -> None:
    copy: ModuleCopy = copy_of("fruit")
    with copy.saved_model() as message:
        for meta_graph in message.meta_graphs:
            signature = meta_graph.signature_def["fruit_to_pet"]
            del signature.inputs["apples"]
    inspection = compat_hub.inspect(copy.path)
    assert not inspection.passed
    assert any(level == "no" for level, _ in _verdict(copy.path, "call"))


@pytest.mark.parametrize(
    "damage", ["no index", "no variables", "no shard", "short", "other shape", "no asset"]
)
def test_what_load_would_find(damage: str, copy_of) -> None:
    copy: ModuleCopy = copy_of("text_table" if damage == "no asset" else "fruit")
    if damage == "no index":
        copy.file("variables/variables.index").unlink()
    elif damage == "no variables":
        shutil.rmtree(copy.file("variables"))
    elif damage == "no shard":
        copy.file("variables/variables.data-00000-of-00001").unlink()
    elif damage == "short":
        data = copy.file("variables/variables.data-00000-of-00001")
        os.truncate(data, data.stat().st_size // 2)
    elif damage == "other shape":
        with copy.checkpoint() as values:
            values["cats/kernel"] = values["cats/kernel"][:1]
    else:
        for asset in copy.file("assets").iterdir():
            asset.unlink()
    with pytest.raises(compat_hub.HubError):
        compat_hub.load(copy.path)
    inspection = compat_hub.inspect(copy.path)
    assert not inspection.passed
    assert inspection.facts.problems
    assert _verdict(copy.path, "load")[0][0] == "no"


def test_a_plain_saved_model(tmp_path: Path) -> None:
    module = tf.Module()
    module.w = tf.Variable(tf.ones([2, 3]), name="w")
    module.n = tf.Variable(1, trainable=False, name="n")
    module.f = tf.function(lambda x: tf.matmul(x, module.w))
    function = module.f.get_concrete_function(tf.TensorSpec([None, 2], name="x"))
    tf.saved_model.save(module, tmp_path / "plain", signatures=function)
    inspection = compat_hub.inspect(tmp_path / "plain")
    assert inspection.passed
    assert inspection.facts.format == "TF2 SavedModel"
    variables = {v.name: (v.shape, v.trainable) for v in inspection.facts.variables}
    assert variables == {"w": ((2, 3), True), "n": ((), False)}
    (variant,) = inspection.facts.variants
    assert [s.name for s in variant.signatures] == ["serving_default"]
    ((level, text),) = _verdict(str(tmp_path / "plain"), "load")
    assert level == "note"
    assert "tf.saved_model.load()" in text


def test_a_saved_model_of_tf1(tmp_path: Path) -> None:
    path = modules.classes_only(tmp_path / "module")
    os.remove(f"{path}/tfhub_module.pb")
    inspection = compat_hub.inspect(path)
    assert inspection.facts.format == "TF1 SavedModel"
    assert [v.name for v in inspection.facts.variables] == ["table"]
    assert "create_module_spec_from_saved_model" in inspection.verdict[0].text


def test_a_spec_that_was_made(fixture_path) -> None:
    spec = compat_hub.load_module_spec(fixture_path("pets"))
    read = compat_hub.inspect(spec)
    assert read.spec is spec
    assert read.to_dict() == compat_hub.inspect(fixture_path("pets")).to_dict()


@pytest.mark.parametrize("kind", ["nothing", "a file", "an empty folder"])
def test_bad_handles(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    if kind == "a file":
        path.write_text("x")
    elif kind == "an empty folder":
        path.mkdir()
    with pytest.raises(compat_hub.HubError):
        compat_hub.inspect(str(path))


def test_weights(copy_of) -> None:
    copy: ModuleCopy = copy_of("fruit")
    with copy.checkpoint() as values:
        values["cats/kernel"][0, 0] = float("nan")
    inspection = compat_hub.inspect(copy.path, weights=True)
    assert inspection.weights is not None
    found = {w.name: w for w in inspection.weights}
    assert found.keys() == {v.name for v in inspection.facts.variables}
    assert found["cats/kernel"].nans == 1
    assert "cats/kernel" in inspection.text()


def test_weights_that_cannot_be_read_are_told(copy_of) -> None:
    copy: ModuleCopy = copy_of("fruit")
    data = copy.file("variables/variables.data-00000-of-00001")
    content = bytearray(data.read_bytes())
    content[10] ^= 1
    data.write_bytes(content)
    assert compat_hub.inspect(copy.path).passed  # nothing reads the values
    inspection = compat_hub.inspect(copy.path, weights=True)
    assert not inspection.passed
    assert "cannot be read" in inspection.facts.problems[0]
    with pytest.raises(compat_hub.ModuleFormatError):
        compat_hub.load(copy.path)


def test_node_names_matter_for_nothing(copy_of) -> None:
    copy: ModuleCopy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        node(meta_graph, "Tanh").device = "/job:worker/device:TPU:7"
    assert compat_hub.inspect(copy.path).passed
