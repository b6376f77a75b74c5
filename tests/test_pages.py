"""The examples of pages in docs/ run, as far as what they import is installed."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import pytest
import tensorflow as tf

import compat_hub
from tests.examples import run_examples
from tests.records import FIXTURES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda page: page.name
)
def test_commands_of_the_project_are_there(page: Path) -> None:
    for module in re.findall(
        r"python -m ((?:tests|benchmarks|compat_hub)[\w.]*)", page.read_text(encoding="utf-8")
    ):
        assert importlib.util.find_spec(module), module


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda page: page.name
)
def test_nothing_is_left_to_be_filled_in(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"@[A-Z]+@|<!-- [A-Z]+ -->|\bTODO\b|\bTBD\b|\bXXX\b", text)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_roads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_examples(DOCS / "roads.md")
    assert {"pets", "pets_again"} <= {path.name for path in tmp_path.iterdir()}


def test_tf1_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_examples(DOCS / "tf1_models.md")
    assert {"in_tf2", "frozen.pb"} <= {path.name for path in tmp_path.iterdir()}


def test_format() -> None:
    assert "norm/moving_mean" in run_examples(DOCS / "format.md")


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
def test_fine_tuning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    modules = {"image_module": "image_bn", "bert": "bert", "text_module": "nnlm"}
    for name, fixture in modules.items():
        shutil.copytree(FIXTURES / fixture / "module", tmp_path / "path/to" / name)
    run_examples(DOCS / "fine_tuning.md")


def test_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_examples(DOCS / "migration.md")
    assert {"trained", "trained_in_a_graph"} <= {path.name for path in tmp_path.iterdir()}


def test_migration_has_every_name_of_tensorflow_hub() -> None:
    text = (DOCS / "migration.md").read_text(encoding="utf-8")
    ours = {"HubModule", "Inspection", "convert", "inspect", "load_tf1", "migrate", "verify"}
    for name in set(compat_hub.__all__) - ours:
        assert name.endswith("Error") or f"hub.{name}" in text, name


def test_distribute(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not by the collective ops that are the default on CPUs: these mix up programs of one process.
    reduce = tf.distribute.HierarchicalCopyAllReduce()
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=reduce)
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: strategy)
    run_examples(DOCS / "distribute.md")
