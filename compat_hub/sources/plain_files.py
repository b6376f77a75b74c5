"""Which files may be read as parts of a module: plain ones that are in its folder.

A link in a folder that somebody else has packed may lead to a file that is none of theirs, and what
is not a plain file may never end, or never begin.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterator

from compat_hub.errors import ModuleFormatError, UnsafeModuleError

# What TensorFlow's loaders open besides the files in the folders.
_TOP_FILES = (
    "tfhub_module.pb",
    "saved_model.pb",
    "saved_model.pbtxt",
    "saved_model.cpb",
    "fingerprint.pb",
)
_FOLDERS = ("variables", "assets", "debug")
# What TensorFlow takes for the name of a filesystem. It has to be at the beginning: there may be
# "://" in the path of a local file, too.
_SCHEME = re.compile(r"([a-zA-Z][0-9a-zA-Z.]+)://")
_KINDS = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def local_path(path: str) -> str | None:
    """A path on this machine's own filesystem as the system takes it; None for any other."""
    scheme = _SCHEME.match(path)
    if scheme is None:
        return path
    if scheme[1] != "file":
        return None
    rest = path[scheme.end() :]
    return rest[max(0, rest.find("/")) :]  # TensorFlow passes over the name of a machine


def check_file(where: str, folder: str, path: str, allow_links: bool = False) -> None:
    """Checks that a file may be read as a part of a module. A file that is not there may.

    Files on filesystems that only TensorFlow knows have neither links nor kinds.

    Args:
        where: How messages name the module.
        folder: The module's folder, which may be a link itself.
        path: The file, in that folder.
        allow_links: Whether links in the folder may lead out of it.

    Raises:
        UnsafeModuleError: It is behind a link that leads out of the folder.
        ModuleFormatError: It is neither a file nor a folder, or a link that leads nowhere.
    """
    local, root = local_path(path), local_path(folder)
    if local is None or root is None:
        return
    _check_below(where, root, local, path, allow_links)
    # TensorFlow takes "a/../b" for "b", which it may not be to the system.
    opened = os.path.normpath(local)
    if opened != local:
        _check_below(where, os.path.normpath(root), opened, path, allow_links)


def _check_below(where: str, root: str, local: str, path: str, allow_links: bool) -> None:
    if _is_plain_below(root, local) or not os.path.lexists(local):
        return
    target = os.path.realpath(local)
    root = os.path.realpath(root)
    if not allow_links and os.path.commonpath([root, target]) != root:
        raise UnsafeModuleError(
            f"{where}: the file {path!r} is not in the module's folder, but behind a link to "
            f"{target!r}. Whoever makes a folder with such links makes a program read, serve and "
            "export files of the machine that it runs on. If you trust who made this one, as for "
            "a store that is laid out with links, allow it with allow_links=True, in "
            "compat_hub.load or compat_hub.load_module_spec, or with --allow-links. Or copy the "
            "module without links (cp -rL)."
        )
    check_kind(where, local)


def _is_plain_below(root: str, path: str) -> bool:
    """Whether there is a file, and no link between it and the root, as nearly always."""
    below = path.removeprefix(f"{root}/")
    parts = below.split("/")
    if below == path or os.pardir in parts:
        return False
    try:
        for count in range(1, len(parts)):
            if not stat.S_ISDIR(os.lstat("/".join([root, *parts[:count]])).st_mode):
                return False
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def check_kind(where: str, path: str) -> None:
    """Checks that what is at a path can be read as a file is, wherever links lead.

    Raises:
        ModuleFormatError: It is neither a file nor a folder, or a link that leads nowhere.
    """
    local = local_path(path)
    if local is None:
        return
    try:
        mode = os.stat(local).st_mode
    except FileNotFoundError as error:
        if not os.path.islink(local):
            return
        raise ModuleFormatError(
            f"{where}: {path!r} is a link to {os.readlink(local)!r}, where nothing is. "
            "Get a complete copy of the module, with what its links lead to (cp -rL)."
        ) from error
    except OSError as error:
        raise ModuleFormatError(f"{where}: {path!r} cannot be looked up: {error}.") from error
    for is_kind, name in _KINDS:
        if is_kind(mode):
            raise ModuleFormatError(
                f"{where}: {path!r} is {name}, and not a file, so it was not read. "
                "Get a fresh copy of the module."
            )


def check_saved_model(where: str, folder: str, allow_links: bool = False) -> None:
    """Checks all files that a loader of SavedModels may open, as `check_file` does."""
    for path in _files_of_saved_model(folder):
        check_file(where, folder, path, allow_links)


def check_tree(where: str, folder: str, allow_links: bool = False) -> None:
    """Checks all files in a folder and below, as `check_file` does."""
    local = local_path(folder)
    if local is not None:
        for path in _walk(local):
            check_file(where, folder, path, allow_links)


def check_checkpoint(where: str, folder: str, prefix: str, allow_links: bool = False) -> None:
    """Checks the files of a checkpoint, and that TensorFlow reads these and no others.

    TensorFlow takes the path of a checkpoint for a pattern: `m[a]` is `ma` to it.

    Raises:
        UnsafeModuleError: A file is behind a link that leads out of the folder.
        ModuleFormatError: One is not a plain file, or the path is a pattern of other files.
    """
    local = local_path(prefix)
    if local is not None and _is_foreign_pattern(local):
        raise ModuleFormatError(
            f"{where}: TensorFlow takes the path of the checkpoint, {prefix!r}, for a pattern of "
            "other files. Move it to a path without the characters *, ?, [ and \\."
        )
    for file in checkpoint_files(prefix):
        check_file(where, folder, file, allow_links)


def _is_foreign_pattern(prefix: str) -> bool:
    if not set("*?[\\").intersection(prefix):
        return False
    index = f"{prefix}.index"
    if os.path.exists(index):  # it opens this one if the pattern matches anything
        return "\\" in prefix or index not in glob.glob(index)
    return "\\" in prefix or (os.path.exists(prefix) and glob.glob(prefix) != [prefix])


def checkpoint_files(prefix: str) -> list[str]:
    """The local files that make up a checkpoint: none where there is no such folder.

    Raises:
        ModuleFormatError: The folder cannot be listed: files in it may be opened by name.
    """
    local = local_path(prefix)
    if local is None:
        return []
    folder, name = os.path.split(local)
    try:
        return [os.path.join(folder, n) for n in sorted(os.listdir(folder)) if n.startswith(name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unlisted(error) from error


def _files_of_saved_model(folder: str) -> Iterator[str]:
    local = local_path(folder)
    if local is None:
        return
    yield from (os.path.join(local, name) for name in _TOP_FILES)
    for name in _FOLDERS:
        yield from _walk(os.path.join(local, name))


def _walk(folder: str) -> Iterator[str]:
    """The files in a folder and below; of links to folders, which are not followed, the links.

    Raises:
        ModuleFormatError: A folder cannot be listed: files in it may be opened by name.
    """

    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise _unlisted(error) from error

    if os.path.islink(folder):
        yield folder
    for parent, folders, names in os.walk(folder, onerror=fail):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        yield from (os.path.join(parent, name) for name in (*names, *links))


def _unlisted(error: OSError) -> ModuleFormatError:
    return ModuleFormatError(
        f"The folder {error.filename!r} cannot be listed ({error.strerror}), so it is not known "
        "whether there are links in it. Give yourself the permission to read it (chmod u+rx)."
    )
