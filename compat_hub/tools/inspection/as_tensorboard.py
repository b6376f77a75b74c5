"""The graphs of a module for TensorBoard: an event file for each variant."""

from __future__ import annotations

import os

import tensorflow as tf

from compat_hub.errors import ResolveError
from compat_hub.format.spec import ModuleSpec

# A name of our own: writing once more replaces what was written, and nothing else.
_EVENTS = "events.out.tfevents.0.compat_hub"
_INFERENCE = "inference"
_VERSION = "brain.Event:2"


def write_graphs(spec: ModuleSpec, folder: str | os.PathLike[str]) -> list[str]:
    """Writes the graph of each variant as a run of its own, as it is in the module.

    Args:
        spec: The module.
        folder: The folder to pass to TensorBoard as `--logdir`. It is made, unless it is there.

    Returns:
        The paths of the runs: folders called by the tags, `inference` where there are none.

    Raises:
        ResolveError: It cannot be written.
    """
    runs = []
    for tags, variant in spec.variants.items():
        name = "+".join(sorted(tags)) or _INFERENCE
        # Tags may hold anything, and are not paths.
        run = os.path.join(os.fspath(folder), name.replace("/", "_").replace(os.pardir, "_"))
        path = os.path.join(run, _EVENTS)
        try:
            tf.io.gfile.makedirs(run)
            with tf.io.TFRecordWriter(f"{path}.part") as writer:
                writer.write(tf.compat.v1.Event(file_version=_VERSION).SerializeToString())
                graph = variant.meta_graph.graph_def.SerializeToString()
                writer.write(tf.compat.v1.Event(graph_def=graph).SerializeToString())
            tf.io.gfile.rename(f"{path}.part", path, overwrite=True)
        except (tf.errors.OpError, OSError, UnicodeError, ValueError) as error:
            raise ResolveError(
                f"The graph cannot be written for TensorBoard to {run!r}: {error}. Pass a folder "
                "that can be written."
            ) from error
        runs.append(run)
    return runs
