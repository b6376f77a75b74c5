"""Archives that are unpacked, and hostile ones that are refused."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import os
import stat
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from compat_hub import ResolveError
from compat_hub.sources import archives
from compat_hub.sources.settings import ArchiveLimits
from tests.records import FIXTURES
from tests.sources.server import archive, archive_of_members

_LIMITS = ArchiveLimits(size=1 << 20, entries=50, ratio=200)
_HELLO = {"./saved_model.pb": b"hello", "./assets/words.txt": b"a\nb\n"}


@pytest.fixture
def unpack(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Unpacks, and checks that a refusal leaves nothing outside of the folder."""

    def run(data: bytes, limits: ArchiveLimits = _LIMITS) -> dict[str, str]:
        outer = tmp_path / "outer"
        folder = outer / "folder"
        folder.mkdir(parents=True)
        try:
            return archives.unpack(io.BytesIO(data), str(folder), "the/handle", limits)
        finally:
            assert list(outer.iterdir()) == [folder]
            assert list(tmp_path.iterdir()) == [outer]

    return run


def _contents(tmp_path: Path) -> dict[str, bytes]:
    folder = tmp_path / "outer/folder"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2"])
@pytest.mark.parametrize("prefix", ["./", ""])
@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_unpacks(
    unpack: Callable[..., dict[str, str]], tmp_path: Path, mode: str, prefix: str, format: int
) -> None:
    large = os.urandom(300_000)
    contents = {
        prefix + "saved_model.pb": b"",
        prefix + "assets/" + "x" * 90 + "/" + "é" * 20: large,
        prefix + "variables/variables.index": b"index",
    }
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=format) as tar:  # pyright: ignore
        for folder in [prefix, prefix + "assets"] if prefix else ["assets"]:
            entry = tarfile.TarInfo(folder)
            entry.type = tarfile.DIRTYPE
            tar.addfile(entry)
        for name, data in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    digests = unpack(file.getvalue())
    expected = {name.removeprefix("./"): data for name, data in contents.items()}
    assert _contents(tmp_path) == expected
    assert digests == {n: hashlib.sha256(d).hexdigest() for n, d in expected.items()}


