"""`verify` passes what agrees with a TF1 session, and fails what does not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub import _verify
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
    spec = compat_hub.load_module_spec(_path(fixture))
    seen = {(check.tags, check.signature) for check in report.checks}
    assert seen == {(t, s) for t in spec.get_tags() for s in spec.get_signature_names(t)}


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
        ("output", lambda r: {"outputs": {n: v + 1 for n, v in r.outputs.items()}}),
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
    assert "converted output" in {check.kind for check in report.checks}
    module.variables[0].assign_add(tf.ones_like(module.variables[0]))
    report = compat_hub.verify(_path("fruit"), against=module.save(tmp_path / "other"))
    assert {check.kind for check in report.failures} == {"converted output"}
