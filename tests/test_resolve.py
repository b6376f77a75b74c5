"""Handles that lead somewhere; test_bad_input.py has those that do not."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

import compat_hub


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
