"""What a killed writer has left goes with the next one, and what a living one has stays."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import compat_hub
from compat_hub.cli.main import main
from compat_hub.format.writer import new_folder
from compat_hub.sources import partial_folders
from compat_hub.sources.partial_folders import kept, partial_name, remove_abandoned

pytestmark = pytest.mark.skipif(partial_folders.fcntl is None, reason="needs locks on folders")

_WRITER = """
import sys, time
from compat_hub.format.writer import new_folder
with new_folder(sys.argv[1] + "/module") as folder:
    open(folder + "/part", "w").close()
    print("writing", flush=True)
    time.sleep(600)
"""


class Writer:
    """A process that writes a module, and does not come to an end."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        self.output: Any = self.process.stdout
        assert self.output.readline() == b"writing\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.output.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "exports"


@pytest.fixture
def writer(folder: Path) -> Iterator[Writer]:
    writer = Writer(folder)
    yield writer
    writer.kill()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_writer_that_is_killed(writer: Writer, folder: Path, fixture_path) -> None:
    (left,) = _names(folder)
    assert left.startswith(".tmp-")
    module = compat_hub.load(fixture_path("fruit"))
    module.export(folder / "of_the_living")  # which takes nothing from one that lives
    assert _names(folder) == [left, "of_the_living"]
    assert (folder / left / "part").exists()
    writer.kill()
    assert _names(folder) == [left, "of_the_living"]
    module.export(folder / "next")
    assert _names(folder) == ["next", "of_the_living"]


@pytest.mark.parametrize("how", ["convert", "save"])
def test_other_ways_to_write(how: str, folder: Path, fixture_path) -> None:
    with kept(str(folder / partial_name("living"))):
        pass
    if how == "convert":
        compat_hub.convert(fixture_path("fruit"), folder / "next")
    else:
        compat_hub.load(fixture_path("fruit")).save(folder / "next")
    assert _names(folder) == ["next"]


def test_the_command(writer: Writer, folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    entry = tmp_path / "cache" / ("0" * 40)
    entry.mkdir(parents=True)
    (entry / "saved_model.pb").touch()
    half = tmp_path / "cache" / ("1" * 40 + ".compat_hub-x.tmp")
    half.mkdir()
    command = ["cache", "clear", "--partial", str(folder)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0
    assert "Removed 0 partial folders" in result.output
    assert len(_names(folder)) == 1
    writer.kill()
    result = CliRunner().invoke(main, [*command, "--json"])
    assert str(folder) in result.output
    assert ".tmp-" in result.output
    assert _names(folder) == []
    assert half.exists()
    # Without a folder: the cache, and the current folder.
    with kept(str(folder / partial_name("module"))):
        pass
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(main, ["cache", "clear", "--partial"])
    assert "Removed 2 partial folders" in result.output
    assert _names(folder) == []
    assert not half.exists()
    assert entry.exists()
    result = CliRunner().invoke(main, ["cache", "clear", "--partial", str(folder / "none")])
    assert result.exit_code == 2


def test_threads_of_one_process(tmp_path: Path) -> None:
    is_made, may_end = threading.Event(), threading.Event()

    def write() -> None:
        with new_folder(str(tmp_path / "a")) as folder:
            Path(folder, "x").touch()
            is_made.set()
            may_end.wait(60)

    thread = threading.Thread(target=write)
    thread.start()
    assert is_made.wait(60)
    assert remove_abandoned(str(tmp_path)) == []
    with new_folder(str(tmp_path / "b")) as folder:
        Path(folder, "y").touch()
    may_end.set()
    thread.join()
    assert _names(tmp_path) == ["a", "b"]
    assert _names(tmp_path / "a") == ["x"]


def test_what_is_not_touched(tmp_path: Path) -> None:
    own = partial_name("x")
    other_host = f".tmp-{'0' * 32}-x"
    for name in other_host, ".tmp-x", "module", f".tmp-{'g' * 32}-x":
        (tmp_path / name).mkdir()
    (tmp_path / partial_name("file")).touch()
    (tmp_path / partial_name("link")).symlink_to(tmp_path / "module")
    before = _names(tmp_path)
    assert remove_abandoned(str(tmp_path)) == []
    assert _names(tmp_path) == before
    (tmp_path / own / "folder").mkdir(parents=True)
    (tmp_path / own / "link").symlink_to(tmp_path / "module")
    assert remove_abandoned(f"file://{tmp_path}") == [str(tmp_path / own)]
    assert _names(tmp_path) == before
    assert remove_abandoned(str(tmp_path / "none")) == []
    assert remove_abandoned("ram://none") == []


def test_where_there_are_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(partial_folders.fcntl, "flock", refuse)
    left = tmp_path / partial_name("x")
    left.mkdir()
    with new_folder(str(tmp_path / "a")) as folder:
        Path(folder, "x").touch()
    assert _names(tmp_path) == [left.name, "a"]


def test_a_folder_that_is_taken_at_the_first_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = partial_folders._lock
    taken = []

    def lock_late(path: str, exclusive: bool) -> int | None:
        if not exclusive and len(taken) < 2:
            taken.extend(remove_abandoned(str(tmp_path)))
        return lock(path, exclusive)

    monkeypatch.setattr(partial_folders, "_lock", lock_late)
    with new_folder(str(tmp_path / "a")) as folder:
        Path(folder, "x").touch()
    assert len(taken) == 2
    assert _names(tmp_path) == ["a"]
