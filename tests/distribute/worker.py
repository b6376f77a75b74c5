"""What a worker process does; the cluster is in the environment variable TF_CONFIG.

    python -m tests.distribute.worker FOLDER steps NAME ... [fit NAME ...]
    python -m tests.distribute.worker FOLDER backup NAME [EPOCH]

Trains the fixtures NAME in a custom loop, or in Keras' `fit`. What comes out is written as
FOLDER/JOB-NAME-WORKER.npz, or what goes wrong as FOLDER/JOB-NAME-WORKER.txt. With `backup` the
callback BackupAndRestore takes part, and the second worker kills itself in the middle of an epoch.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

import compat_hub
from tests.distribute.fitting import fit, make_model
from tests.distribute.steps import Values, train_in, values_of
from tests.records import FIXTURES, Record


class KillInEpoch(tf_keras.callbacks.Callback):
    """Ends the process, as a machine that goes down does, after the first batch of an epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._last = epoch
        self._epoch = -1

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        if self._epoch == self._last:
            os.kill(os.getpid(), signal.SIGKILL)


class Note(tf_keras.callbacks.Callback):
    """Notes which epochs began."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        with self._file.open("a") as file:
            file.write(f"{epoch}\n")


def steps(strategy: tf.distribute.Strategy, folder: Path, name: str) -> Values:
    """Steps in a custom loop; the module is exported and loaded again."""
    module = train_in(strategy, Record(FIXTURES / name))
    # Each worker takes part, as values are added up, and each writes to a place of its own.
    exported = module.export(folder / f"exported-{name}-{os.getpid()}")
    again = values_of(compat_hub.load(exported, tags=module.tags))
    values = values_of(module)
    for key, value in values.items():
        np.testing.assert_array_equal(again[key], value, err_msg=key)
    return values


def main(folder: Path, job: str, arguments: list[str]) -> None:
    """Does a job."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    index = strategy.cluster_resolver.task_id

    def fit_model(name: str) -> Values:
        with strategy.scope():
            model = make_model(name)
        return fit(model, name)

    def backup(name: str) -> Values:
        with strategy.scope():
            model = make_model(name)
        callbacks = [
            tf_keras.callbacks.BackupAndRestore(str(folder / "backup")),
            Note(folder / f"epochs-{index}.txt"),
        ]
        if index == 1 and len(arguments) > 1:
            callbacks.append(KillInEpoch(int(arguments[1])))
        return fit(model, name, callbacks)

    if job == "backup":
        np.savez(folder / f"{job}-{arguments[0]}-{index}.npz", **backup(arguments[0]))
        return
    jobs: dict[str, Callable[[str], Values]] = {
        "steps": lambda name: steps(strategy, folder, name),
        "fit": fit_model,
    }
    for name in arguments:
        if name in jobs:
            job = name
            continue
        place = folder / f"{job}-{name}-{index}"
        tf.random.set_seed(1)
        try:
            values = jobs[job](name)
            np.savez(place.with_suffix(".npz"), **values)
        except Exception as error:
            place.with_suffix(".txt").write_text(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
