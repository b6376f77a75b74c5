from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from compat_hub.cli.main import main
from compat_hub.sources import cache_layout, digests, locks

ROOT = Path(__file__).parents[2]
_HANDLE = "https://tfhub.dev/google/{}/1"


def _run(*args: str) -> Result:
    return CliRunner().invoke(main, ["cache", *args])


def _json(*args: str, status: int = 0) -> Any:
    result = _run(*args, "--json")
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


def _add(name: str, by: str = "compat_hub") -> tuple[str, Path]:
    """A module in the cache, as this library or tensorflow_hub puts it there."""
    handle = _HANDLE.format(name)
    folder = Path(cache_layout.module_directory(os.environ["TFHUB_CACHE_DIR"], handle))
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text(name)
    (folder / "variables/variables.index").write_bytes(bytes(100))
    Path(f"{folder}.descriptor.txt").write_text(cache_layout.descriptor(handle))
    if by == "compat_hub":
        Path(f"{folder}.sha256").write_text(f"{digests.digest_of(str(folder))}  {handle}\n")
    return handle, folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("COMPAT_HUB_DIGESTS", raising=False)
    return tmp_path / "cache"


def test_an_empty_cache(cache: Path) -> None:
    assert _json("list") == {"cache": str(cache), "modules": []}
    assert _json("verify") == {"passed": True, "modules": []}
    assert _json("clear") == {"cache": str(cache), "removed": []}
    assert _run("list").stdout == f"0 modules, 0 bytes, in {cache}\n"


def test_list(cache: Path) -> None:
    handle, folder = _add("one")
    _add("three", by="tensorflow_hub")
    found = _json("list")["modules"]
    one = next(row for row in found if row["handle"] == handle)
    assert one["path"] == str(folder)
    assert (one["bytes"], one["files"]) == (103, 2)
    assert one["sha256"] == digests.digest_of(str(folder))
    assert one["downloaded"][:2] == "20"
    text = _run("list").stdout
    assert f"{handle}\n    {folder}: 103 bytes in 2 files, downloaded 20" in text
    assert text.endswith(f"2 modules, 208 bytes, in {cache}\n")


def test_verify() -> None:
    handle, folder = _add("one")
    other, _ = _add("three", by="tensorflow_hub")
    assert {row["handle"]: row["status"] for row in _json("verify")["modules"]} == {
        handle: "ok",
        other: "unknown",
    }
    digest = digests.digest_of(str(folder))
    assert _run("verify", handle).stdout == f"{digest}  {handle}  ok\n"
    (folder / "saved_model.pb").write_text("own")
    (row,) = _json("verify", handle, status=1)["modules"]
    assert (row["status"], row["expected"]) == ("changed", [digest])
    assert _run("verify", other).exit_code == 0


def test_verify_a_folder(tmp_path: Path) -> None:
    (tmp_path / "module").mkdir()
    (tmp_path / "module/saved_model.pb").touch()
    digest = digests.digest_of(f"{tmp_path}/module")
    result = _run("verify", f"{tmp_path}/module")
    assert result.stdout == f"{digest}  {tmp_path}/module  unknown\n"


def test_a_file_of_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = tmp_path / "known"
    handle, folder = _add("one", by="tensorflow_hub")
    assert _run("verify", "--digests", str(known), "--write").exit_code == 0
    assert digests.read_known(str(known)) == {handle: digests.digest_of(str(folder))}
    (folder / "saved_model.pb").write_text("own")
    assert _json("verify", "--digests", str(known), status=1)["passed"] is False
    monkeypatch.setenv("COMPAT_HUB_DIGESTS", str(known))
    assert _json("verify", status=1)["passed"] is False
    assert _run("verify", "--write").exit_code == 0
    assert _json("verify")["passed"] is True


def test_what_changed_since_it_came_is_not_written(tmp_path: Path) -> None:
    _, folder = _add("one")
    (folder / "saved_model.pb").write_text("own")
    result = _run("verify", "--digests", str(tmp_path / "known"), "--write")
    assert result.exit_code == 1
    assert (tmp_path / "known").read_text() == ""


def test_clear(cache: Path) -> None:
    one, _ = _add("one")
    two, other = _add("two")
    (cache / "notes.txt").touch()
    assert [row["handle"] for row in _json("clear", one)["removed"]] == [one]
    left = {"notes.txt", other.name, f"{other.name}.descriptor.txt", f"{other.name}.sha256"}
    assert {path.name for path in cache.iterdir()} == left
    assert _run("clear").stdout == f"Removed 1 modules, 103 bytes, from {cache}\n"
    assert [path.name for path in cache.iterdir()] == ["notes.txt"]
    assert _run("clear", two).exit_code == 2


def test_clear_removes_what_killed_downloads_left(cache: Path) -> None:
    folder = Path(cache_layout.module_directory(str(cache), "some"))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    uid = f"{cache_layout.OWNER}{'0' * 32}"
    Path(cache_layout.temporary_folder(str(folder), uid)).mkdir(parents=True)
    Path(f"{folder}.{'1' * 32}.tmp").mkdir()
    Path(f"{folder}.lock").write_text(f"{os.uname().nodename}.{gone.pid}.{uid}")
    Path(f"{folder}.compat_hub.lock").touch()
    assert _run("clear").exit_code == 0
    assert list(cache.iterdir()) == []


def test_clear_leaves_downloads_alone(cache: Path) -> None:
    cache.mkdir()
    folder = cache_layout.module_directory(str(cache), "some")
    with locks.exclusive(folder, "some") as uid:
        temporary = Path(cache_layout.temporary_folder(folder, uid))
        temporary.mkdir()
        assert _run("clear").exit_code == 0
        assert temporary.exists()
    handle, path = _add("one")
    with locks.exclusive(str(path), handle):
        result = _run("clear", handle)
        assert result.exit_code == 2
        assert "being downloaded" in result.stderr
        assert path.exists()


@pytest.mark.parametrize(
    "args",
    [
        ["verify", "https://tfhub.dev/missing/1"],
        ["clear", "https://tfhub.dev/missing/1"],
        ["clear", "/"],
        ["verify", "--digests", "/missing/file"],
        ["verify", "--write"],
        ["verify", "--digests", "/proc/compat_hub/file", "--write"],
    ],
)
def test_bad_input_is_one_line(args: list[str]) -> None:
    result = _run(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("Error: ")


@pytest.mark.parametrize("args", [["bogus"], ["list", "extra"], ["verify", "--bogus"]])
def test_usage_errors(args: list[str]) -> None:
    result = _run(*args)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert args[-1] in result.stderr


def test_in_a_process_without_tensorflow(cache: Path) -> None:
    handle, _ = _add("one")
    code = "import sys\nfrom compat_hub.cli.main import main\n"
    code += "try: main(['cache', sys.argv[1], '--json'])\n"
    code += "finally: assert not {'tensorflow', 'numpy', 'requests'} & sys.modules.keys()"
    for command in "list", "verify", "clear":
        result = subprocess.run(
            [sys.executable, "-c", code, command],
            capture_output=True, text=True, check=False, cwd=ROOT,
        )  # fmt: skip
        assert (result.returncode, result.stderr) == (0, "")
        assert handle in result.stdout
    assert list(cache.iterdir()) == []
