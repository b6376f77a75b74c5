"""What TensorFlow 1 left at a path: a SavedModel, a checkpoint with a graph, a frozen graph."""

from __future__ import annotations

import dataclasses
import os
import re
from typing import Any, Literal

import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

from compat_hub.common.masking import masked
from compat_hub.errors import CheckpointError, ModuleFormatError, ResolveError
from compat_hub.format.checkpoints.first_format import files_of_first_format
from compat_hub.format.spec import is_module_directory, is_saved_model, read_saved_model
from compat_hub.sources.plain_files import check_checkpoint, check_file, check_saved_model
from compat_hub.sources.resolve import is_web_address, resolve
from compat_hub.sources.strange_files import strange_content

Kind = Literal["SavedModel", "checkpoint", "frozen graph"]

_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
_SHARDS = re.compile(r"-\?{5}-of-\d{5}$")  # as the first format names a checkpoint in parts
_PART = re.compile(r"\.(meta|index|data-\d{5}-of-\d{5})$")
_SHOWN = 4
_HDF5 = b"\x89HDF\r\n\x1a\n"
_TFLITE = b"TFL3"


@dataclasses.dataclass(frozen=True)
class ModelFiles:
    """A model of TensorFlow 1, read and not yet looked into.

    Attributes:
        handle: How messages name it.
        kind: What was at the path.
        meta_graphs: Its graphs; a checkpoint and a frozen graph have one.
        folder: The folder of a SavedModel.
        checkpoint: The prefix of a checkpoint; None where there are no values.
    """

    handle: str
    kind: Kind
    meta_graphs: tuple[Any, ...]
    folder: str | None = None
    checkpoint: str | None = None


def read_model_files(
    path: str | os.PathLike[str], allow_links: bool = False, needs_values: bool = True
) -> ModelFiles:
    """Reads the graphs of a model.

    Args:
        path: The folder of a SavedModel, or with a file `checkpoint`; the prefix of a checkpoint or
            its `.meta` file; a frozen graph. Or an address or archive of such a folder.
        allow_links: Whether files may be behind links that lead out of the folder.
        needs_values: Whether a graph without the checkpoint's data is of no use.

    Raises:
        ResolveError: There is nothing at the path.
        ModuleFormatError: It is something else, or damaged; the message says what takes it.
        CheckpointError: A part of the checkpoint is missing.
    """
    text = os.fspath(path)
    handle = masked(text)
    if is_web_address(text) or text.endswith(_ARCHIVES) or tf.io.gfile.isdir(text):
        return _read_folder(handle, resolve(text, allow_links=allow_links), allow_links)
    text = os.path.expanduser(text) if text.startswith("~") else text
    part = _PART.search(text)
    if part is not None and tf.io.gfile.exists(text):
        return _read_checkpoint(handle, text[: part.start()], allow_links, needs_values)
    if tf.io.gfile.exists(f"{text}.meta") or tf.io.gfile.exists(f"{text}.index"):
        return _read_checkpoint(handle, text, allow_links, needs_values)
    if tf.io.gfile.exists(text):
        return _read_frozen(handle, text, allow_links)
    folder = os.path.dirname(text)
    near = _models_in(folder) if tf.io.gfile.isdir(folder or os.curdir) else ""
    raise ResolveError(
        f"There is nothing at {handle!r}: neither a folder or a file, nor a checkpoint with that "
        f"prefix ({os.path.basename(text)}.meta and {os.path.basename(text)}.index). Check the "
        f"path.{near}"
    )


def is_tf1_saved_model(path: str, allow_links: bool = False) -> bool:
    """Whether a folder holds a plain SavedModel whose graphs TensorFlow 1 wrote."""
    if is_module_directory(path) or not is_saved_model(path):
        return False
    found = read_saved_model(path, path, allow_links)
    return not any(graph.HasField("object_graph_def") for graph in found.meta_graphs)


def _read_folder(handle: str, folder: str, allow_links: bool) -> ModelFiles:
    if is_module_directory(folder):
        raise ModuleFormatError(
            f"{handle!r} is a module in TF1 Hub format, which compat_hub.load() takes."
        )
    if is_saved_model(folder):
        return _read_saved_model(handle, folder, allow_links)
    state = os.path.join(folder, "checkpoint")
    if tf.io.gfile.exists(state) and not tf.io.gfile.isdir(state):
        return _read_checkpoint(handle, _latest(handle, folder, state, allow_links), allow_links)
    raise ModuleFormatError(
        f"The folder {handle!r} holds neither a SavedModel (saved_model.pb) nor a file "
        f"`checkpoint` that names its latest checkpoint.{_models_in(folder)}"
    )


