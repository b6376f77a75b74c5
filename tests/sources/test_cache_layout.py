"""The layout of the cache is that of tensorflow_hub 0.16.1: names, descriptor, lock file."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

import compat_hub
from compat_hub.sources import cache_layout, settings
from tests.sources.server import Server, archive_of, file

_ELMO = "https://tfhub.dev/google/elmo/3"
_ELMO_NAME = "58051eb9ff2f7c649b7c541acc518dac54e786ca"


def test_names() -> None:
    folder = cache_layout.module_directory("/cache/", _ELMO)
    assert folder == "/cache/" + _ELMO_NAME
    assert cache_layout.module_directory("ram://cache", "ü").rpartition("/")[0] == "ram://cache"
    assert cache_layout.descriptor_file(folder) == f"{folder}.descriptor.txt"
    assert cache_layout.lock_file(folder) == f"{folder}.lock"
    assert cache_layout.temporary_folder(folder, "uid") == f"{folder}.uid.tmp"


def test_the_descriptor() -> None:
    lines = cache_layout.descriptor(_ELMO).split("\n")
    assert lines[0] == f"Module: {_ELMO}"
    assert re.fullmatch(r"Download Time: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", lines[1])
    assert lines[2] == f"Downloader Hostname: {socket.gethostname()} (PID:{os.getpid()})"
    assert len(lines) == 3


def test_what_tensorflow_hub_downloaded_is_not_downloaded_again(cache: Path) -> None:
    folder = cache / _ELMO_NAME
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"")
    (cache / f"{_ELMO_NAME}.descriptor.txt").write_text(
        f"Module: {_ELMO}\nDownload Time: 2024-01-31 12:00:00.123456\n"
        "Downloader Hostname: some.host (PID:7)"
    )
    before = sorted(cache.iterdir())
    assert compat_hub.resolve(_ELMO) == str(folder)
    assert sorted(cache.iterdir()) == before
    (entry,) = cache_layout.entries(str(cache))
    assert entry == cache_layout.Entry(_ELMO, str(folder), "2024-01-31 12:00:00.123456", None)


def test_an_empty_folder_is_no_module(server: Server, cache: Path) -> None:
    handle = server.url("/m", file(archive_of()))
    folder = Path(cache_layout.module_directory(str(cache), handle))
    folder.mkdir(parents=True)
    assert list(cache_layout.entries(str(cache))) == []
    assert compat_hub.resolve(handle) == str(folder)
    assert any(folder.iterdir())


def test_a_module_without_a_descriptor(cache: Path) -> None:
    (cache / _ELMO_NAME).mkdir(parents=True)
    (cache / _ELMO_NAME / "x").touch()
    (entry,) = cache_layout.entries(str(cache))
    assert (entry.handle, entry.downloaded, entry.digest) == (None, None, None)


def test_files_of_others_are_none_of_our_business(cache: Path) -> None:
    cache.mkdir()
    own = [f"{_ELMO_NAME}.{end}" for end in ("lock", "sha256", "compat_hub.lock", "0a1b.tmp")]
    for name in [*own, "notes.txt", "models", f"{_ELMO_NAME}.txt", "x.lock"]:
        (cache / name).touch()
    folder = cache_layout.module_directory(str(cache), _ELMO)
    assert sorted(cache_layout.leftovers(str(cache))) == sorted(str(cache / name) for name in own)
    assert sorted(cache_layout.leftovers(str(cache), folder)) == sorted(str(cache / n) for n in own)


def test_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert settings.cache_folder() == str(tmp_path / "tfhub_modules")
    monkeypatch.chdir(tmp_path)
    for value, expected in {
        "": str(tmp_path / "tfhub_modules"),
        "relative/folder": str(tmp_path / "relative/folder"),
        "/absolute/": "/absolute",
        "file:///absolute": "/absolute",
        "ram://cache/": "ram://cache",
        "gs://bucket/cache": "gs://bucket/cache",
    }.items():
        monkeypatch.setenv("TFHUB_CACHE_DIR", value)
        assert settings.cache_folder() == expected
