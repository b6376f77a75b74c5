from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compat_hub.sources import download
from tests.sources.server import Server, running


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, which is not there yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses between attempts, and nothing from the environment of whoever runs the tests."""
    monkeypatch.setattr(download, "_FIRST_PAUSE", 0.01)
    for name in ("TFHUB_CACHE_DIR", "TFHUB_MODEL_LOAD_FORMAT", "TFHUB_DOWNLOAD_PROGRESS"):
        monkeypatch.delenv(name, raising=False)
