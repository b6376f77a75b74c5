"""One cache for tensorflow_hub and compat_hub, where there is a Python with tensorflow_hub.

    TENSORFLOW_HUB_PYTHON=path/to/python pytest tests/sources/test_tensorflow_hub.py

Without it `test_layout.py` has the names and files that tensorflow_hub 0.16.1 was seen to write.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import compat_hub
from compat_hub.sources import cache_layout
from tests.sources.server import Server, archive_of, file

_PYTHON = os.environ.get("TENSORFLOW_HUB_PYTHON")
pytestmark = pytest.mark.skipif(
    _PYTHON is None, reason="TENSORFLOW_HUB_PYTHON names no Python that has tensorflow_hub"
)
_RESOLVE = "import sys, tensorflow_hub; print('at', tensorflow_hub.resolve(sys.argv[1]))"


def _resolve_with_tensorflow_hub(handle: str) -> str:
    command = [_PYTHON or "", "-c", _RESOLVE, handle]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return result.stdout.strip().rpartition("at ")[2]


def test_what_tensorflow_hub_downloads_is_found(server: Server, cache: Path) -> None:
    handle = server.url("/module.tar.gz", file(archive_of()))
    path = _resolve_with_tensorflow_hub(handle)
    assert len(server.asked) == 1
    assert compat_hub.resolve(handle) == path
    assert len(server.asked) == 1
    (entry,) = cache_layout.entries(str(cache))
    assert entry.handle == handle
    assert compat_hub.load(handle).get_signature_names()


def test_tensorflow_hub_finds_what_is_downloaded(server: Server, cache: Path) -> None:
    handle = server.url("/module.tar.gz", file(archive_of()))
    path = compat_hub.resolve(handle)
    assert _resolve_with_tensorflow_hub(handle) == path
    assert len(server.asked) == 1
