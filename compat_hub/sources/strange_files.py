"""What is sometimes in the place of a module's file, where copying or downloading went wrong."""

from __future__ import annotations

import re

from compat_hub.sources.plain_files import local_path

_SIZE = 512  # bytes that tell

_Check = tuple[re.Pattern[bytes], str]

# What no file of a module is.
_POINTERS: list[_Check] = [
    (
        re.compile(rb"version https?://(git-lfs|hawser|git-media)"),
        "is a Git LFS pointer, which stands for the file in a Git repository: run `git lfs pull` "
        "in the clone that it is from, with Git LFS installed, and copy or pack it again",
    ),
    (
        re.compile(rb"(\.\./)*(\.git)?/annex/objects/"),
        "is a git-annex pointer, which stands for the file: run `git annex get` in the clone that "
        "it is from, and copy or pack it again",
    ),
]
_PAGES: list[_Check] = [
    (
        re.compile(rb"(\xef\xbb\xbf)?\s*(<!doctype\s+html|<html[\s>])", re.IGNORECASE),
        "is an HTML page, which a server has sent in its place: download the file itself, logged "
        "in if that is needed, by its raw address",
    ),
]
# What some assets may be, but neither a proto, nor a checkpoint, nor a file that fills a table.
_PACKED: list[_Check] = [
    (
        re.compile(rb"\x1f\x8b\x08"),
        "is compressed by gzip: unpack it (gunzip); an archive of the whole module is taken as it "
        "is, with a name that ends in .tar.gz",
    ),
    (re.compile(rb"PK\x03\x04"), "is a zip archive: unpack it"),
    (re.compile(rb".{257}ustar", re.DOTALL), "is a tar archive: unpack it"),
    (
        re.compile(rb"\s*<\?xml\s"),
        "is an XML document, which a server has sent in its place: download the file itself",
    ),
]
_EMPTY = "is empty: copying or downloading it broke off, so do that again"


def strange_content(beginning: bytes, name: str = "", is_plain: bool = True) -> str | None:
    """What is in a file that should be a module's, as the end of a sentence about it.

    Example:
        ```python
        strange_content(b"version https://git-lfs.github.com/spec/v1")
        # "is a Git LFS pointer, which stands for the file in a Git repository: run ..."
        ```

    Args:
        beginning: The file's first bytes.
        name: The file's name, where pages are called as such.
        is_plain: Whether the file can be neither packed, nor a document, nor empty.

    Returns:
        The words, or None where nothing is strange.
    """
    if is_plain and not beginning:
        return _EMPTY
    checks = list(_POINTERS)
    if not name.lower().endswith((".html", ".htm", ".xhtml")):
        checks += _PAGES
    if is_plain:
        checks += _PACKED
    return next((words for pattern, words in checks if pattern.match(beginning)), None)


def strange_file(path: str, is_plain: bool = True) -> str | None:
    """The same of a file, on any filesystem; None where it cannot be read."""
    local = local_path(path)
    if local is not None:
        try:
            with open(local, "rb") as file:
                return strange_content(file.read(_SIZE), local, is_plain)
        except OSError:
            return None
    import tensorflow as tf  # noqa: PLC0415

    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return strange_content(file.read(_SIZE), path, is_plain)
    except tf.errors.OpError:
        return None
