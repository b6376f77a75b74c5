"""One download for many processes, whatever becomes of them; failures leave the cache as it was."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import compat_hub
from compat_hub import ResolveError
from compat_hub.sources import archives, cache_layout, cache_store, digests, locks, settings
from tests.sources.server import Server, archive_of, dripping, file

ROOT = Path(__file__).parents[2]
_CODE = """
import signal, sys, compat_hub
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
print(compat_hub.resolve(sys.argv[1]))
"""


def _start(handle: str, code: str = _CODE, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, handle],
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _names(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []


def _complete(folder: str) -> list[str]:
    """What is in a cache that holds one module."""
    name = Path(folder).name
    return [name, f"{name}.descriptor.txt", f"{name}.sha256"]


def _other_process_lock(folder: str, host: str | None = None, pid: int | None = None) -> Path:
    lock = Path(cache_layout.lock_file(folder))
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(f"{host or socket.gethostname()}.{pid or os.getppid()}.{'0' * 32}")
    return lock


@pytest.fixture
def handle(server: Server) -> str:
    return server.url("/m", file(archive_of("fruit")))


def test_eight_processes_download_once(server: Server, cache: Path) -> None:
    data = archive_of("fruit")
    handle = server.url("/m", dripping(data, 0.05, len(data) // 10))
    processes = [_start(handle) for _ in range(8)]
    paths = set()
    for process in processes:
        output, errors = process.communicate(timeout=100)
        assert process.returncode == 0, errors
        paths.add(output.strip())
    assert paths == {cache_layout.module_directory(str(cache), handle)}
    assert len(server.asked) == 1
    assert _names(cache) == _complete(*paths)


def test_threads_download_once(server: Server, cache: Path) -> None:
    data = archive_of("fruit")
    handle = server.url("/m", dripping(data, 0.02, len(data) // 10))
    paths = []
    threads = [
        threading.Thread(target=lambda: paths.append(compat_hub.resolve(handle))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 8
    assert len(server.asked) == 1
    assert _names(cache) == _complete(paths[0])


def test_killed_at_random_moments(server: Server, cache: Path) -> None:
    # Starting takes a process 0.2 s or longer: it says when it begins.
    code = "import sys, compat_hub; from compat_hub.sources import hosting; print(flush=True);"
    code += "compat_hub.resolve(sys.argv[1])"
    data = archive_of("fruit")
    handle = server.url("/m", dripping(data, 0.01, len(data) // 20))
    folder = cache_layout.module_directory(str(cache), handle)
    draw = random.Random(5)
    for _ in range(8):
        process = _start(handle, code)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(draw.uniform(0, 0.4))
        process.kill()
        process.communicate()
        # Nothing, or all of it.
        if os.path.exists(folder):
            assert _is_whole(folder)
            for path in _names(cache):
                cache_store.files.remove(f"{cache}/{path}")
    began = time.monotonic()
    server.url("/m", file(data))
    assert compat_hub.resolve(handle) == folder
    assert time.monotonic() - began < 5
    assert _is_whole(folder)
    assert _names(cache) == _complete(folder)


def _is_whole(folder: str) -> bool:
    expected = settings.ArchiveLimits.from_environment()
    fresh = Path(folder).parent.parent / f"fresh{time.monotonic_ns()}"
    fresh.mkdir()
    (fresh / "archive").write_bytes(archive_of("fruit"))
    (fresh / "module").mkdir()
    with open(fresh / "archive", "rb") as archive:
        expected_digests = archives.unpack(archive, str(fresh / "module"), "fruit", expected)
    return digests.digests_of_files(folder) == expected_digests


@pytest.mark.parametrize("killed", [signal.SIGKILL, signal.SIGINT])
def test_a_lock_that_its_process_left_behind(
    server: Server, cache: Path, killed: signal.Signals
) -> None:
    data = archive_of("fruit")
    handle = server.url("/m", dripping(data, 4.0, 100))
    process = _start(handle)
    folder = cache_layout.module_directory(str(cache), handle)
    while not server.asked:
        time.sleep(0.02)
    process.send_signal(killed)
    process.communicate()
    assert not os.path.exists(folder)
    assert os.path.exists(cache_layout.lock_file(folder)) == (killed == signal.SIGKILL)
    server.url("/m", file(data))
    assert compat_hub.resolve(handle) == folder
    assert _names(cache) == _complete(folder)


def test_waits_for_tensorflow_hub(handle: str, server: Server, cache: Path) -> None:
    folder = cache_layout.module_directory(str(cache), handle)
    lock = _other_process_lock(folder)

    def finish() -> None:
        os.mkdir(folder)
        Path(folder, "saved_model.pb").touch()
        lock.unlink()

    timer = threading.Timer(0.5, finish)
    timer.start()
    assert compat_hub.resolve(handle) == folder
    timer.join()
    assert server.asked == []
    assert _names(cache) == [Path(folder).name]


def test_takes_over_from_a_process_that_is_gone(handle: str, cache: Path) -> None:
    folder = cache_layout.module_directory(str(cache), handle)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    _other_process_lock(folder, pid=gone.pid)
    assert compat_hub.resolve(handle) == folder
    assert _names(cache) == _complete(folder)


def test_takes_over_from_a_machine_that_got_nowhere(
    handle: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPAT_HUB_LOCK_TIMEOUT", "0.5")
    folder = cache_layout.module_directory(str(cache), handle)
    _other_process_lock(folder, host="another.machine")
    began = time.monotonic()
    assert compat_hub.resolve(handle) == folder
    assert time.monotonic() - began >= 0.5
    assert _names(cache) == _complete(folder)


def test_others_see_the_lock_of_tensorflow_hub(cache: Path) -> None:
    cache.mkdir()
    folder = cache_layout.module_directory(str(cache), "https://example.com/m")
    with locks.exclusive(folder, "m") as uid:
        host, pid, found = Path(f"{folder}.lock").read_text().rsplit(".", 2)
        assert (host, int(pid), found) == (socket.gethostname(), os.getpid(), uid)
        with (
            pytest.raises(ResolveError, match="being downloaded"),
            locks.exclusive(folder, "m", wait=False),
        ):
            pass
    assert _names(cache) == []


def test_a_stuck_process(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPAT_HUB_LOCK_TIMEOUT", "0.2")
    cache.mkdir()
    folder = cache_layout.module_directory(str(cache), "https://example.com/m")
    with locks.exclusive(folder, "m"), pytest.raises(ResolveError, match=r"got nowhere in 0\.2"):
        compat_hub.resolve("https://example.com/m")


def test_without_kernel_locks(handle: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    folder = compat_hub.resolve(handle)
    assert Path(folder).name in _names(cache)


# Disks that refuse ----------------------------------------------------------------------------


def test_a_limit_on_the_size_of_files(server: Server, cache: Path) -> None:
    data = archive_of("pets")
    handle = server.url("/m", file(data))
    code = "import resource, sys, compat_hub\n"
    code += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(data) // 2},) * 2)\n"
    code += "try: compat_hub.resolve(sys.argv[1])\nexcept compat_hub.ResolveError as e: print(e)"
    output, errors = _start(handle, code).communicate(timeout=100)
    assert errors == ""
    assert "cannot be written" in output
    assert "Make room on that disk" in output
    assert not cache.exists()


@pytest.mark.parametrize("when", ["writing", "unpacking", "renaming", "describing"])
def test_a_full_disk(handle: str, cache: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    targets = {
        "writing": "compat_hub.sources.download._Part.write",
        "unpacking": "compat_hub.sources.archives._write_all",
        "renaming": "compat_hub.sources.cache_store._rename",
        "describing": "compat_hub.sources.files.put",
    }
    monkeypatch.setattr(targets[when], fail)
    cache.mkdir()
    with pytest.raises(ResolveError, match="No space left on device") as caught:
        compat_hub.resolve(handle)
    assert handle in str(caught.value)
    assert "TFHUB_CACHE_DIR" in str(caught.value)
    assert _names(cache) == []


@pytest.mark.parametrize("folder", ["/proc/compat_hub", "file/cache", "nosuchscheme://cache"])
def test_a_cache_that_cannot_be_written(
    handle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / "file").touch()
    path = folder if "//" in folder or folder.startswith("/") else str(tmp_path / folder)
    monkeypatch.setenv("TFHUB_CACHE_DIR", path)
    with pytest.raises(ResolveError, match="Set TFHUB_CACHE_DIR to a folder that can be written"):
        compat_hub.resolve(handle)


def test_a_read_only_cache_that_has_the_module(
    handle: str, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = compat_hub.resolve(handle)

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(30, "Read-only file system")

    for name in "put", "put_new", "make_folders", "remove":
        monkeypatch.setattr(cache_store.files, name, refuse)
    assert compat_hub.resolve(handle) == folder
    assert len(server.asked) == 1
    with pytest.raises(ResolveError, match="Read-only file system"):
        compat_hub.resolve(f"{handle}?other")


def test_settings_that_are_no_numbers(
    handle: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["TIMEOUT", "RETRIES", "MAX_BYTES", "MAX_FILES", "MAX_RATIO", "LOCK_TIMEOUT"]
    for name in [f"COMPAT_HUB_{name}" for name in names]:
        for value in "many", "-1", "nan":
            monkeypatch.setenv(name, value)
            with pytest.raises(ResolveError, match=name):
                compat_hub.resolve(handle)
        monkeypatch.delenv(name)
    assert not cache.exists()


def test_resolving_from_the_web_imports_no_tensorflow(handle: str, cache: Path) -> None:
    code = f"{_CODE}\nassert 'tensorflow' not in sys.modules\n"
    code += "compat_hub.resolve(sys.argv[1])\n"
    output, errors = _start(handle, code).communicate(timeout=100)
    assert errors == ""
    assert output.strip() == cache_layout.module_directory(str(cache), handle)
