"""docs/format.md says what is in the fixtures, which the genuine library has written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.protobuf import descriptor
from tensorflow.core.protobuf import saved_model_pb2

from compat_hub.format import protos
from tests.records import Record

PAGE = (Path(__file__).parents[1] / "docs/format.md").read_text(encoding="utf-8")
_KINDS = {"bytes": "bytes_list", "names": "node_list", "any": "any_list"}
_NOT_WRITTEN = {"saver_def", "asset_file_def", "object_graph_def"}


def _rows(title: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    _, _, section = PAGE.partition(f"# {title}\n")
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table
    return [[c.strip() for c in line.strip("|").split(" | ")] for line in table[0].splitlines()[2:]]


def _names(cell: str) -> list[str]:
    return re.findall(r"`([\w.]+)`", cell)


def _kinds() -> dict[str, str]:
    """By the name of a collection, the field of `CollectionDef` that it is in."""
    return {
        name: _KINDS[re.split(r"[\s:]", kind)[0]]
        for names, kind, *_ in _rows("Collections")
        for name in _names(names)
    }


@pytest.mark.parametrize(
    ("title", "message"),
    [("tfhub_module.pb", protos.ModuleDef), ("Attachments", protos.ImageModuleInfo)],
)
def test_messages(title: str, message: type) -> None:
    fields: list[descriptor.FieldDescriptor] = message.DESCRIPTOR.fields
    found = [(*_names(name), int(number)) for name, number, *_ in _rows(title)]
    assert found == [(field.name, field.number) for field in fields]


def test_a_module(record: Record) -> None:
    """What a module of a fixture is made of is what the page says."""
    folder = Path(record.path)
    data = (folder / "saved_model.pb").read_bytes()
    saved_model = saved_model_pb2.SavedModel.FromString(data)
    assert (folder / "tfhub_module.pb").read_bytes() == b"\x08\x03"
    assert saved_model.saved_model_schema_version == 0
    assert {path.name for path in folder.iterdir()} <= {
        *("tfhub_module.pb", "saved_model.pb", "variables", "assets")
    }
    kinds = _kinds()
    fields = {name for cell, *_ in _rows("MetaGraphDef") for name in _names(cell)}
    fields = {name.removeprefix("meta_info_def.") for name in fields} - _NOT_WRITTEN
    tags = [frozenset(m.meta_info_def.tags) for m in saved_model.meta_graphs]
    assert len(set(tags)) == len(tags)
    for meta_graph in saved_model.meta_graphs:
        info = meta_graph.meta_info_def
        found = {field.name for message in (meta_graph, info) for field, _ in message.ListFields()}
        assert found - {"meta_info_def"} <= fields
        assert info.stripped_default_attrs
        for name, collection in meta_graph.collection_def.items():
            assert collection.WhichOneof("kind") == kinds[name]
        assert all(not signature.method_name for signature in meta_graph.signature_def.values())
