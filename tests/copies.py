"""Copies of fixture modules for a test to damage, edit and repair."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.records import FIXTURES


@contextlib.contextmanager
def edited_saved_model(folder: Path | str) -> Iterator[Any]:
    """The SavedModel message of a module, written back afterwards."""
    file = Path(folder, "saved_model.pb")
    message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    yield message
    file.write_bytes(message.SerializeToString(deterministic=True))


class ModuleCopy:
    """A copy of the fixture `fixture`, in `folder`."""

    def __init__(self, fixture: str, folder: Path) -> None:
        self.fixture = fixture
        self.folder = folder
        self.repair()

    @property
    def path(self) -> str:
        return str(self.folder)

    def repair(self) -> None:
        """Makes the copy what the fixture is."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(FIXTURES / self.fixture / "module", self.folder)

    def file(self, name: str) -> Path:
        return self.folder / name

    def saved_model(self) -> contextlib.AbstractContextManager[Any]:
        """The SavedModel message, written back afterwards."""
        return edited_saved_model(self.folder)

    @contextlib.contextmanager
    def meta_graph(self) -> Iterator[Any]:
        """The first MetaGraphDef, written back afterwards."""
        with self.saved_model() as message:
            yield message.meta_graphs[0]

    @contextlib.contextmanager
    def checkpoint(self) -> Iterator[dict[str, np.ndarray]]:
        """The values in the checkpoint by name, written back afterwards into one shard."""
        prefix = str(self.file("variables/variables"))
        reader = tf.train.load_checkpoint(prefix)
        values = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
        yield values
        shutil.rmtree(self.file("variables"))
        self.file("variables").mkdir()
        tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=list(values),
            shape_and_slices=[""] * len(values),
            tensors=list(values.values()),
        )


def node(meta_graph: Any, name: str) -> Any:
    """A node of a MetaGraphDef by its name."""
    return next(n for n in meta_graph.graph_def.node if n.name == name)
