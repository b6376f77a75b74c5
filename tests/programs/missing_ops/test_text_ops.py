"""Modules with ops of tensorflow_text, which nobody but compat_hub has imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from tests.packages import needs_text
from tests.records import FIXTURES, Record

pytestmark = needs_text
_FOLDER = FIXTURES / "packages"
_NAMES = ["text_sentencepiece", "text_tf_sentencepiece"]


@pytest.mark.parametrize("name", _NAMES)
def test_run_in_a_process_of_its_own(name: str, tmp_path: Path) -> None:
    record = Record(_FOLDER / name)
    texts = [text.decode() for text in record.inputs("default")["default"]]
    (tmp_path / "texts.jsonl").write_text("\n".join(json.dumps({"default": t}) for t in texts))
    command = [sys.executable, "-m", "compat_hub", "run", record.path]
    options = ["--input", str(tmp_path / "texts.jsonl"), "--output", str(tmp_path / "found.npz")]
    subprocess.run([*command, *options], check=True, capture_output=True)
    expected = record.outputs([], "default")["default"]
    np.testing.assert_allclose(np.load(tmp_path / "found.npz")["default"], expected, rtol=1e-5)


@pytest.mark.parametrize("name", _NAMES)
def test_a_session_of_tensorflow_1_agrees(name: str) -> None:
    report = compat_hub.verify(str(_FOLDER / name / "module"))
    assert report.passed, report


def test_nodes_of_one_model_share_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = compat_hub.load(_FOLDER / "text_tf_sentencepiece" / "module")
    saved = tf.saved_model.load(module.save(tmp_path / "saved"))
    function = saved.signatures["tokens"]
    names = {
        node.attr["shared_name"].s
        for f in function.graph.as_graph_def().library.function
        for node in f.node_def
        if node.op == "SentencepieceOp"
    }
    assert len(names) == 1


def test_a_model_in_a_file_of_another_machine(copy_of) -> None:
    copy = copy_of("packages/text_tf_sentencepiece")
    with copy.meta_graph() as meta_graph:
        for node in meta_graph.graph_def.node:
            if node.op == "SentencepieceGetPieceSize":
                node.attr["model_proto"].s = b""
                node.attr["model_file"].s = b"/home/author/pieces.model"
    module = compat_hub.load(copy.path)
    assert module(["jump"]).shape == (1, 3)
    with pytest.raises(compat_hub.ModuleFormatError, match=r"/home/author/pieces\.model"):
        module([[1]], "pieces", as_dict=True)