def _read_saved_model(handle: str, folder: str, allow_links: bool) -> ModelFiles:
    check_saved_model(f"The SavedModel {handle!r}", folder, allow_links)
    graphs = tuple(read_saved_model(handle, folder, allow_links).meta_graphs)
    if any(graph.HasField("object_graph_def") for graph in graphs):
        raise ModuleFormatError(
            f"{handle!r} is a SavedModel of TensorFlow 2, whose variables and functions are "
            "objects. compat_hub.load() and tf.saved_model.load() take it as it is."
        )
    names = (tf.saved_model.VARIABLES_DIRECTORY, tf.saved_model.VARIABLES_FILENAME)
    return ModelFiles(handle, "SavedModel", graphs, folder, os.path.join(folder, *names))


def _latest(handle: str, folder: str, file: str, allow_links: bool) -> str:
    """The latest checkpoint of a folder, which may have been moved since it was written."""
    check_file(f"The model {handle!r}", folder, file, allow_links)
    state = tf.train.get_checkpoint_state(folder)
    if state is None:
        raise ModuleFormatError(
            f"The file {file!r} is no list of checkpoints, as TensorFlow writes one beside them. "
            f"Pass the prefix of the checkpoint, or its .meta file.{_models_in(folder)}"
        )
    name = _SHARDS.sub("", state.model_checkpoint_path)
    here = os.path.join(folder, os.path.basename(name))
    within = os.path.join(folder, name)
    known = [p for p in (here, within) if _is_below(folder, p) and _is_checkpoint(p)]
    if not name or not known:
        raise CheckpointError(
            f"The file {file!r} names the checkpoint {os.path.basename(name)!r}, which is not in "
            f"the folder. Pass the prefix of one that is.{_models_in(folder)}"
        )
    return known[0]


def _is_below(folder: str, path: str) -> bool:
    """Whether a path is in a folder, links followed: another's checkpoint may be behind one."""
    real = os.path.realpath(folder)
    return os.path.commonpath([real, os.path.realpath(path)]) == real


def _is_checkpoint(prefix: str) -> bool:
    return any(tf.io.gfile.exists(f"{prefix}.{end}") for end in ("meta", "index"))


def _read_checkpoint(
    handle: str, prefix: str, allow_links: bool, needs_values: bool = True
) -> ModelFiles:
    folder = os.path.dirname(prefix) or os.curdir
    check_checkpoint(f"The model {handle!r}", folder, prefix, allow_links)
    has_values = tf.io.gfile.exists(f"{prefix}.index") or bool(files_of_first_format(prefix))
    meta = f"{prefix}.meta"
    if not tf.io.gfile.exists(meta):
        raise CheckpointError(_without_graph(prefix))
    if not has_values and needs_values:
        name = os.path.basename(prefix)
        raise CheckpointError(
            f"{meta!r} is the graph of a checkpoint, whose values are missing: there is neither "
            f"{name}.index nor a file {name} of the first format. Copy them beside it; or pass "
            'missing="initial" for a model that is not trained.'
        )
    data = _read(handle, folder, meta, allow_links)
    graph = _parse(MetaGraphDef, data)
    if graph is None or not graph.graph_def.node:
        raise ModuleFormatError(
            f"The file {meta!r} is damaged, or no meta graph of a checkpoint. Get a fresh copy."
        )
    return ModelFiles(handle, "checkpoint", (graph,), None, prefix if has_values else None)


def _without_graph(prefix: str) -> str:
    """What to say of values without a graph."""
    try:
        reader = tf.compat.v1.train.NewCheckpointReader(prefix)
        is_of_objects = "_CHECKPOINTABLE_OBJECT_GRAPH" in reader.get_variable_to_dtype_map()
    except (tf.errors.OpError, IndexError, RuntimeError, TypeError, ValueError):
        is_of_objects = False
    if is_of_objects:
        return (
            f"{prefix!r} is a checkpoint of objects, as TensorFlow 2 and Keras write it: it has no "
            "graph. Build the model in Python, and restore it with model.load_weights() or "
            "tf.train.Checkpoint."
        )
    return (
        f"The checkpoint {prefix!r} has values and no graph: there is no file "
        f"{os.path.basename(prefix)}.meta. Copy that beside it; or run the program that builds the "
        "graph, restore the checkpoint there with tf.compat.v1.train.Saver, and save it again."
    )