def test_empty_folders_are_kept(unpack: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    folder = tarfile.TarInfo("assets")
    folder.type = tarfile.DIRTYPE
    member = tarfile.TarInfo("saved_model.pb")
    unpack(archive_of_members([(folder, b""), (member, b"")]))
    assert (tmp_path / "outer/folder/assets").is_dir()


def test_permissions_are_not_taken_over(
    unpack: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    member = tarfile.TarInfo("saved_model.pb")
    member.mode, member.uid, member.mtime = 0o6777, 12345, 0
    unpack(archive_of_members([(member, b"")]))
    found = (tmp_path / "outer/folder/saved_model.pb").stat()
    assert stat.S_IMODE(found.st_mode) & 0o7111 == 0
    assert (found.st_uid, found.st_mtime > 1) == (os.getuid(), True)


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", **values: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    for key, value in values.items():
        setattr(member, key, value)
    first = tarfile.TarInfo("saved_model.pb")
    return archive_of_members([(first, b""), (member, b"")])


def _two(*names: str, folder: str | None = None) -> bytes:
    members = []
    for name in names:
        member = tarfile.TarInfo(name)
        if name == folder:
            member.type = tarfile.DIRTYPE
        members.append((member, b""))
    return archive_of_members(members)


def _sparse() -> bytes:
    member = tarfile.TarInfo("variables")
    member.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "variables",
        "GNU.sparse.realsize": "1099511627776",
    }
    data = b"0\n".ljust(512, b"\0")
    member.size = len(data)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


_HOSTILE = {
    "absolute": (_member("/etc/passwd"), "'/etc/passwd' is an absolute path"),
    "drive": (_member("C:/x"), "'C:/x' is an absolute path"),
    "dots": (_member("../x"), "'../x' leads out"),
    "dots_within": (_member("a/../../x"), "leads out"),
    "dots_that_come_back": (_member("a/../x"), "leads out"),
    "backslash": (_member("..\\x"), "has a character"),
    "control": (_member("a\nb"), "has a character"),
    "no_utf8": (_member("\udcff"), "has a character"),
    "own_folder_as_file": (_member("./"), "not a name of a file"),
    "symlink": (_member("x", tarfile.SYMTYPE, "/etc"), "'x' is a symbolic link"),
    "inner_symlink": (_member("x", tarfile.SYMTYPE, "saved_model.pb"), "symbolic link"),
    "hard_link": (_member("x", tarfile.LNKTYPE, "saved_model.pb"), "'x' is a hard link"),
    "char_device": (_member("x", tarfile.CHRTYPE, devmajor=1, devminor=5), "'x' is a device"),
    "block_device": (_member("x", tarfile.BLKTYPE), "'x' is a device"),
    "fifo": (_member("x", tarfile.FIFOTYPE), "'x' is a fifo"),
    "unknown_type": (_member("x", b"Q"), "'x' is of the unknown type"),
    "sparse": (_sparse(), "'variables' is a sparse file"),
    "case": (_two("assets/a", "assets/A"), "differ in case or accents"),
    "case_of_folders": (_two("assets/a", "Assets/b"), "differ in case or accents"),
    "accents": (_two("caf\u00e9", "cafe\u0301"), "differ in case or accents"),
    "file_as_folder": (_two("a", "a/b"), "is a file and a folder"),
    "folder_as_file": (_two("a/b", "a"), "is there twice"),
    "empty_folder_as_file": (_two("a/", "a", folder="a/"), "is there twice"),
}


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile(unpack: Callable[..., dict[str, str]], name: str) -> None:
    data, words = _HOSTILE[name]
    with pytest.raises(ResolveError, match="refused") as caught:
        unpack(data)
    assert words in str(caught.value)
    assert "'the/handle'" in str(caught.value)


@pytest.mark.parametrize("names", [("a", "a"), ("a", "./a"), ("./b/a", "b//a"), ("a", "a", "a")])
def test_of_files_with_one_name_the_last_one_counts(
    unpack: Callable[..., dict[str, str]], tmp_path: Path, names: tuple[str, ...]
) -> None:
    members = []
    for k, name in enumerate(names):
        member = tarfile.TarInfo(name)
        data = b"x" * (10 - k) + str(k).encode()  # a shorter one leaves nothing of a longer
        member.size = len(data)
        members.append((member, data))
    found = unpack(archive_of_members(members))
    path = "b/a" if "b" in names[0] else "a"
    assert found == {path: hashlib.sha256(data).hexdigest()}
    assert (tmp_path / "outer/folder" / path).read_bytes() == data


def test_an_archive_of_a_folder_and_of_its_files(
    unpack: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    module = FIXTURES / "fruit" / "module"
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        tar.add(module, "")
        for path in sorted(module.rglob("*")):
            tar.add(path, path.relative_to(module).as_posix())
    found = unpack(file.getvalue())
    names = [p.relative_to(module).as_posix() for p in module.rglob("*") if p.is_file()]
    assert sorted(found) == sorted(names)


def test_a_folder_may_be_named_twice(unpack: Callable[..., dict[str, str]]) -> None:
    members = []
    for name in ["a", "./a/", "a/b"]:
        member = tarfile.TarInfo(name)
        member.type = tarfile.REGTYPE if name == "a/b" else tarfile.DIRTYPE
        members.append((member, b""))
    assert list(unpack(archive_of_members(members))) == ["a/b"]


def _huge_attributes() -> bytes:
    """A member whose long name is 1 GiB of zeros, by its header."""
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    return gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 22))


def _lying_size() -> bytes:
    member = tarfile.TarInfo("saved_model.pb")
    member.size = 1 << 40
    return gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 16))


_LARGE = {
    "size": (archive({"a": bytes(700_000), "b": bytes(700_000)}, "w:"), {}, "COMPAT_HUB_MAX_BYTES"),
    "size_by_header": (_lying_size(), {}, "COMPAT_HUB_MAX_BYTES"),
    "count": (archive({str(k): b"" for k in range(51)}), {}, "COMPAT_HUB_MAX_FILES"),
    "ratio": (archive({"a": bytes(4 << 20)}), {"size": 1 << 30}, "COMPAT_HUB_MAX_RATIO"),
    "padding": (gzip.compress(archive({"a": b""}, "w:") + bytes(4 << 20)), {}, "MAX_BYTES"),
    "padding_ratio": (
        gzip.compress(archive({"a": b""}, "w:") + bytes(4 << 20)),
        {"size": 1 << 30},
        "COMPAT_HUB_MAX_RATIO",
    ),
    "attributes": (_huge_attributes(), {"size": 1 << 40}, "attributes of more than 1 MiB"),
}


