from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

import compat_hub
from compat_hub.tools.inspection.as_tensorboard import write_graphs


def _graphs(run: str) -> list[bytes]:
    (file,) = Path(run).iterdir()
    assert "tfevents" in file.name
    records = [r.numpy() for r in tf.data.TFRecordDataset(str(file))]
    events = [tf.compat.v1.Event.FromString(record) for record in records]
    assert events[0].file_version == "brain.Event:2"
    return [event.graph_def for event in events if event.graph_def]


def test_a_run_for_each_variant(fixture_path, tmp_path: Path) -> None:
    spec = compat_hub.load_module_spec(fixture_path("pets"))
    runs = write_graphs(spec, tmp_path / "logs")
    assert runs == [str(tmp_path / "logs" / name) for name in ("inference", "train")]
    write_graphs(spec, tmp_path / "logs")  # again: in place of the first
    for run, variant in zip(runs, spec.variants.values(), strict=True):
        (graph,) = _graphs(run)
        assert tf.compat.v1.GraphDef.FromString(graph) == variant.meta_graph.graph_def


def test_tags_are_no_paths(copy_of, tmp_path: Path) -> None:
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        meta_graph.meta_info_def.tags.append("../../evil/../x")
    (run,) = {*write_graphs(compat_hub.load_module_spec(copy.path), tmp_path / "a" / "logs")} - {
        str(tmp_path / "a" / "logs" / name) for name in ("inference", "train")
    }
    assert Path(run).parent == tmp_path / "a" / "logs"


def test_a_folder_that_cannot_be_made(fixture_path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    spec = compat_hub.load_module_spec(fixture_path("pets"))
    with pytest.raises(compat_hub.ResolveError, match="TensorBoard"):
        write_graphs(spec, tmp_path / "file")
