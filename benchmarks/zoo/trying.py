"""Takes a module through the ways, each in a process of its own, and keeps what came of it."""

from __future__ import annotations

import json
import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

_LIMIT = 600  # seconds for one way of one module
# TensorFlow and both Kerases are imported once, in the process that all others are forked from.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["benchmarks.zoo.ways", "keras", "tf_keras"])


def _report(way: str, folder: Path, end: Connection) -> None:
    from benchmarks.zoo.ways import outcome  # noqa: PLC0415 it imports TensorFlow

    end.send(outcome(way, folder))


def _try(way: str, folder: Path) -> str:
    here, there = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_report, args=(way, folder, there))
    process.start()
    there.close()
    try:
        return here.recv() if here.poll(_LIMIT) else f"not done after {_LIMIT} s"
    except EOFError:
        process.join()
        return f"ended with {process.exitcode}"
    finally:
        process.kill()
        process.join()


def try_ways(folder: Path, ways: list[str]) -> dict[str, str]:
    """Tries the ways that have no result yet in NAME/ways.json."""
    file = folder / "ways.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    for way in ways:
        if way not in found:
            found[way] = _try(way, folder)
            file.write_text(json.dumps(found, indent=1) + "\n")
    return found