@pytest.mark.parametrize("name", _LARGE)
def test_bombs(
    unpack: Callable[..., dict[str, str]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_UNSUSPICIOUS_SIZE", 1 << 20)
    data, changes, words = _LARGE[name]
    limits = ArchiveLimits(**{**vars(_LIMITS), **changes})
    with pytest.raises(ResolveError, match="refused") as caught:
        unpack(data, limits)
    assert words in str(caught.value)


def test_zeros_are_no_bomb_while_they_are_few(unpack: Callable[..., dict[str, str]]) -> None:
    unpack(archive({"a": bytes(1 << 24)}), ArchiveLimits(1 << 30, 50, 1))


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2"])
def test_truncated(unpack: Callable[..., dict[str, str]], tmp_path: Path, mode: str) -> None:
    data = archive({"a": os.urandom(2000), "b": os.urandom(2000)}, mode)
    # At the end of a member tarfile itself notices nothing.
    cuts = [1, 511, 512, 700, 512 + 2048, 2 * 512 + 2048, 5119] if mode == "w:" else [1, 20, 3000]
    for cut in [*cuts, *([] if mode == "w:" else [len(data) - 1, len(data) - 5])]:
        with pytest.raises(ResolveError, match=r"truncated|not a tar|holds no files"):
            unpack(data[:cut])
        for path in sorted((tmp_path / "outer").rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        (tmp_path / "outer").rmdir()


def test_damaged(unpack: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    data = bytearray(archive({"a": os.urandom(2000), "b": b""}, "w:"))
    data[512 + 2048 + 5] ^= 1  # in the second header
    with pytest.raises(ResolveError, match="truncated or damaged"):
        unpack(bytes(data))


def test_a_damaged_checksum(unpack: Callable[..., dict[str, str]]) -> None:
    data = bytearray(archive({"a": os.urandom(2000)}))
    data[-8] ^= 1
    with pytest.raises(ResolveError, match="truncated or damaged"):
        unpack(bytes(data))


def test_chains_of_headers(unpack: Callable[..., dict[str, str]]) -> None:
    member = tarfile.TarInfo("././@PaxHeader")
    member.type, member.size = tarfile.XHDTYPE, 0
    with pytest.raises(ResolveError):
        unpack(gzip.compress(member.tobuf(tarfile.USTAR_FORMAT) * 2000))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<!DOCTYPE html>\n<html><title>Log in</title>", "'<!DOCTYPE html> <html><title>Log in"),
        (b"PK\3\4" + bytes(600), "PK"),
        (b"", "it is empty"),
        (struct.pack("512B", *([65] * 512)), "AAAA"),
    ],
)
def test_no_archive(unpack: Callable[..., dict[str, str]], data: bytes, words: str) -> None:
    with pytest.raises(archives.NotAnArchiveError, match="not a tar archive") as caught:
        unpack(data)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [archive({}), bytes(1024), _two("a", folder="a")],
    ids=["empty", "zeros", "folders"],  # the bytes of an archive have the time in them
)
def test_archives_without_files(unpack: Callable[..., dict[str, str]], data: bytes) -> None:
    with pytest.raises(ResolveError, match="holds no files"):
        unpack(data)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_a_compressed_page(
    unpack: Callable[..., dict[str, str]], compress: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(ResolveError, match="truncated or damaged"):
        unpack(compress(b"<html>" * 200))


def test_a_full_disk(
    unpack: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives, "_write_all", fail)
    with pytest.raises(ResolveError, match="No space left on device") as caught:
        unpack(archive(_HELLO))
    assert "Make room" in str(caught.value)


def test_names() -> None:
    for name in ["m.tar", "m.tar.gz", "m.tgz", "a/M.TAR.GZ"]:
        assert archives.is_archive_name(name)
    for name in ["m.zip", "m.gz", "tar", "m.tar/x"]:
        assert not archives.is_archive_name(name)
