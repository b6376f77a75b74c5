"""The digest of a module: one SHA-256 over the names and contents of its files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from compat_hub.common.masking import masked
from compat_hub.errors import ResolveError
from compat_hub.sources import files
from compat_hub.sources.plain_files import check_tree

_HEX = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20


def combine(digests: Mapping[str, str]) -> str:
    r"""The digest of a module whose files have these digests.

    It is what coreutils make of the folder:
    `find . -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum`.

    Example:
        ```python
        combine({"saved_model.pb": "e3b0c442...", "tfhub_module.pb": "4355a46b..."})
        ```

    Args:
        digests: By path relative to the folder, with slashes, the SHA-256 in hexadecimal digits.

    Returns:
        64 hexadecimal digits.
    """
    total = hashlib.sha256()
    for path in sorted(digests, key=lambda path: path.encode("utf-8", "surrogateescape")):
        name = path.encode("utf-8", "surrogateescape")
        escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
        mark = b"\\" if escaped != name else b""
        total.update(mark + digests[path].encode() + b"  " + escaped + b"\n")
    return total.hexdigest()


def digest_of(folder: str, allow_links: bool = False) -> str:
    """The digest of the module in a folder, on any filesystem.

    Args:
        folder: The folder.
        allow_links: Whether links may lead out of it.

    Raises:
        ResolveError: A file cannot be read.
        UnsafeModuleError: A file is behind a link that leads out of the folder.
        ModuleFormatError: A file is not a plain one.
    """
    check_tree(f"Module {folder!r}", folder, allow_links)
    try:
        return combine(digests_of_files(folder))
    except OSError as error:
        raise ResolveError(
            f"The digest of {folder!r} cannot be computed, since a file cannot be read: {error}. "
            "Check the permissions, or get a fresh copy of the module."
        ) from error


def digests_of_files(folder: str) -> dict[str, str]:
    """The SHA-256 of each file in a folder and below, by its path with slashes."""
    return {path: _digest_of_file(f"{folder}/{path}") for path, _ in files.walk(folder)}


def _digest_of_file(path: str) -> str:
    digest = hashlib.sha256()
    with files.open_to_read(path) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def check(handle: str, folder: str, expected: str, source: str, allow_links: bool = False) -> None:
    """Refuses a module that has not the digest that it should have.

    Args:
        handle: How messages name the module.
        folder: Where it is.
        expected: 64 hexadecimal digits.
        source: Who says so, for the message.
        allow_links: Whether links may lead out of the folder.

    Raises:
        ResolveError: It has another, or `expected` is not a digest.
    """
    handle = masked(handle)
    wanted = normalize(expected)
    if wanted is None:
        raise ResolveError(
            f"Module {handle!r}: {source} is {expected!r}, which is not a SHA-256. "
            "Pass the 64 hexadecimal digits that `compat-hub cache verify` prints."
        )
    found = digest_of(folder, allow_links)
    if found != wanted:
        raise ResolveError(
            f"Module {handle!r} was refused, since it has changed: the files in {folder!r} have "
            f"the digest {found}, and {source} is {wanted}. If the change was meant, use the new "
            "digest. Otherwise remove that folder and get the module again."
        )


def normalize(text: object) -> str | None:
    """A digest in lower case, or None where the text is none."""
    if not isinstance(text, str):
        return None
    digits = text.strip().lower().removeprefix("sha256:")
    return digits if _HEX.fullmatch(digits) else None


def read_known(path: str) -> dict[str, str]:
    """The digests in a file, by handle: lines of a digest, white space and a handle.

    Handles are without passwords, whatever the file has.

    Raises:
        ResolveError: The file cannot be read, or a line is of another form.
    """
    try:
        text = files.read(path)
    except OSError as error:
        raise ResolveError(
            f"The file of known digests, {path!r}, cannot be read: {error}. "
            "Check COMPAT_HUB_DIGESTS, or write the file with "
            "`compat-hub cache verify --digests FILE --write`."
        ) from error
    known = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        digits, _, handle = line.strip().partition(" ")
        digest = normalize(digits)
        if digest is None or not handle.strip():
            raise ResolveError(
                f"The file of known digests, {path!r}, line {number}: expected 64 hexadecimal "
                f"digits, a space and a handle, found {line[:100]!r}. Correct the line."
            )
        known[masked(handle.strip())] = digest
    return known


def write_known(path: str, known: Mapping[str, str]) -> None:
    """Writes such a file, sorted by handle.

    Raises:
        ResolveError: It cannot be written.
    """
    try:
        files.put(path, "".join(_lines(known)))
    except OSError as error:
        raise ResolveError(
            f"The file of known digests, {path!r}, cannot be written: {error}. Check the path."
        ) from error


def _lines(known: Mapping[str, str]) -> Iterable[str]:
    return (f"{digest}  {handle}\n" for handle, digest in sorted(known.items()))
