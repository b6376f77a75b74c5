"""Archives unpacked without trust in who made them."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import io
import os
import tarfile
import unicodedata
import zlib
from collections.abc import Iterator
from typing import IO, Any

from compat_hub.errors import ResolveError
from compat_hub.sources.settings import ArchiveLimits
from compat_hub.sources.strange_files import strange_content

SUFFIXES = (".tar", ".tar.gz", ".tgz")

_CHUNK = 1 << 20
_BLOCK = tarfile.BLOCKSIZE
# tarfile reads the long names and other attributes of a member at once; no honest ones are larger.
_LONGEST_HEADER = 1 << 20
# Small archives of zeros do no harm.
_UNSUSPICIOUS_SIZE = 64 << 20
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open}
_DAMAGES = (
    tarfile.TarError,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    ArithmeticError,
    LookupError,
    RecursionError,
)


class NotAnArchiveError(ResolveError):
    """The file is of another kind."""


def is_archive_name(path: str) -> bool:
    """Whether a path or URL ends as those of archives do."""
    return path.lower().endswith(SUFFIXES)


def unpack(archive: IO[bytes], folder: str, handle: str, limits: ArchiveLimits) -> dict[str, str]:
    """Unpacks a tar archive, as it is or compressed by gzip or bzip2, into an empty folder.

    Only files and folders are taken over, with contents and names; not links, devices, owners,
    times and permissions. Each name is checked before it is used. Of files with the same name the
    last one counts.

    Example:
        ```python
        with open("module.tar.gz", "rb") as archive:
            unpack(archive, "/tmp/module", "module.tar.gz", ArchiveLimits.from_environment())
        ```

    Args:
        archive: The archive's bytes.
        folder: Where its content goes: a local folder that is there, and empty.
        handle: How messages name it.
        limits: How much it may hold.

    Returns:
        The SHA-256 of each file, by its path in the folder.

    Raises:
        NotAnArchiveError: The file is not an archive.
        ResolveError: The archive is damaged or unsafe, or cannot be written to the folder.
    """
    return _Unpacking(archive, folder, handle, limits).run()


class _TooMuchError(Exception):
    """A limit is exceeded; the text says which."""


class _Counter(io.RawIOBase):
    """A file that is read once from beginning to end, and that counts the bytes.

    tarfile seeks in it, but never back.
    """

    def __init__(self, file: Any, limit: float = float("inf")) -> None:
        self._file = file
        self._limit = limit
        self.position = 0
        self.last = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        return self.position

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _LONGEST_HEADER:
            raise _UnsafeError("a member has a name or attributes of more than 1 MiB")
        self.last = self._file.read(size)
        self.position += len(self.last)
        if self.position > self._limit:
            raise _TooMuchError(
                f"it holds more than {self._limit:,.0f} bytes, the limit that COMPAT_HUB_MAX_BYTES "
                "sets"
            )
        return self.last

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or position < self.position:
            raise tarfile.ReadError("its members overlap")
        while self.position < position:
            if not self.read(min(_CHUNK, position - self.position)):
                break
        return self.position


class _Unpacking:
    def __init__(self, archive: IO[bytes], folder: str, handle: str, limits: ArchiveLimits) -> None:
        self._packed = _Counter(archive)
        self._folder = folder
        self._handle = handle
        self._limits = limits
        self._names = _Names()
        self._entries = 0
        self._digests: dict[str, str] = {}

    def run(self) -> dict[str, str]:
        beginning = self._read_beginning()
        opener = next((o for magic, o in _OPENERS.items() if beginning.startswith(magic)), None)
        whole = _Prefixed(beginning, self._packed)
        try:
            content = opener(io.BufferedReader(whole, _CHUNK)) if opener else whole
            self._content = _Counter(content, self._limits.size)
            self._unpack_all()
        except _UnsafeError as error:
            raise self._refuse(str(error)) from None
        except _TooMuchError as error:
            raise ResolveError(
                f"The archive of {self._handle!r} was refused: {error}. "
                "If you trust its source, raise the limit by that environment variable."
            ) from None
        except _WriteError as error:
            raise ResolveError(
                f"The archive of {self._handle!r} cannot be unpacked to {self._folder!r}: {error}. "
                "Make room on that disk, or set TFHUB_CACHE_DIR to a folder on another."
            ) from error
        except _DAMAGES as error:
            if self._entries == 0 and opener is None:
                raise self._not_an_archive(beginning) from error
            raise ResolveError(
                f"The archive of {self._handle!r} is truncated or damaged: {error}. "
                "Get a fresh copy of it."
            ) from error
        if not self._digests:
            raise ResolveError(f"The archive of {self._handle!r} holds no files. Check the handle.")
        return self._digests

    def _read_beginning(self) -> bytes:
        try:
            return self._packed.read(_BLOCK)
        except OSError as error:
            raise ResolveError(
                f"The archive of {self._handle!r} cannot be read: {error}. Check the path."
            ) from error

    def _unpack_all(self) -> None:
        with tarfile.open(fileobj=self._content, mode="r:", encoding="utf-8") as tar:
            # In Python 3.10, to ask an archive without members for one seeks to before its start.
            member = tar.next() if tar.firstmember is not None else None
            while member is not None:
                self._unpack_member(tar, member)
                tar.members.clear()  # tarfile keeps a list
                member = tar.next()
            # tarfile takes a damaged header for the end.
            if self._content.last.strip(b"\0") or len(self._content.last) != _BLOCK:
                raise tarfile.ReadError("it has no end")
        while self._content.read(_CHUNK):  # what follows has the checksum of gzip
            self._check_ratio()

    def _unpack_member(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        self._entries += 1
        if self._entries > self._limits.entries:
            raise _TooMuchError(
                f"it has more than {self._limits.entries:,.0f} files and folders, the limit that "
                "COMPAT_HUB_MAX_FILES sets"
            )
        kind = _refused_kind(member)
        if kind is not None:
            raise _UnsafeError(f"{_shown(member.name)} is {kind}")
        if member.size > self._limits.size:
            raise _TooMuchError(
                f"{_shown(member.name)} has {member.size:,} bytes, more than the limit of "
                f"{self._limits.size:,.0f} that COMPAT_HUB_MAX_BYTES sets"
            )
        path = self._names.add(member.name, member.isdir())
        if member.isdir():
            with _writing():
                os.makedirs(os.path.join(self._folder, path), exist_ok=True)
            return
        source = tar.extractfile(member)
        if source is None:
            raise _UnsafeError(f"{_shown(member.name)} is not a file")
        self._write(path, source)

    def _write(self, path: str, source: IO[bytes]) -> None:
        target = os.path.join(self._folder, *path.split("/"))
        digest = hashlib.sha256()
        with _writing():
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if path in self._digests:  # of files with one name the last one counts, as for tar
                os.remove(target)
        with _new_file(target) as file:
            while chunk := source.read(_CHUNK):
                self._check_ratio()
                digest.update(chunk)
                with _writing():
                    _write_all(file, chunk)
        self._digests[path] = digest.hexdigest()

    def _check_ratio(self) -> None:
        packed, content = self._packed.position, self._content.position
        if content > max(_UNSUSPICIOUS_SIZE, packed * self._limits.ratio):
            raise _TooMuchError(
                f"each of its bytes unpacks to more than {self._limits.ratio:g}, the limit that "
                "COMPAT_HUB_MAX_RATIO sets"
            )

    def _refuse(self, reason: str) -> ResolveError:
        return ResolveError(
            f"The archive of {self._handle!r} was refused, and nothing of it was kept: {reason}. "
            "A module's archive holds files and folders with relative names only: do not trust "
            "this one, or have its maker pack it anew."
        )

    def _not_an_archive(self, beginning: bytes) -> NotAnArchiveError:
        if not beginning:
            what = "it is empty"
        else:
            text = beginning[:200].decode("utf-8", "replace")
            printable = "".join(c if c.isprintable() else " " for c in text)
            what = f"it begins with {' '.join(printable.split())!r}"
            strange = strange_content(beginning)
            if strange is not None:
                what += f", so it {strange}"
        return NotAnArchiveError(
            f"What {self._handle!r} leads to is not a tar archive: {what}. "
            "Check the handle in a browser; a server may answer with a page instead of a module."
        )


class _Prefixed(io.RawIOBase):
    """A file of which the first bytes were read already."""

    def __init__(self, beginning: bytes, rest: _Counter) -> None:
        self._beginning = beginning
        self._rest = rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        taken = self._beginning[:size]
        self._beginning = self._beginning[size:]
        if len(taken) == size:
            return taken
        return taken + self._rest.read(size - len(taken))

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _UnsafeError(Exception):
    """A member that no module has; the text says which."""


class _WriteError(Exception):
    """The disk refuses; the text says why."""


def _new_file(path: str) -> io.FileIO:
    with _writing():
        return io.FileIO(path, "x")


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Tells what fails while writing from what fails while reading."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise _WriteError(str(error)) from error


def _write_all(file: io.FileIO, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]


def _refused_kind(member: tarfile.TarInfo) -> str | None:
    if member.issparse():
        return "a sparse file"
    if member.size < 0:
        return "a file of negative size"
    if member.isfile() or member.isdir():
        return None
    kinds = {
        tarfile.SYMTYPE: "a symbolic link",
        tarfile.LNKTYPE: "a hard link",
        tarfile.CHRTYPE: "a device",
        tarfile.BLKTYPE: "a device",
        tarfile.FIFOTYPE: "a fifo",
    }
    return kinds.get(member.type, f"of the unknown type {member.type!r}")


def _shown(name: str) -> str:
    return repr(name if len(name) <= 200 else f"{name[:200]}...")


class _Names:
    """The names in an archive: none leads out, and no two are one file on some filesystem."""

    def __init__(self) -> None:
        self._spellings: dict[str, str] = {}
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def add(self, name: str, is_folder: bool) -> str:
        """Checks a member's name.

        Returns:
            The path, relative and with slashes; empty for the archive's own folder.
        """
        shown = _shown(name)
        if name.startswith("/") or (len(name) > 1 and name[1] == ":" and name[0].isalpha()):
            raise _UnsafeError(f"{shown} is an absolute path")
        parts = [part for part in name.split("/") if part not in {"", "."}]
        if ".." in parts:
            raise _UnsafeError(f"{shown} leads out of the folder")
        if "\\" in name or any(unicodedata.category(c) in {"Cc", "Cs"} for c in name):
            raise _UnsafeError(f"{shown} has a character that is not part of a file's name")
        if not parts:
            if is_folder:
                return ""
            raise _UnsafeError(f"{shown} is not a name of a file")
        for k in range(1, len(parts)):
            self._add("/".join(parts[:k]), True, shown)
        path = "/".join(parts)
        self._add(path, is_folder, shown)
        return path

    def _add(self, path: str, is_folder: bool, shown: str) -> None:
        # Filesystems that ignore case, or the form of accents, take these for one.
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
        known = self._spellings.setdefault(key, path)
        if known != path:
            raise _UnsafeError(f"{shown} and {_shown(known)} differ in case or accents only")
        if not is_folder and key in self._folders:
            raise _UnsafeError(f"{shown} is there twice, once as a folder")
        if is_folder and key in self._files:
            raise _UnsafeError(f"{shown} is a file and a folder")
        (self._folders if is_folder else self._files).add(key)
