"""What is in the place of a module's file is told, with what to do."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf

import compat_hub
from compat_hub.sources.strange_files import strange_content
from tests.copies import ModuleCopy

_LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 12345\n"
_CONTENTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "lfs": (lambda _: _LFS, "Git LFS pointer.*`git lfs pull`"),
    "annex": (lambda _: b"/annex/objects/SHA256E-s313--f50d7ac4\n", "git-annex.*git annex get"),
    "page": (
        lambda _: b"\n<!DOCTYPE html>\n<html><body>No</body></html>",
        "HTML page.*logged",
    ),
    "gzip": (gzip.compress, "compressed by gzip.*gunzip"),
    "empty": (lambda _: b"", "empty.*broke off"),
}
_FILES = [
    "tfhub_module.pb",
    "saved_model.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
    "assets/tokens.txt",
]


@pytest.mark.parametrize("content", _CONTENTS)
@pytest.mark.parametrize("name", _FILES)
def test_modules(content: str, name: str, copy_of: Callable[..., ModuleCopy]) -> None:
    copy = copy_of("nnlm")
    make, words = _CONTENTS[content]
    copy.file(name).write_bytes(make(copy.file(name).read_bytes()))
    pattern = re.compile(f"{re.escape(Path(name).name)}.*{words}", re.DOTALL)
    for use in compat_hub.load, compat_hub.KerasLayer:
        with pytest.raises(compat_hub.HubError, match=pattern):
            use(copy.path)
    # What is read in a session only, and long enough, is found there by TensorFlow.
    if (content, name) == ("gzip", _FILES[3]):
        return
    with tf.Graph().as_default(), pytest.raises(compat_hub.HubError, match=pattern):
        compat_hub.Module(copy.path)
    if name in _FILES[2:]:
        inspection = compat_hub.inspect(copy.path)  # the other files can be looked at
        assert any(pattern.search(problem) for problem in inspection.facts.problems)


@pytest.mark.parametrize("content", _CONTENTS)
@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index"])
@pytest.mark.parametrize("tags", [None, ["serve"]])
def test_saved_models(content: str, name: str, tags: list[str] | None, tmp_path: Path) -> None:
    obj = tf.Module()
    obj.v = tf.Variable(tf.ones([]))
    tf.saved_model.save(obj, str(tmp_path))
    make, words = _CONTENTS[content]
    (tmp_path / name).write_bytes(make((tmp_path / name).read_bytes()))
    with pytest.raises(compat_hub.ModuleFormatError, match=f"(?s){Path(name).name}.*{words}"):
        compat_hub.load(tmp_path, tags=tags)


@pytest.mark.parametrize("content", ["lfs", "page", "empty"])
def test_archives(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    make, words = _CONTENTS[content]
    (tmp_path / "m.tar.gz").write_bytes(make(b""))
    with pytest.raises(compat_hub.ResolveError, match=f"(?s){words.partition('.*broke')[0]}"):
        compat_hub.load(tmp_path / "m.tar.gz")


def test_on_filesystems_of_tensorflow(copy_of: Callable[..., ModuleCopy]) -> None:
    copy = copy_of("nnlm")
    copy.file("assets/tokens.txt").write_bytes(_LFS)
    for path in copy.folder.rglob("*"):
        if path.is_file():
            target = f"ram://strange/{path.relative_to(copy.folder)}"
            tf.io.gfile.makedirs(target.rpartition("/")[0])
            tf.io.gfile.copy(str(path), target, overwrite=True)
    with pytest.raises(compat_hub.ModuleFormatError, match=r"tokens\.txt.*git lfs pull"):
        compat_hub.load("ram://strange")


@pytest.mark.parametrize(
    "data", [b"", gzip.compress(b"a", mtime=0), b"PK\x03\x04", b"<?xml version='1.0'?>"]
)
def test_assets_that_no_table_is_filled_from(
    data: bytes, copy_of: Callable[..., ModuleCopy]
) -> None:
    copy = copy_of("nnlm")
    with copy.saved_model() as saved_model:
        for meta_graph in saved_model.meta_graphs:
            packed = meta_graph.collection_def["saved_model_assets"].any_list.value
            packed.append(packed[0])
            packed[-1].value = packed[0].value.replace(b"tokens.txt", b"others.bin")
            node = next(
                n
                for n in meta_graph.graph_def.node
                if n.op == "Const"
                and (
                    n.attr["value"].tensor.string_val[:]
                    and f"{n.name}:0".encode() in packed[0].value
                )
            )
            copied = meta_graph.graph_def.node.add()
            copied.CopyFrom(node)
            copied.name = "x" * len(node.name)
            packed[-1].value = packed[-1].value.replace(node.name.encode(), copied.name.encode())
    copy.file("assets/others.bin").write_bytes(data)
    assert "others.bin" in compat_hub.load_module_spec(copy.path).asset_files
    compat_hub.load(copy.path)
    copy.file("assets/others.bin").write_bytes(_LFS)
    with pytest.raises(compat_hub.ModuleFormatError, match=r"others\.bin.*git lfs pull"):
        compat_hub.load(copy.path)


def test_what_is_not_strange() -> None:
    for data in (
        b"\x08\x03",
        b"the\nof\n",
        b"<unk>\n<html\n",
        b"\0" * 100,
        b"version 1\n",
        b"a" * 600,
    ):
        assert strange_content(data) is None
    assert strange_content(b"<html>", "page.html", is_plain=False) is None
    assert strange_content(b"<html>", "vocabulary.txt", is_plain=False)
