"""Whether another user can have put files into the cache, or can change those that are there.

Anybody may make a folder in the temporary folder of a machine that several people use, under the
very name that the cache has by default.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from compat_hub.errors import ResolveError

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def check_cache(cache: str) -> None:
    """Refuses a local cache, where it is there, that others than its user and root can write to.

    Raises:
        ResolveError: Others can.
    """
    problem = _problem(cache, [cache])
    if problem is not None:
        raise ResolveError(
            f"The cache {cache!r} is not used, since {problem}: they may have put any module "
            "there. Set TFHUB_CACHE_DIR to a folder of your own. If you trust all who can write "
            "to this one, set TFHUB_CACHE_DIR to it."
        )


def check_entry(folder: str, handle: str) -> None:
    """Refuses a module in a local cache, where it is there, that others can have made or changed.

    Args:
        folder: Where the module is, or would be.
        handle: How messages name it.

    Raises:
        ResolveError: Others can.
    """
    problem = _problem(folder, _tree(folder))
    if problem is not None:
        raise ResolveError(
            f"The module {handle!r} in the cache is not used, since {problem}: they may have put "
            f"anything into {folder!r}. Remove it by `compat-hub cache clear {handle}`, and it is "
            "downloaded again. If you trust all who can write to it, set TFHUB_CACHE_DIR to the "
            f"folder {os.path.dirname(folder)!r}."
        )


def close_to_others(folder: str) -> None:
    """Takes the permission to write from all but the owner of a folder and what is in it."""
    for path in _tree(folder):
        mode = os.lstat(path).st_mode
        if mode & _WRITABLE_BY_OTHERS and not stat.S_ISLNK(mode):
            os.chmod(path, stat.S_IMODE(mode) & ~_WRITABLE_BY_OTHERS)


def _tree(folder: str) -> Iterator[str]:
    yield folder
    for parent, folders, names in os.walk(folder):
        yield from (os.path.join(parent, name) for name in (*folders, *names))


def _problem(root: str, paths: Iterator[str] | list[str]) -> str | None:
    if not hasattr(os, "geteuid"):  # where there are no such owners and modes
        return None
    for path in paths:
        try:
            # A link has an owner, and where it leads to has another.
            for found in (os.lstat(path), os.stat(path)) if path == root else (os.lstat(path),):
                what = _problem_of(found)
                if what is not None:
                    return what if path == root else f"of {path!r} {what}"
        except FileNotFoundError:
            continue
    return None


def _problem_of(found: os.stat_result) -> str | None:
    if found.st_uid not in {os.geteuid(), 0}:
        return f"the owner is {_user(found.st_uid)}"
    if stat.S_ISLNK(found.st_mode):
        return None
    if found.st_mode & stat.S_IWOTH:
        return "all users of this machine can write to it"
    if found.st_mode & stat.S_IWGRP and not _is_own_group(found.st_gid, found.st_uid):
        return f"the group {_group(found.st_gid)} can write to it"
    return None


def _is_own_group(gid: int, uid: int) -> bool:
    """Whether a group is the one that a user has alone, as many systems give each user one."""
    import grp  # noqa: PLC0415 not everywhere
    import pwd  # noqa: PLC0415

    try:
        user, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    return (
        user.pw_gid == gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
    )


def _user(uid: int) -> str:
    import pwd  # noqa: PLC0415

    try:
        return f"another user, {pwd.getpwuid(uid).pw_name!r}"
    except KeyError:
        return f"another user, number {uid}"


def _group(gid: int) -> str:
    import grp  # noqa: PLC0415

    try:
        return repr(grp.getgrgid(gid).gr_name)
    except KeyError:
        return f"number {gid}"