def _read_frozen(handle: str, path: str, allow_links: bool) -> ModelFiles:
    if tf.io.gfile.exists(f"{path}.meta"):
        return _read_checkpoint(handle, path, allow_links)
    folder = os.path.dirname(path) or os.curdir
    data = _read(handle, folder, path, allow_links)
    other = _other_format(path, data, folder)
    if other is not None:
        raise ModuleFormatError(f"{handle!r} is {other}")
    graph_def = _parse(GraphDef, data)
    if graph_def is None or not graph_def.node or not all(n.op for n in graph_def.node):
        whole = _parse(MetaGraphDef, data)
        if whole is not None and whole.graph_def.node:
            raise ModuleFormatError(
                f"{handle!r} is the meta graph of a checkpoint. Name it PREFIX.meta, beside the "
                "PREFIX.index of the checkpoint, and pass that."
            )
        raise ModuleFormatError(
            f"{handle!r} is no graph of TensorFlow (a GraphDef, in binary form or as text), or a "
            "damaged one. Get a fresh copy of it."
        )
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.CopyFrom(graph_def)
    return ModelFiles(handle, "frozen graph", (meta_graph,))


def _other_format(path: str, data: bytes, folder: str) -> str | None:
    """What a file is that is no graph, as the end of a sentence about it."""
    if data.startswith(_HDF5):
        return "an HDF5 file, as Keras wrote it: tf.keras.models.load_model() takes it."
    if data[4:8] == _TFLITE:
        return "a model of TensorFlow Lite, which has no gradients: tf.lite.Interpreter runs it."
    if data.startswith(b"PK\x03\x04") and path.endswith(".keras"):
        return "a model of Keras: tf.keras.models.load_model() takes it."
    saved_model = _parse(saved_model_pb2.SavedModel, data)
    if saved_model is not None and saved_model.saved_model_schema_version:
        if any(graph.HasField("object_graph_def") for graph in saved_model.meta_graphs):
            what = "of TensorFlow 2: pass its folder to compat_hub.load() or tf.saved_model.load()."
        else:
            what = "and no frozen graph: pass the folder that it is in"
            what += f", {folder!r}." if os.path.basename(path).startswith("saved_model.") else "."
        return f"a SavedModel {what}"
    strange = strange_content(data[:512])
    return None if strange is None else f"no graph: it {strange.removeprefix('is ')}."


def _read(handle: str, folder: str, path: str, allow_links: bool) -> bytes:
    check_file(f"The model {handle!r}", folder, path, allow_links)
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read()
    except tf.errors.OpError as error:
        raise ResolveError(f"The file {path!r} cannot be read: {error.message}.") from error


def _parse(kind: Any, data: bytes) -> Any:
    """A message from its binary form or text; None where the bytes are neither."""
    message = kind()
    try:
        message.ParseFromString(data)
    except (DecodeError, RecursionError):
        pass
    else:
        if message.ByteSize():
            return message
    if b"\0" in data[:4096]:
        return None
    try:
        message = text_format.Parse(data.decode(), kind())
        return kind.FromString(message.SerializeToString())
    except (DecodeError, text_format.ParseError, UnicodeDecodeError, RecursionError):
        return None


def _models_in(folder: str) -> str:
    """A sentence that names what of TensorFlow 1 is in a folder, or nothing."""
    try:
        names = sorted(tf.io.gfile.listdir(folder or os.curdir))
    except tf.errors.OpError:
        return ""
    found = [n for n in names if n.endswith((".meta", ".pb", ".pbtxt"))]
    found += [n.rstrip("/") for n in names if is_saved_model(os.path.join(folder, n))]
    if not found:
        return ""
    more = ", ..." if len(found) > _SHOWN else ""
    shown = ", ".join(repr(os.path.join(folder, n)) for n in found[:_SHOWN])
    return f" In the folder are: {shown}{more}."


def is_tf1_model(path: str) -> bool:
    """Whether a path leads to a model of TensorFlow 1 that is no module, as far as its name says.

    Of folders, those of a TF1 SavedModel and those with a file `checkpoint`.
    """
    if is_web_address(path) or path.endswith(_ARCHIVES):
        return False
    if tf.io.gfile.isdir(path):
        if is_saved_model(path):
            return is_tf1_saved_model(path)
        return not is_module_directory(path) and tf.io.gfile.exists(f"{path}/checkpoint")
    return any(tf.io.gfile.exists(f"{path}{end}") for end in ("", ".meta", ".index"))
