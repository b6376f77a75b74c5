"""Two worker processes on this machine that train together."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

WORKERS = 2


class Cluster:
    """Runs `python -m tests.distribute.worker` in two processes; whatever happens, ends them.

    Args:
        folder: Where the workers write, and their logs are.
        *arguments: For both workers.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._folder = folder
        self._arguments = arguments
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Cluster:
        self._folder.mkdir(exist_ok=True)
        addresses = [f"127.0.0.1:{port}" for port in free_ports(WORKERS)]
        for index in range(WORKERS):
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            environment = {
                **os.environ,
                "TF_CONFIG": json.dumps(task),
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "CUDA_VISIBLE_DEVICES": "-1",
            }
            with self._log(index).open("ab") as log:
                self.processes.append(
                    subprocess.Popen(
                        [
                            *(sys.executable, "-m", "tests.distribute.worker"),
                            *(str(self._folder), *self._arguments),
                        ],
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                    )
                )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def wait(self, seconds: float) -> None:
        """Waits for both workers to end well."""
        end = time.monotonic() + seconds
        while any(p.poll() is None for p in self.processes):
            failed = any(p.poll() for p in self.processes)
            assert not failed, self._say("a worker failed")
            assert time.monotonic() < end, self._say(f"the workers did not end in {seconds:.0f} s")
            time.sleep(0.1)
        assert not any(p.returncode for p in self.processes), self._say("a worker failed")

    def wait_for_end_of(self, index: int, seconds: float) -> int:
        """Waits for one worker to end, and returns its status."""
        try:
            return self.processes[index].wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(self._say(f"worker {index} did not end")) from None

    def _log(self, index: int) -> Path:
        return self._folder / f"worker-{index}.log"

    def _say(self, what: str) -> str:
        ends = [self._log(k).read_text(errors="replace")[-3000:] for k in range(WORKERS)]
        return "\n".join([what, *(f"--- log of worker {k}:\n{end}" for k, end in enumerate(ends))])


def free_ports(number: int) -> list[int]:
    """Ports of this machine that nobody listens at."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
