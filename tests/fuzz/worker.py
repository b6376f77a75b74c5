"""A process that makes and uses mutants whose numbers it is told, one after the other."""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from pathlib import Path


def work(seed: int, most_bytes: int) -> None:
    """Reads numbers from the standard input, and writes a line of JSON for each."""
    # What TensorFlow prints of its own goes elsewhere.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    folder = Path(tempfile.mkdtemp(prefix="fuzz"))
    os.environ["TFHUB_CACHE_DIR"] = str(folder / "cache")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    from tests.fuzz.mutants import make_mutant
    from tests.fuzz.use import use

    def answer(value: dict) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    answer({"ready": str(folder)})
    for line in sys.stdin:
        number = int(line)
        mutant = make_mutant(seed, number, folder / "mutant", most_bytes)
        answer({"fixture": mutant.fixture, "changes": mutant.changes})
        answer(use(mutant, folder / "written", random.Random(number)))


if __name__ == "__main__":
    work(int(sys.argv[1]), int(sys.argv[2]))
