"""A default cache to which others can write is not used, nor is such a module in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import compat_hub
from compat_hub.cli.main import main
from compat_hub.sources import cache_layout, ownership
from tests.sources.server import Server, archive_of, file

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs owners and modes")

Change = Callable[[Path], None]


@pytest.fixture
def default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache where nobody says where it is."""
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / "tfhub_modules"


@pytest.fixture
def give_away(monkeypatch: pytest.MonkeyPatch) -> Change:
    """Makes a path belong to another user, as far as the program can tell."""

    def change(path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, 12345, -1)
        else:
            other = os.geteuid() + 1
            monkeypatch.setattr(os, "geteuid", lambda: other)

    return change


@pytest.fixture
def handle(server: Server) -> str:
    return server.url("/m", file(archive_of()))


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o1777])
@pytest.mark.parametrize("where", ["cache", "module", "file"])
def test_what_others_can_write_to(
    mode: int, where: str, default: Path, handle: str, server: Server, tmp_path: Path
) -> None:
    folder = Path(compat_hub.resolve(handle))
    changed = {"cache": default, "module": folder, "file": folder / "saved_model.pb"}[where]
    changed.chmod(mode)
    with pytest.raises(compat_hub.ResolveError, match="all users of this machine can") as caught:
        compat_hub.load(handle)
    assert "TFHUB_CACHE_DIR" in str(caught.value)
    assert str(default) in str(caught.value)
    changed.chmod(0o755)
    compat_hub.load(handle)
    assert len(server.asked) == 1


@pytest.mark.parametrize("where", ["cache", "module", "file"])
def test_what_another_user_owns(where: str, default: Path, handle: str, give_away: Change) -> None:
    folder = Path(compat_hub.resolve(handle))
    give_away({"cache": default, "module": folder, "file": folder / "saved_model.pb"}[where])
    with pytest.raises(compat_hub.ResolveError, match="the owner is another user, "):
        compat_hub.load(handle)


def test_what_another_user_has_planted(default: Path, handle: str, give_away: Change) -> None:
    folder = Path(cache_layout.module_directory(str(default), handle))
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"planted")
    give_away(default)
    with pytest.raises(compat_hub.ResolveError, match="may have put any module there"):
        compat_hub.resolve(handle)


def test_a_cache_of_another_user_is_not_cleared(
    default: Path, give_away: Change, tmp_path: Path
) -> None:
    # Locks are made in it, and another user may have put links in their place.
    mine = tmp_path / "mine"
    mine.write_text("mine")
    for name in "0" * 40, "1" * 40:
        (default / name).mkdir(parents=True)
        (default / name / "saved_model.pb").touch()
        (default / f"{name}.compat_hub.lock").symlink_to(mine)
    give_away(default)
    for command in ["cache", "clear"], ["cache", "clear", "--partial"]:
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 2
        assert "the owner is another user" in result.output
    assert mine.read_text() == "mine"
    assert len(list(default.iterdir())) == 4


def test_a_link_to_what_another_user_owns(
    default: Path, handle: str, give_away: Change, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    give_away(tmp_path / "elsewhere")
    default.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(compat_hub.ResolveError, match="the owner is another user"):
        compat_hub.resolve(handle)


def test_a_cache_that_is_named(
    default: Path, handle: str, give_away: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    default.mkdir()
    default.chmod(0o777)
    give_away(default)
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(default))
    assert compat_hub.load(handle).get_signature_names()


def test_what_is_made_there(default: Path, handle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0)
    try:
        folder = Path(compat_hub.resolve(handle))
    finally:
        os.umask(before)
    for path in [default, folder, *folder.rglob("*")]:
        assert not path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH), path
    compat_hub.load(handle)


def test_groups(default: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    default.mkdir(mode=0o755)
    default.chmod(0o775)
    monkeypatch.setattr(ownership, "_is_own_group", lambda *_: True)
    ownership.check_cache(str(default))
    monkeypatch.setattr(ownership, "_is_own_group", lambda *_: False)
    with pytest.raises(compat_hub.ResolveError, match=r"the group .* can write to it"):
        ownership.check_cache(str(default))


def test_the_group_of_one_user() -> None:
    import grp
    import pwd

    user = pwd.getpwuid(os.getuid())
    group = grp.getgrgid(user.pw_gid)
    is_alone = group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
    assert ownership._is_own_group(user.pw_gid, user.pw_uid) is is_alone
    assert not ownership._is_own_group(987654, user.pw_uid)
