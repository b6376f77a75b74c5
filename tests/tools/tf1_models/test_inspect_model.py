"""What the command says of checkpoints and frozen graphs, and does with them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

import compat_hub
from compat_hub.cli.main import main
from compat_hub.tools.tf1_models.inspect_model import inspect_model
from tests.other_models_records import FOLDER, NAMES, model

_IN_FILES = [name for name in NAMES if "inputs" in model(name).meta["arguments"]]


@pytest.mark.parametrize("name", _IN_FILES)
def test_what_its_author_used_is_proposed(name: str) -> None:
    record = model(name)
    report = inspect_model(record.path)
    arguments = record.meta["arguments"]
    assert report.proposals.inputs == sorted(arguments["inputs"].values())
    assert set(arguments["outputs"].values()) <= set(report.proposals.outputs[:2])
    feeds = {t: json.loads(value) for t, value in report.proposals.feeds.items()}
    assert feeds == arguments.get("feed_dict", {})
    assert {v.name for v in report.variables if v.is_missing} == (
        {"head"} if name == "checkpoint_partial" else set()
    )


def test_what_draws_numbers_and_what_is_no_input() -> None:
    proposals = inspect_model(FOLDER / "checkpoint").proposals
    assert proposals.labels == ["labels:0"]
    assert list(proposals.random) == ["dropout/random_uniform/RandomUniform"]
    assert inspect_model(FOLDER / "queue_fed").proposals.labels == ["labels:0"]


@pytest.mark.parametrize("name", ["is_training", "frozen_resource"])
def test_the_command_that_is_printed_converts(name: str, tmp_path: Path) -> None:
    record = model(name)
    found = CliRunner().invoke(main, ["inspect", record.path])
    assert found.exit_code == 0, found.output
    command = shlex.split(found.output.strip().splitlines()[-1])
    assert command[:2] == ["compat-hub", "convert"]
    arguments = [str(tmp_path / "out") if word == "OUT" else word for word in command[1:]]
    converted = CliRunner().invoke(main, arguments)
    assert converted.exit_code == 0, converted.output
    loaded = tf.saved_model.load(str(tmp_path / "out"))
    output = loaded(record.inputs["x"])
    np.testing.assert_allclose(output, record.part("out")["default"], rtol=1e-5, atol=1e-6)
    assert len(loaded.trainable_variables) == len(record.meta["trainable"])


def test_run_takes_them(tmp_path: Path) -> None:
    record = model("checkpoint_v1_sharded")
    np.save(tmp_path / "x.npy", record.part("in")["x"])
    command = ["run", record.path, "--input-tensor", "x=x:0", "--output-tensor", "y=logits:0"]
    command += ["--input", f"x={tmp_path}/x.npy", "--output", f"{tmp_path}/y.npy"]
    found = CliRunner().invoke(main, command)
    assert found.exit_code == 0, found.output
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), record.part("out")["logits"], rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_session_of_today_agrees(name: str) -> None:
    if name == "checkpoint_partial":
        pytest.skip("a session takes a variant only as a whole")
    record = model(name)
    inputs = {record.signature: record.inputs}
    report = compat_hub.verify(record.load(), inputs=inputs, signatures=[record.signature])
    assert report.passed, str(report)
    # TensorFlow of today differentiates no loop without its context, which a frozen graph has lost,
    # and no conditional that resource variables are in.
    odd = name in ("frozen_embedding", "frozen_resource", "is_training")
    assert bool(report.notes) == odd, report.notes


def test_options_of_tensors_are_for_such_models() -> None:
    path = str(Path(__file__).parents[2] / "fixtures/fruit/module")
    found = CliRunner().invoke(main, ["convert", path, "out", "--feed", "x:0=1"])
    assert found.exit_code == 2
    assert "options that name tensors are for these" in found.output
    bad = CliRunner().invoke(
        main, ["convert", str(FOLDER / "frozen/frozen.pb"), "o", "--feed", "x"]
    )
    assert bad.exit_code == 2
    assert "--feed takes NAME=TENSOR" in bad.output
