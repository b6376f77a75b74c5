"""The commands `compat-hub cache list`, `verify` and `clear`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

import click

from compat_hub.cli.errors import BadInputError, bad_input
from compat_hub.cli.json_output import json_option, print_json
from compat_hub.cli.permissions import links_option
from compat_hub.common.quiet_import import import_quietly
from compat_hub.errors import HubError
from compat_hub.sources import cache_layout, cache_store, digests, files, settings
from compat_hub.sources.partial_folders import remove_abandoned
from compat_hub.sources.resolve import is_web_address


@click.group()
def cache() -> None:
    """Show, check and clear the cache of downloaded modules.

    It is the folder TFHUB_CACHE_DIR, by default tfhub_modules in the temporary folder, which
    tensorflow_hub uses too.
    """
    if not files.is_local(settings.cache_folder()):
        import_quietly()


@cache.command("list")
@json_option
def list_modules(as_json: bool) -> None:
    """List the modules in the cache, with their sizes."""
    with bad_input(), _os_errors():
        rows = [_facts(entry) for entry in cache_layout.entries(settings.cache_folder())]
    if as_json:
        print_json({"cache": settings.cache_folder(), "modules": rows})
        return
    for row in rows:
        click.echo(f"{row['handle'] or '(unknown)'}")
        click.echo(f"    {row['path']}: {row['bytes']:,} bytes in {row['files']:,} files", nl=False)
        click.echo(f", downloaded {row['downloaded']}" if row["downloaded"] else "")
    total = sum(row["bytes"] for row in rows)
    click.echo(f"{len(rows)} modules, {total:,} bytes, in {settings.cache_folder()}")


@cache.command()
@click.argument("handles", nargs=-1)
@click.option(
    "--digests",
    "path",
    metavar="FILE",
    help="A file of known digests to compare with; COMPAT_HUB_DIGESTS when not given.",
)
@click.option("--write", is_flag=True, help="Write the digests found to that file.")
@links_option
@json_option
def verify(
    handles: tuple[str, ...], path: str | None, write: bool, allow_links: bool, as_json: bool
) -> None:
    """Print the digests of modules, and compare them with what is known.

    HANDLES are modules in the cache, or folders; all modules in the cache when none is given.
    Known are the digest when a module was downloaded, and those in the file.

    The exit status is 0 when no module has changed, 1 when one has, and 2 when there is no such
    module or file.
    """
    with bad_input(), _os_errors():
        path = path or settings.digest_file()
        if write and path is None:
            raise BadInputError("--write needs a file: pass --digests FILE.")
        is_new = write and path is not None and not files.exists(path)
        known = digests.read_known(path) if path is not None and not is_new else {}
        rows = [_verdict(entry, {} if write else known, allow_links) for entry in _chosen(handles)]
        if write and path is not None:
            fresh = {row["handle"]: row["sha256"] for row in rows if row["status"] != "changed"}
            digests.write_known(path, {**known, **{h: d for h, d in fresh.items() if h}})
    passed = all(row["status"] != "changed" for row in rows)
    if as_json:
        print_json({"passed": passed, "modules": rows})
    else:
        for row in rows:
            click.echo(f"{row['sha256']}  {row['handle'] or row['path']}  {row['status']}")
    if not passed:
        raise SystemExit(1)


@cache.command()
@click.argument("handles", nargs=-1)
@click.option(
    "--partial",
    is_flag=True,
    help="Remove no modules, but what killed processes have left: HANDLES are folders to which "
    "modules were written, without any the cache and the current folder.",
)
@json_option
def clear(handles: tuple[str, ...], partial: bool, as_json: bool) -> None:
    """Remove modules from the cache.

    HANDLES are modules in the cache; all of them when none is given, and what downloads that were
    killed have left. Other files in the folder stay.

    With --partial modules stay, too. The temporary folders of processes that were killed while they
    exported or converted are removed; not those of processes that live, or of another machine.

    The exit status is 0 when they were removed, and 2 when there is no such module, or it cannot
    be removed.
    """
    folder = settings.cache_folder()
    if partial:
        with bad_input(), _os_errors():
            _clear_partial(folder, handles, as_json)
        return
    with bad_input(), _os_errors():
        chosen = [entry for entry in _chosen(handles) if entry.path.startswith(f"{folder}/")]
        if handles and not chosen:
            raise BadInputError("These are folders, and not modules in the cache.")
        removed = [_facts(entry) for entry in chosen]
        for entry in chosen:
            cache_store.remove(entry)
        if not handles:
            cache_store.remove_leftovers(folder)
    size = sum(row["bytes"] for row in removed)
    if as_json:
        print_json({"cache": folder, "removed": removed})
    else:
        click.echo(f"Removed {len(removed)} modules, {size:,} bytes, from {folder}")


def _clear_partial(cache: str, folders: Iterable[str], as_json: bool) -> None:
    removed = []
    chosen = [os.path.expanduser(folder) for folder in folders]
    for folder in chosen:
        if not _is_folder(folder):
            raise BadInputError(
                f"{folder!r} is not a folder. Pass one that modules were written to."
            )
    if not chosen:
        before = cache_layout.leftovers(cache)
        cache_store.remove_leftovers(cache)
        after = set(cache_layout.leftovers(cache))
        removed += [path for path in before if path not in after and not path.endswith(".lock")]
        chosen = [os.curdir]
    for folder in chosen:
        removed += remove_abandoned(folder)
    if as_json:
        print_json({"cache": cache, "removed": removed})
    else:
        click.echo(f"Removed {len(removed)} partial folders")


@contextlib.contextmanager
def _os_errors() -> Iterator[None]:
    try:
        yield
    except HubError:
        raise
    except OSError as error:
        raise BadInputError(f"The cache cannot be read: {error}. Check TFHUB_CACHE_DIR.") from error


def _chosen(handles: Iterable[str]) -> list[cache_layout.Entry]:
    """The modules in the cache with these handles, and folders elsewhere."""
    entries = list(cache_layout.entries(settings.cache_folder()))
    chosen = []
    for handle in handles:
        folder = cache_layout.module_directory(settings.cache_folder(), handle)
        found = [entry for entry in entries if entry.path == folder] or [
            entry for entry in entries if handle in {entry.handle, entry.path}
        ]
        if not found and not is_web_address(handle) and _is_folder(handle):
            found = [cache_layout.Entry(handle, os.path.expanduser(handle), None, None)]
        if not found:
            raise BadInputError(
                f"{handle!r} is neither in the cache {settings.cache_folder()!r} nor a folder. "
                "See `compat-hub cache list`."
            )
        chosen += found
    return chosen or entries


def _is_folder(path: str) -> bool:
    if not files.is_local(path):
        import_quietly()
    return files.is_folder(os.path.expanduser(path))


def _facts(entry: cache_layout.Entry) -> dict[str, Any]:
    sizes = [size for _, size in files.walk(entry.path)]
    return {
        "handle": entry.handle,
        "path": entry.path,
        "bytes": sum(sizes),
        "files": len(sizes),
        "downloaded": entry.downloaded,
        "sha256": entry.digest,
    }


def _verdict(entry: cache_layout.Entry, known: dict[str, str], allow_links: bool) -> dict[str, Any]:
    found = digests.digest_of(entry.path, allow_links)
    expected = [d for d in (known.get(entry.handle or ""), entry.digest) if d is not None]
    same = all(digests.normalize(d) == found for d in expected)
    return {
        "handle": entry.handle,
        "path": entry.path,
        "sha256": found,
        "expected": expected,
        "status": "changed" if not same else "ok" if expected else "unknown",
    }
