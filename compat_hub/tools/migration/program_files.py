"""Which files of a folder belong to one program, and whether it is of TensorFlow 1."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from libcst import metadata

from compat_hub.tools.migration.uses import Program, find_signs


def find_programs(modules: Mapping[str, metadata.MetadataWrapper]) -> dict[str, Program]:
    """The program of each file: files that import each other belong to one.

    Args:
        modules: The files that could be read, by path.

    Returns:
        What is known of the program of each file.
    """
    group = {path: path for path in modules}

    def root(path: str) -> str:
        while group[path] != path:
            path = group[path]
        return path

    by_name: dict[str, list[str]] = {}
    for path in modules:
        by_name.setdefault(os.path.splitext(os.path.basename(path))[0], []).append(path)
    found = {path: find_signs(module) for path, module in modules.items()}
    for path, (_, imported) in found.items():
        for parts in imported:
            for other in _files(parts, by_name):
                group[root(other)] = root(path)
    signs: dict[str, Program] = {}
    for path, (own, _) in found.items():
        known = signs.get(root(path), Program())
        signs[root(path)] = Program(
            known.is_tf1 or own.is_tf1,
            known.has_v1 or own.has_v1,
            known.has_module or own.has_module,
        )
    return {path: signs[root(path)] for path in modules}


def _files(parts: Sequence[str], by_name: Mapping[str, list[str]]) -> list[str]:
    """The files that `a.b.c` may stand for: `a/b/c.py`, or `a/b.py` with a name `c` in it."""
    found = []
    for end in {len(parts), len(parts) - 1} - {0}:
        wanted = parts[:end]
        for path in by_name.get(wanted[-1], ()):
            folders = os.path.dirname(os.path.abspath(path)).split(os.sep)
            if folders[len(folders) - end + 1 :] == list(wanted[:-1]):
                found.append(path)
    return found
