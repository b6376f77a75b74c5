"""Processes that write modules, killed: what has the final name is whole.

    python -m tests.kills [--times 20] [--megabytes 100]

Kills so many processes while they convert, and as many while they export, each after a random time.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import tensorflow as tf

import compat_hub

# By name: from a module's path to what writes it to another one.
HOW: dict[str, Callable[[str], Callable[[str], object]]] = {
    "convert": lambda module: lambda path: compat_hub.convert(module, path),
    "export": lambda module: compat_hub.load(module).export,
}


def work(module: str, folder: str, hows: Sequence[str]) -> None:
    """Writes a module again and again, until somebody ends it; says how long the second turn took.

    The first one is slower.
    """
    writers = {how: HOW[how](module) for how in hows}
    for turn in itertools.count():
        start = time.perf_counter()
        for how, write in writers.items():
            write(os.path.join(folder, f"{how}-{turn}"))
        if turn == 1:
            print(time.perf_counter() - start, flush=True)


def kill_after(turns: float, module: str, folder: str, hows: Sequence[str]) -> None:
    """Kills a process that does such work after two turns, and so many more as it seems."""
    command = [sys.executable, "-m", "tests.kills", "--work", module, folder, *hows]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        time.sleep(turns * float(process.stdout.readline()))
        assert process.poll() is None, "it ended by itself"
        process.kill()


def sizes(folder: Path) -> dict[str, int]:
    """The files of a folder, and how long they are."""
    files = (p for p in folder.rglob("*") if p.is_file())
    # A SavedModel has random names in it, which are not always of one length.
    varying = {"saved_model.pb", "fingerprint.pb", "variables/variables.index"}
    found = {p.relative_to(folder).as_posix(): p.stat().st_size for p in files}
    return {name: min(size, 1) if name in varying else size for name, size in found.items()}


def check(folder: Path, references: Path) -> tuple[int, int]:
    """Checks what has a final name against complete ones; counts these, and temporary folders."""
    complete = temporary = 0
    for found in folder.iterdir():
        if found.name.startswith(".tmp-"):
            temporary += 1
            continue
        how = found.name.partition("-")[0]
        assert sizes(found) == sizes(references / how), found
        complete += 1
        (tf.saved_model.load if how == "convert" else compat_hub.load)(str(found))
    return complete, temporary


def main() -> None:
    """Writes a module, kills, and prints what is left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="how many of each; default: 20")
    parser.add_argument("--megabytes", type=int, default=100, help="default: 100")
    parser.add_argument("--work", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        module, folder, *hows = arguments.work
        work(module, folder, hows)
    from benchmarks.saving import write_module

    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        path = write_module("many variables", arguments.megabytes, str(root / "module"))
        for how, write in HOW.items():
            write(path)(str(root / "references" / how))
            complete = temporary = 0
            for k in range(arguments.times):
                folder = root / f"{how}-{k}"
                folder.mkdir()
                kill_after(random.uniform(0, 1.5), path, str(folder), [how])
                counts = check(folder, root / "references")
                complete, temporary = complete + counts[0], temporary + counts[1]
                shutil.rmtree(folder)
                print(f"{how}: {k + 1} killed, {complete} complete, {temporary} temporary folders")


if __name__ == "__main__":
    main()
