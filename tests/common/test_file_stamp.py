from __future__ import annotations

import os
import time
from pathlib import Path

from compat_hub.common.file_stamp import file_stamp


def _written(path: Path, content: bytes) -> str:
    """A file that was written a while ago, by its times."""
    path.write_bytes(content)
    _wait()
    return str(path)


def _wait() -> None:
    time.sleep(0.15)


def test_a_file_that_stays(tmp_path: Path) -> None:
    path = _written(tmp_path / "a", b"abc")
    assert file_stamp([path]) == file_stamp([path]) is not None


def test_a_file_that_changes(tmp_path: Path) -> None:
    path = _written(tmp_path / "a", b"abc")
    before = file_stamp([path])
    times = os.stat(path)
    (tmp_path / "a").write_bytes(b"abd")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    _wait()
    assert before != file_stamp([path]) is not None


def test_another_file_in_its_place(tmp_path: Path) -> None:
    path, other = _written(tmp_path / "a", b"abc"), _written(tmp_path / "b", b"abc")
    before = file_stamp([path])
    os.replace(other, path)
    _wait()
    assert before != file_stamp([path]) is not None


def test_what_tells_nothing(tmp_path: Path) -> None:
    path = _written(tmp_path / "a", b"abc")
    assert file_stamp([path, str(tmp_path / "missing")]) is None
    assert file_stamp(["ram://a/b"]) is None
    assert file_stamp(["a\0b"]) is None
    (tmp_path / "a").write_bytes(b"abd")
    assert file_stamp([path]) is None, "changed a moment ago"
