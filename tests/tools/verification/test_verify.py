"""`verify` passes what agrees with a TF1 session, and fails what does not."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.samples import sample_path
from compat_hub.tools.verification import verify as _verify
from tests.authoring import write_module
from tests.records import FIXTURES

v1 = tf.compat.v1


def _path(fixture: str) -> str:
    return str(FIXTURES / fixture / "module")


# Dense layers, batch norm, a table, loops, conditionals, reference variables, ragged tensors.
@pytest.mark.parametrize(
    "fixture",
    ["fruit", "image_bn", "nnlm", "while_rnn", "cond", "reference", "ragged_io"],
)
def test_a_module_that_agrees(fixture: str) -> None:
    report = compat_hub.verify(_path(fixture))
    assert report.passed, report
    assert report.notes == ()  # the graph was run as its author wrote it
    spec = compat_hub.load_module_spec(_path(fixture))
    seen = {(check.tags, check.signature) for check in report.checks}
    assert seen == {(t, s) for t in spec.get_tags() for s in spec.get_signature_names(t)}


@pytest.mark.parametrize(
    ("fixture", "kinds", "note"),
    [
        ("resampler", {"output", "gradient"}, "compared with compat_hub.Module"),  # the op is gone
        ("lstm_block_cell", {"output", "gradient"}, "with those of Module"),  # so is its gradient
        ("outputs_of_their_own_variables", {"output"}, "gradients were not compared"),
    ],
)
def test_what_tensorflow_cannot_run_or_differentiate_as_it_was_written(
    fixture: str, kinds: set[str], note: str
) -> None:
    report = compat_hub.verify(_path(fixture))
    assert report.passed, report
    assert {check.kind for check in report.checks} - {"variable", "regularization loss"} == kinds
    assert all(note in text for text in report.notes)
    assert len(report.notes) > 0


def test_all_that_is_compared() -> None:
    report = compat_hub.verify(_path("image_bn"))
    kinds = {check.kind for check in report.checks if check.tags}
    assert {"output", "gradient", "variable", "regularization loss"} <= kinds
    assert report.failures == ()
    assert "PASS" in str(report)
    assert json.loads(json.dumps(report.to_dict()))["passed"]


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("output", lambda r: {"outputs": {n: [p + 1 for p in v] for n, v in r.outputs.items()}}),
        (
            "gradient",
            lambda r: {
                "gradients": {n: None if v is None else v * 1.1 for n, v in r.gradients.items()}
            },
        ),
        ("variable", lambda r: {"variables": {n: v - 0.1 for n, v in r.variables.items()}}),
        ("regularization loss", lambda r: {"losses": {n: v * 2 for n, v in r.losses.items()}}),
    ],
)
def test_a_difference_of_each_kind_fails(monkeypatch, kind: str, wrong: Any) -> None:
    def run(*args: Any) -> Any:
        results = run_in_session(*args)
        return dataclasses.replace(results, **wrong(results))

    run_in_session = _verify.run_in_session
    monkeypatch.setattr(_verify, "run_in_session", run)
    report = compat_hub.verify(_path("fruit"))
    assert not report.passed
    assert {check.kind for check in report.failures} == {kind}
    assert "FAIL" in str(report)


def test_tolerances() -> None:
    assert not compat_hub.verify(_path("while_rnn"), rtol=0, atol=-1).passed


def test_random_outputs_are_compared_by_shape(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        return {"default": ({"x": x}, {"default": x + tf.random.uniform(tf.shape(x))})}

    report = compat_hub.verify(write_module(tmp_path / "module", none=build))
    assert report.passed
    assert "Random" in report.checks[0].note


def test_what_cannot_be_called_fails(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        with tf.control_dependencies([v1.assert_greater(x, 100.0)]):
            return {"default": ({"x": x}, {"default": tf.identity(x)})}

    path = write_module(tmp_path / "module", none=build)
    report = compat_hub.verify(path)
    assert not report.passed
    assert "Pass values that fit as `inputs`" in report.failures[0].note
    assert compat_hub.verify(path, inputs={"x": [200.0, 300.0]}).passed
    assert compat_hub.verify(path, inputs={"default": {"x": [200.0]}}).passed


def test_inputs_that_do_not_fit() -> None:
    with pytest.raises(compat_hub.InputTypeError, match="no signatures"):
        compat_hub.verify(_path("fruit"), inputs={"unknown": {"x": 1}})
    with pytest.raises(compat_hub.InputTypeError, match="not an input"):
        compat_hub.verify(_path("fruit"), inputs={"default": {"unknown": np.ones([1, 5])}})


def test_against_what_was_converted(tmp_path: Path) -> None:
    module = compat_hub.load(_path("fruit"))
    good = module.save(tmp_path / "good")
    report = compat_hub.verify(_path("fruit"), against=good)
    assert report.passed
    assert {"converted output", "converted gradient"} <= {check.kind for check in report.checks}
    module.variables[0].assign_add(tf.ones_like(module.variables[0]))
    report = compat_hub.verify(_path("fruit"), against=module.save(tmp_path / "other"))
    kinds = {check.kind for check in report.failures}
    assert "converted output" in kinds
    assert kinds <= {"converted output", "converted gradient"}
    assert "FAIL" in str(report)


def test_against_what_has_fewer_signatures(tmp_path: Path) -> None:
    module = compat_hub.load(_path("pets"))
    part = module.save(tmp_path / "part", signatures=["fruit_to_pet"])
    report = compat_hub.verify(_path("pets"), against=part)
    assert report.passed
    assert report.notes == (f"{part} has no signature 'default'.",)
    report = compat_hub.verify(_path("pets"), against=part, signatures=["default"])
    assert not report.passed  # nothing that was asked for is there
    assert "has none of the module's signatures" in report.failures[0].note


def test_against_what_is_no_saved_model(tmp_path: Path) -> None:
    with pytest.raises(compat_hub.ModuleFormatError, match="no SavedModel"):
        compat_hub.verify(_path("fruit"), against=tmp_path)


def test_some_signatures() -> None:
    report = compat_hub.verify(_path("pets"), signatures=["default"])
    assert {check.signature for check in report.checks} == {"default"}
    with pytest.raises(compat_hub.UnknownNameError, match="unknown"):
        compat_hub.verify(_path("pets"), signatures=["unknown"])


def test_an_infinite_error_is_no_number_of_json(monkeypatch) -> None:
    def run(*args: Any) -> Any:
        results = run_in_session(*args)
        wrong = {name: value + np.inf for name, value in results.outputs.items()}
        return dataclasses.replace(results, outputs=wrong)

    run_in_session = _verify.run_in_session
    monkeypatch.setattr(_verify, "run_in_session", run)
    report = compat_hub.verify(_path("while_rnn"))
    assert not report.passed
    json.dumps(report.to_dict(), allow_nan=False)


def test_sizes_that_the_signature_leaves_open_agree(tmp_path: Path) -> None:
    """Between inputs, and with a sparse one."""

    def build() -> Any:
        x = v1.placeholder(tf.float32, [None, None], "x")
        y = v1.placeholder(tf.float32, [None, 3], "y")
        s = v1.sparse_placeholder(tf.float32, [None, None])
        outputs = {"default": tf.matmul(x, y), "both": x + tf.sparse.to_dense(s)}
        return {"default": ({"x": x, "y": y, "s": s}, outputs)}

    assert compat_hub.verify(write_module(tmp_path / "module", none=build)).passed


def test_token_ids_stay_within_a_partitioned_embedding(tmp_path: Path) -> None:
    def build() -> Any:
        ids = v1.placeholder(tf.int64, [None, None], "ids")
        partitioner = v1.fixed_size_partitioner(2)
        with v1.variable_scope("", partitioner=partitioner, use_resource=True):
            table = v1.get_variable("table", [6, 3], initializer=v1.ones_initializer())
        rows = tf.nn.embedding_lookup(table, ids)
        return {"default": ({"ids": ids}, {"default": tf.reduce_sum(rows, [1])})}

    report = compat_hub.verify(write_module(tmp_path / "module", none=build))
    assert report.passed, report
    assert "gradient" in {check.kind for check in report.checks}


def test_it_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tensorflow"):  # as in a notebook
        assert compat_hub.verify(sample_path("pets")).passed
    assert "Saver" not in caplog.text
