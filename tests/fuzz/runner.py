"""Mutants given to worker processes, which are ended when they hang or take too much memory."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

SECONDS = 10.0  # of CPU time
WALL_SECONDS = 120.0  # while other work keeps the machine busy
MEGABYTES = 2048
_MUTANTS_PER_PROCESS = 400  # TensorFlow keeps something of each function that was ever made
_TICKS = os.sysconf("SC_CLK_TCK")


def run(numbers: Sequence[int], seed: int, most_bytes: int) -> Iterator[dict[str, Any]]:
    """Gives what became of each mutant, as a dict; `outcome` says it in a word."""
    worker: _Worker | None = None
    for turn, number in enumerate(numbers):
        if worker is None or turn % _MUTANTS_PER_PROCESS == 0:
            if worker is not None:
                worker.close()
            worker = _Worker(seed, most_bytes)
        result = worker.use(number)
        if worker.is_gone:
            worker.close()
            worker = None
        yield {"number": number, **result}
    if worker is not None:
        worker.close()


class _Worker:
    """A worker process, watched."""

    def __init__(self, seed: int, most_bytes: int) -> None:
        command = [sys.executable, "-m", "tests.fuzz.worker", str(seed), str(most_bytes)]
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",
        }
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._errors: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._read_errors, daemon=True).start()
        self.is_gone = False
        self._folder = json.loads(self._lines.get(timeout=300))["ready"]

    def use(self, number: int) -> dict[str, Any]:
        """Gives a number to the process and waits for what becomes of it."""
        assert self._process.stdin is not None
        self._errors.clear()
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        result: dict[str, Any] = {}
        start, cpu, before = time.monotonic(), self._cpu_seconds(), self._megabytes()
        most = before
        while True:
            try:
                line = self._lines.get(timeout=0.02)
            except queue.Empty:
                line = None
            if line:
                result.update(json.loads(line))
                if "outcome" in result:
                    seconds = self._cpu_seconds() - cpu
                    return {**result, "seconds": seconds, "megabytes": most}
                continue
            if line == "":
                code = self._process.wait()
                return self._end(result, "crash", f"exit status {code}: {self._last_words()}")
            most = max(most, self._megabytes())
            if most - before > MEGABYTES or most > 2 * MEGABYTES:
                return self._end(result, "memory", f"{most:.0f} MB, {before:.0f} MB before")
            if self._cpu_seconds() - cpu > SECONDS or time.monotonic() - start > WALL_SECONDS:
                return self._end(result, "hang", f"more than {SECONDS} s")

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, result: dict[str, Any], outcome: str, text: str) -> dict[str, Any]:
        self.is_gone = True
        return {**result, "outcome": outcome, "findings": [text], "refusal": ""}

    def _last_words(self) -> str:
        """What TensorFlow said, and where it was."""
        reasons = [line for line in self._errors if line.startswith(("F0000", "terminate"))]
        frames = [line for line in self._errors if line.lstrip().startswith("@")]
        named = [line for line in frames if "tensorflow::" in line or "tsl::" in line]
        return " ".join(" ".join([*reasons, *named[:5]] or self._errors[-6:]).split())[:700]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._errors.append(line)

    def _cpu_seconds(self) -> float:
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def _megabytes(self) -> float:
        try:
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0.0
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
