"""Paths that lead somewhere; test_bad_input.py has those that do not, tests/cache the web."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

import compat_hub
from compat_hub.sources import cache_layout
from tests.records import FIXTURES
from tests.sources.server import archive_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "with space" / "ü"
    folder.mkdir(parents=True)
    return folder


def test_paths(folder: Path) -> None:
    path = str(folder)
    assert compat_hub.resolve(path) == path
    assert compat_hub.resolve(folder) == path
    assert compat_hub.resolve(f"{path}/") == path
    assert compat_hub.resolve(f"{path}//") == path
    assert compat_hub.resolve(f"file://{path}") == path


def test_the_home_folder(folder: Path) -> None:
    assert compat_hub.resolve("~/with space/ü") == str(folder)
    assert compat_hub.resolve(Path("~/with space")) == str(folder.parent)


def test_relative_paths(folder: Path) -> None:
    assert Path(compat_hub.resolve("with space/ü")).samefile(folder)
    assert Path(compat_hub.resolve(".")).samefile(folder.parent.parent)


def test_the_root() -> None:
    assert compat_hub.resolve("/") == "/"


def test_links(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert compat_hub.resolve(link) == str(link)


def test_filesystems_of_tensorflow(folder: Path) -> None:
    tf.io.gfile.makedirs("ram://resolve/module")
    assert compat_hub.resolve("ram://resolve/module") == "ram://resolve/module"
    assert compat_hub.resolve("ram://resolve/module/") == "ram://resolve/module"


def test_the_folder_need_not_hold_a_module(folder: Path) -> None:
    # What is in it is the business of who reads it.
    assert compat_hub.resolve(folder) == str(folder)
    with pytest.raises(compat_hub.ModuleFormatError):
        compat_hub.load(folder)


# Archives -------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _names(folder: str | Path) -> list[str]:
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz"])
def test_an_archive(folder: Path, cache: Path, suffix: str) -> None:
    archive = folder / f"fruit{suffix}"
    archive.write_bytes(archive_of("fruit", "w:" if suffix == ".tar" else "w:gz"))
    path = compat_hub.resolve(archive)
    assert path.startswith(f"{cache}/")
    assert _names(path) == _names(FIXTURES / "fruit" / "module")
    assert compat_hub.load(str(archive)).get_signature_names()
    assert len([p for p in cache.iterdir() if p.is_dir()]) == 1
    assert _names(compat_hub.resolve(f"file://{archive}")) == _names(path)


def test_an_archive_that_is_replaced(folder: Path, cache: Path) -> None:
    archive = folder / "m.tar.gz"
    for fixture in "fruit", "pets":
        archive.write_bytes(archive_of(fixture))
        path = compat_hub.resolve(archive)
        assert _names(path) == _names(FIXTURES / fixture / "module")


def test_an_archive_of_a_folder(folder: Path, cache: Path) -> None:
    archive = folder / "m.tar.gz"
    archive.write_bytes(archive_of("fruit", prefix="fruit/"))
    path = compat_hub.resolve(archive)
    assert Path(path).name == "fruit"
    assert _names(path) == _names(FIXTURES / "fruit" / "module")
    assert compat_hub.resolve(archive) == path


def test_a_folder_that_is_called_as_archives_are(folder: Path, cache: Path) -> None:
    (folder / "m.tar").mkdir()
    assert compat_hub.resolve(folder / "m.tar") == str(folder / "m.tar")
    assert not cache.exists()


def test_an_archive_on_a_filesystem_of_tensorflow(cache: Path) -> None:
    with tf.io.gfile.GFile("ram://archives/m.tgz", "wb") as file:
        file.write(archive_of("fruit"))
    path = compat_hub.resolve("ram://archives/m.tgz")
    assert _names(path) == _names(FIXTURES / "fruit" / "module")


@pytest.mark.parametrize("content", [b"", b"no archive", archive_of("fruit")[:-100]])
def test_archives_that_are_none(folder: Path, cache: Path, content: bytes) -> None:
    archive = folder / "m.tar.gz"
    archive.write_bytes(content)
    with pytest.raises(compat_hub.ResolveError) as caught:
        compat_hub.resolve(archive)
    assert repr(str(archive)) in str(caught.value)
    assert not cache.exists()


def test_a_cache_on_a_filesystem_of_tensorflow(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", "ram://some/cache")
    archive = folder / "m.tgz"
    archive.write_bytes(archive_of("fruit"))
    path = compat_hub.resolve(archive)
    assert path.startswith("ram://some/cache/")
    assert compat_hub.load(archive).get_signature_names()
    assert compat_hub.resolve(archive) == path
    (entry,) = cache_layout.entries("ram://some/cache")
    assert (entry.handle, entry.path) == (str(archive), path)
    assert cache_layout.leftovers("ram://some/cache") == []


def test_a_relative_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", "relative/cache")
    archive = folder / "m.tgz"
    archive.write_bytes(archive_of("fruit"))
    path = compat_hub.resolve(archive)
    assert path.startswith(f"{Path.cwd()}/relative/cache/")
