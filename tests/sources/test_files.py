"""The same file operations on the local filesystem and on one of TensorFlow."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat_hub.sources import files


@pytest.fixture(params=["local", "ram"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "root") if request.param == "local" else f"ram://files/{tmp_path.name}"


def test_files_and_folders(root: str) -> None:
    assert not files.exists(root)
    assert files.names_in(root) == []
    files.make_folders(f"{root}/mod")
    files.put(f"{root}/mod/file", "ü")
    files.put(f"{root}/mod2", "other")
    files.make_folders(f"{root}/mod/sub")
    files.put(f"{root}/mod/sub/file", "12345")
    assert files.read(f"{root}/mod/file") == "ü"
    assert files.names_in(root) == ["mod", "mod2"]
    assert files.names_in(f"{root}/mod") == ["file", "sub"]
    assert [files.exists(f"{root}/{n}") for n in ["mod", "mod2", "mo", "x"]] == [True, True, 0, 0]
    assert [files.is_folder(f"{root}/{n}") for n in ["mod", "mod2", "mo"]] == [True, False, False]
    assert sorted(files.walk(f"{root}/mod")) == [("file", 2), ("sub/file", 5)]
    with files.open_to_read(f"{root}/mod2") as file:
        assert file.read() == b"other"
    files.copy(f"{root}/mod2", f"{root}/new/folder/copy")
    assert files.read(f"{root}/new/folder/copy") == "other"
    for name in "mod", "mod", "mod2", "missing":
        files.remove(f"{root}/{name}")
    assert files.names_in(root) == ["new"]


def test_put(root: str) -> None:
    files.make_folders(root)
    assert files.put_new(f"{root}/lock", "first")
    assert not files.put_new(f"{root}/lock", "second")
    assert files.read(f"{root}/lock") == "first"
    files.put(f"{root}/lock", "third")
    assert files.read(f"{root}/lock") == "third"
    assert files.names_in(root) == ["lock"]


def test_what_is_missing(root: str) -> None:
    with pytest.raises(FileNotFoundError):
        files.read(f"{root}/missing")
    with pytest.raises(OSError):  # noqa: PT011
        files.put_new("nosuchscheme://a/b" if "ram" in root else f"{root}/no/folder", "x")


def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    assert files.put_new(f"{tmp_path}/lock", "first")
    assert not files.put_new(f"{tmp_path}/lock", "second")
    assert files.read(f"{tmp_path}/lock") == "first"
    assert files.names_in(str(tmp_path)) == ["lock"]
