"""What is called how in the cache: as in tensorflow_hub, so that both use one."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from compat_hub.common.masking import masked
from compat_hub.sources import files

# An own lock says who made it, so that a process that died with it is told from one that works.
OWNER = "compat_hub-"

# What is in the folder of any module.
MODULE_FILES = frozenset({"tfhub_module.pb", "saved_model.pb", "saved_model.pbtxt"})

_ENTRY = re.compile(r"[0-9a-f]{40}")
_OF_AN_ENTRY = re.compile(
    r"(?:tmp[0-9a-f]{32}\.)?([0-9a-f]{40})"
    r"\.(descriptor\.txt|sha256|lock|compat_hub\.lock|[^.]+\.tmp|lock\.tmp[0-9a-f]{32})"
)


def module_directory(cache: str, handle: str) -> str:
    """Where the module of a handle is, or would be.

    Example:
        ```python
        module_directory("/tmp/tfhub_modules", "https://tfhub.dev/google/elmo/3")
        # "/tmp/tfhub_modules/" and 40 digits, the SHA-1 of the handle
        ```
    """
    digest = hashlib.sha1(handle.encode("utf-8"), usedforsecurity=False).hexdigest()
    return f"{cache.rstrip('/')}/{digest}"


def is_filled(folder: str) -> bool:
    """Whether a module is there; an empty folder counts as none, as in tensorflow_hub."""
    return files.is_folder(folder) and bool(files.names_in(folder))


def lost_files(folder: str) -> list[str]:
    """What is missing of a module that is there, or of which something is: cleaners go by files.

    They remove files from temporary folders that were not used for a while, and leave the folders.
    For a module that tensorflow_hub has put there, what is missing is told from what is there.

    Returns:
        Paths in the folder; none where the module is whole, or nothing can be told.
    """
    if not files.is_local(folder) or not is_filled(folder):
        return []
    known = known_files(folder)
    if known is not None:
        return [name for name in known if not os.path.lexists(f"{folder}/{name}")]
    names = {name for name, _ in files.walk(folder)}
    parts = {name.partition("/")[0] for name in files.names_in(folder)}
    graph = "saved_model.pb"
    if not names or (parts <= {"tfhub_module.pb", "variables", "assets"} and graph not in names):
        return [graph]
    return _lost_of_checkpoint(names)


def _lost_of_checkpoint(names: set[str]) -> list[str]:
    prefix = "variables/variables"
    found = sorted(name for name in names if name.startswith(f"{prefix}."))
    if not found:
        return []
    counts = {match[1] for name in found if (match := re.search(r"-of-([0-9]{5})$", name))}
    expected = {f"{prefix}.index"}
    for count in counts or {"00001"}:
        expected |= {f"{prefix}.data-{k:05}-of-{count}" for k in range(int(count))}
    return sorted(expected - names) if len(counts) <= 1 else []


def known_files(folder: str) -> list[str] | None:
    """The files that a module had when it came, None where tensorflow_hub brought it."""
    lines = _read_or_nothing(digest_file(folder)).splitlines()[1:]
    return [line.partition("  ")[2] for line in lines] or None


def digest_text(digest: str, handle: str, parts: Mapping[str, str]) -> str:
    """The text of the file of digests: the module's, then that of each file."""
    lines = [f"{digest}  {masked(handle)}"]
    lines += [f"{parts[name]}  {name}" for name in sorted(parts) if name.isprintable()]
    return "".join(f"{line}\n" for line in lines)


def descriptor_file(folder: str) -> str:
    """The file beside a module that says which it is."""
    return f"{folder}.descriptor.txt"


def digest_file(folder: str) -> str:
    """The file beside a module with its digest, and those of its files, when it came."""
    return f"{folder}.sha256"


def lock_file(folder: str) -> str:
    """The file that is there while a process, of this library or of tensorflow_hub, downloads."""
    return f"{folder}.lock"


def process_lock_file(folder: str) -> str:
    """The file that a process of this library has locked while it downloads."""
    return f"{folder}.compat_hub.lock"


def temporary_folder(folder: str, uid: str) -> str:
    """Where the process with the lock of that uid prepares the module."""
    return f"{folder}.{uid}.tmp"


def descriptor(handle: str) -> str:
    """The text of the descriptor file, which tensorflow_hub writes alike, but for passwords."""
    return (
        f"Module: {masked(handle)}\n"
        f"Download Time: {datetime.datetime.today()}\n"
        f"Downloader Hostname: {socket.gethostname()} (PID:{os.getpid()})"
    )


@dataclass(frozen=True)
class Entry:
    """A module in the cache.

    Attributes:
        handle: What it was downloaded by, without passwords; None where its descriptor is missing.
        path: Its folder.
        downloaded: When, in the words of the descriptor.
        digest: Its digest when it came, None where tensorflow_hub downloaded it.
    """

    handle: str | None
    path: str
    downloaded: str | None
    digest: str | None


def entries(cache: str) -> Iterator[Entry]:
    """The modules in the cache, those of tensorflow_hub included."""
    for name in files.names_in(cache):
        path = f"{cache.rstrip('/')}/{name}"
        if _ENTRY.fullmatch(name) and is_filled(path):
            yield read_entry(path)


def read_entry(folder: str) -> Entry:
    """What the files beside a module say of it."""
    facts = {}
    for line in _read_or_nothing(descriptor_file(folder)).splitlines():
        key, _, value = line.partition(": ")
        facts.setdefault(key, value)
    digest = _read_or_nothing(digest_file(folder)).partition(" ")[0].strip()
    handle = facts.get("Module")
    return Entry(
        None if handle is None else masked(handle),
        folder,
        facts.get("Download Time"),
        digest or None,
    )


def leftovers(cache: str, folder: str | None = None) -> list[str]:
    """Files and folders in the cache that belong to a module, or to one that never came.

    Args:
        cache: The cache's folder.
        folder: Whose files; those of all modules that are not there when None.
    """
    found = []
    for name in files.names_in(cache):
        match = _OF_AN_ENTRY.fullmatch(name)
        if match is None:
            continue
        owner = f"{cache.rstrip('/')}/{match[1]}"
        if owner == folder or (folder is None and not is_filled(owner)):
            found.append(f"{cache.rstrip('/')}/{name}")
    return found


def owner(leftover: str) -> str:
    """The folder of the module that a leftover belongs to."""
    parent, _, name = leftover.rpartition("/")
    match = _OF_AN_ENTRY.fullmatch(name)
    return f"{parent}/{match[1]}" if match else leftover


def _read_or_nothing(path: str) -> str:
    with contextlib.suppress(OSError):
        return files.read(path)
    return ""
