"""A module in the cache of which files were cleaned away is fetched again."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import compat_hub
from compat_hub.sources import cache_layout
from compat_hub.sources.resolve import is_here
from tests.copies import ModuleCopy
from tests.records import FIXTURES
from tests.sources.server import Server, archive_of, file, status


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


_ALL = _files(FIXTURES / "nnlm" / "module")
_LOST: dict[str, Iterable[str]] = {
    "all files": _ALL,
    "an asset": ["assets/tokens.txt"],
    "the graph": ["saved_model.pb"],
    "the checkpoint": [name for name in _ALL if name.startswith("variables/")],
    "a part of the checkpoint": ["variables/variables.data-00000-of-00001"],
    "tfhub_module.pb": ["tfhub_module.pb"],
}


@pytest.fixture
def handle(server: Server) -> str:
    return server.url("/m", file(archive_of("nnlm")))


@pytest.mark.parametrize("lost", _LOST.values(), ids=_LOST.keys())
def test_files_that_are_gone(
    lost: Iterable[str],
    handle: str,
    server: Server,
    cache: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = Path(compat_hub.resolve(handle))
    before = sorted(cache.iterdir())
    for name in lost:
        (folder / name).unlink()
    with caplog.at_level(logging.WARNING, "compat_hub"):
        assert compat_hub.load(handle)(["a"]).shape[0] == 1
    assert "has lost files" in caplog.text
    assert _files(folder) == _ALL
    assert sorted(cache.iterdir()) == before
    assert len(server.asked) == 2
    compat_hub.resolve(handle)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "lost", [lost for name, lost in _LOST.items() if name in {"all files", "the graph"}]
)
def test_what_tensorflow_hub_had_put_there(
    lost: Iterable[str], handle: str, server: Server, cache: Path
) -> None:
    folder = Path(cache_layout.module_directory(str(cache), handle))
    shutil.copytree(FIXTURES / "nnlm" / "module", folder)
    assert compat_hub.resolve(handle) == str(folder)
    assert not server.asked
    for name in lost:
        (folder / name).unlink()
    assert compat_hub.load(handle)(["a"]).shape[0] == 1
    assert len(server.asked) == 1


@pytest.mark.parametrize("name", ["variables.index", "variables.data-00001-of-00002"])
def test_a_checkpoint_that_tensorflow_hub_had_put_there(
    name: str, server: Server, cache: Path
) -> None:
    handle = server.url("/m", file(archive_of("nnlm")))
    folder = Path(cache_layout.module_directory(str(cache), handle))
    shutil.copytree(FIXTURES / "nnlm" / "module", folder)
    data = folder / "variables" / "variables.data-00000-of-00001"
    for k in range(2):
        shutil.copy(data, data.with_name(f"variables.data-0000{k}-of-00002"))
    data.unlink()
    assert cache_layout.lost_files(str(folder)) == []
    (folder / "variables" / name).unlink()
    assert cache_layout.lost_files(str(folder)) == [f"variables/{name}"]
    compat_hub.load(handle)


def test_a_server_that_is_gone(handle: str, server: Server, cache: Path) -> None:
    folder = Path(compat_hub.resolve(handle))
    (folder / "saved_model.pb").unlink()
    before = _files(cache)
    server.url("/m", status(404))
    with pytest.raises(compat_hub.ResolveError, match=r"answered 404.*has lost files") as caught:
        compat_hub.load(handle)
    assert "saved_model.pb" in str(caught.value)
    assert _files(cache) == before


def test_a_file_of_keras_fetches_nothing(handle: str, server: Server, cache: Path) -> None:
    folder = Path(compat_hub.resolve(handle))
    assert is_here(handle)
    (folder / "saved_model.pb").unlink()
    assert not is_here(handle)


def test_an_archive(tmp_path: Path, cache: Path) -> None:
    archive = tmp_path / "m.tar.gz"
    archive.write_bytes(archive_of("nnlm", prefix="nnlm/"))
    folder = Path(compat_hub.resolve(archive))
    (folder / "assets/tokens.txt").unlink()
    assert compat_hub.resolve(archive) == str(folder)
    assert _files(folder) == _ALL


# What errors say ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index", "tfhub_module.pb"])
def test_errors_say_how_a_module_comes_anew(name: str, handle: str, cache: Path) -> None:
    folder = Path(compat_hub.resolve(handle))
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2] + b"\xff" * 5)
    with pytest.raises(compat_hub.HubError) as caught:
        compat_hub.load(handle)
    assert f"compat-hub cache clear {handle}" in str(caught.value)


def test_errors_about_the_graph_say_so_too(
    copy_of: Callable[..., ModuleCopy], handle: str, cache: Path
) -> None:
    copy = copy_of("nnlm")
    with copy.meta_graph() as meta_graph:
        meta_graph.collection_def["variables"].bytes_list.value[0] = b"\xff"
    folder = Path(compat_hub.resolve(handle))
    shutil.copy(copy.file("saved_model.pb"), folder / "saved_model.pb")
    for use in compat_hub.load, compat_hub.load_module_spec:
        with pytest.raises(compat_hub.ModuleFormatError, match=f"cache clear {handle}"):
            use(handle)
    with pytest.raises(compat_hub.ModuleFormatError) as caught:
        compat_hub.load(copy.path)
    assert "cache clear" not in str(caught.value)


@pytest.mark.parametrize("fixture", ["nnlm", "pets"])
def test_a_module_that_lost_its_proto(fixture: str, copy_of: Callable[..., ModuleCopy]) -> None:
    copy = copy_of(fixture)
    expected = repr(compat_hub.load_module_spec(copy.path))
    copy.file("tfhub_module.pb").unlink()
    inspection = compat_hub.inspect(copy.path)
    assert not inspection.passed
    assert any("lost its tfhub_module.pb" in problem for problem in inspection.facts.problems)
    for use in (
        compat_hub.load,
        compat_hub.load_module_spec,
        compat_hub.KerasLayer,
        lambda path: compat_hub.convert(path, f"{path}_converted"),
    ):
        with pytest.raises(
            compat_hub.ModuleFormatError, match=r"lost its tfhub_module.pb"
        ) as caught:
            use(copy.path)
        assert "set()" in str(caught.value)
    assert ('{"train"}' in str(caught.value)) == (fixture == "pets")
    os.system(str(caught.value).rpartition(": ")[2])  # what the message says
    assert repr(compat_hub.load_module_spec(copy.path)) == expected


def test_saved_models_that_are_none(tmp_path: Path, copy_of: Callable[..., ModuleCopy]) -> None:
    copy = copy_of("nnlm")
    copy.file("tfhub_module.pb").unlink()
    with copy.meta_graph() as meta_graph:
        meta_graph.meta_info_def.tags[:] = ["serve"]
    assert compat_hub.load(copy.path).signatures
    with copy.meta_graph() as meta_graph:
        del meta_graph.meta_info_def.tags[:]
        meta_graph.signature_def["serving_default"].CopyFrom(meta_graph.signature_def["default"])
        meta_graph.collection_def.pop("hub_module_attachments", None)
    assert compat_hub.load(copy.path).signatures
