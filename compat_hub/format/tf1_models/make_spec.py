"""A model of TensorFlow 1 as a `ModuleSpec`: what is needed of its graphs, and its values."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from compat_hub.errors import InputTypeError, ModuleFormatError, UnknownNameError
from compat_hub.format.spec import (
    ModuleSpec,
    Tags,
    check_plain,
    is_module_directory,
    is_saved_model,
    normalize_tags,
)
from compat_hub.format.tf1_models.draft import Draft
from compat_hub.format.tf1_models.files import ModelFiles, is_tf1_saved_model, read_model_files
from compat_hub.format.variant import format_tags
from compat_hub.graphdef.names import node_of

_DEFAULT = "default"
_SERVE = frozenset({"serve"})
_TRAIN = frozenset({"train"})

Names = Mapping[str, str]


def spec_of_saved_model(
    handle: str | os.PathLike[str],
    folder: str,
    tags: Tags = None,
    *,
    allow_host_access: bool = False,
    allow_links: bool = False,
) -> ModuleSpec | None:
    """The spec of a plain SavedModel that TensorFlow 1 wrote; None for all else that is a folder.

    Raises:
        ModuleFormatError: It is a module in TF1 Hub format without its tfhub_module.pb, or damaged.
        UnknownNameError: It has no graph with these tags.
    """
    if is_module_directory(folder) or not is_saved_model(folder):
        return None
    check_plain(os.fspath(handle), folder, allow_links, tags is not None)
    if not is_tf1_saved_model(folder, allow_links):
        return None
    return make_spec(
        handle, tags=tags, allow_host_access=allow_host_access, allow_links=allow_links
    )


def make_spec(
    path: str | os.PathLike[str],
    inputs: Names | None = None,
    outputs: Names | None = None,
    *,
    signatures: Mapping[str, tuple[Names, Names]] | None = None,
    feed_dict: Mapping[str, Any] | None = None,
    training_feed_dict: Mapping[str, Any] | None = None,
    unfreeze: bool | str | Sequence[str] = False,
    tags: Tags = None,
    needs_values: bool = True,
    allow_host_access: bool = False,
    allow_links: bool = False,
) -> ModuleSpec:
    """Reads a model; `load_tf1` says what the arguments mean.

    Raises:
        ResolveError: There is nothing at the path.
        ModuleFormatError: It is no model of TensorFlow 1, or a damaged one.
        CheckpointError: A part of the checkpoint is missing.
        SignatureError: The names of tensors, the values or the tags do not fit the graph.
    """
    asked = _asked(inputs, outputs, signatures)
    files = read_model_files(path, allow_links, needs_values)
    if not asked and files.kind != "SavedModel":
        raise InputTypeError(
            f"The model {files.handle!r} is a {files.kind}, which has no signatures: pass `inputs` "
            "and `outputs`, names of its tensors, as inputs={'x': 'x:0'}, outputs={'y': "
            f"'logits:0'}}. `compat-hub inspect {files.handle}` proposes some."
        )
    chosen, training = _choose(files, tags)
    where = f"model {files.handle!r}"
    drafts = {frozenset[str](): Draft(chosen, where)}
    if training is not None or training_feed_dict is not None:
        drafts[_TRAIN] = Draft(chosen if training is None else training, f"{where}, training")
    feeds = {frozenset[str](): [feed_dict or {}], _TRAIN: [feed_dict or {}]}
    feeds[_TRAIN].append(training_feed_dict or {})
    for kind, draft in drafts.items():
        is_own_graph = kind == _TRAIN and training is not None
        _edit(draft, asked, feeds[kind], unfreeze, is_own_graph)
    if _TRAIN in drafts and training_feed_dict is None:
        train, serve = (drafts[t].meta_graph.signature_def for t in (_TRAIN, frozenset[str]()))
        if not serve.keys() <= train.keys() or not serve:
            del drafts[_TRAIN]  # it is called otherwise, as for the loss that it computes
    concerned = {name for draft in drafts.values() for name in draft.needed_variables()}
    names: dict[str, str] = {}
    saved_model = SavedModel(saved_model_schema_version=1)
    for kind, draft in drafts.items():
        names.update(draft.checkpoint_names())
        saved_model.meta_graphs.append(draft.finish(concerned, kind))
    spec = ModuleSpec(
        files.handle,
        files.folder,
        saved_model,
        allow_host_access=allow_host_access,
        allow_links=allow_links,
        checkpoint=files.checkpoint,
        checkpoint_names=names,
    )
    spec.check_files()
    return spec


def _asked(
    inputs: Names | None,
    outputs: Names | None,
    signatures: Mapping[str, tuple[Names, Names]] | None,
) -> dict[str, tuple[Names, Names]]:
    """The signatures that the caller names."""
    if inputs is not None and outputs is None:
        raise InputTypeError("`inputs` are named, and no `outputs`: a signature needs some.")
    asked = dict(signatures or {})
    if outputs is not None:
        asked[_DEFAULT] = (inputs or {}, outputs)
    for name, pair in asked.items():
        try:
            given, wanted = pair
            is_good = all(isinstance(part, Mapping) for part in (given, wanted)) and bool(wanted)
        except (TypeError, ValueError):
            is_good = False
        if not is_good:
            raise InputTypeError(
                f"The signature {name!r} is two dicts, of inputs and of outputs, with the names of "
                f"tensors as values: ({{'x': 'x:0'}}, {{'y': 'logits:0'}}); found {pair!r}."
            )
    return asked


def _edit(
    draft: Draft,
    asked: Mapping[str, tuple[Names, Names]],
    feeds: Sequence[Mapping[str, Any]],
    unfreeze: bool | str | Sequence[str],
    is_own_graph: bool,
) -> None:
    """Makes of a graph what the caller asks for."""
    tensors = draft.tensors
    fixed: dict[str, Any] = {}
    for k, values in enumerate(feeds):
        for name, value in values.items():
            # The graph for training need not have what is fixed in the other one.
            if is_own_graph and k == 0 and node_of(str(name)) not in tensors.nodes:
                continue
            argument = "training_feed_dict" if k else "feed_dict"
            fixed[tensors.find(_name_of(name), f"`{argument}`")] = value
    draft.correct_signatures()
    if unfreeze is not False and unfreeze is not None:
        draft.unfreeze(_patterns(unfreeze))
    draft.fix(fixed)
    for name, (inputs, outputs) in asked.items():
        tensors = draft.tensors
        found = [
            {key: tensors.find(_name_of(t), f"the {what} {key!r}") for key, t in names.items()}
            for what, names in (("input", inputs), ("output", outputs))
        ]
        draft.add_signature(name, *found)


def _name_of(tensor: Any) -> Any:
    """A tensor's name; of a tensor of another graph, its name there."""
    return tensor if isinstance(tensor, str) else getattr(tensor, "name", tensor)


def _patterns(unfreeze: bool | str | Sequence[str]) -> list[str] | None:
    if unfreeze is True:
        return None
    return [unfreeze] if isinstance(unfreeze, str) else list(unfreeze)  # pyright: ignore


def _choose(files: ModelFiles, tags: Tags) -> tuple[Any, Any]:
    """The graph for inference, and the one for training where there is one."""
    graphs = {frozenset(g.meta_info_def.tags): g for g in files.meta_graphs}
    if files.kind != "SavedModel":
        return files.meta_graphs[0], None
    if tags is not None:
        wanted = normalize_tags(tags)
    elif len(graphs) == 1:
        (wanted,) = graphs
    else:
        wanted = _SERVE
    existing = ", ".join(format_tags(t) for t in sorted(graphs, key=sorted))
    if wanted not in graphs:
        raise UnknownNameError(
            f"The SavedModel {files.handle!r} has no graph with the tags {format_tags(wanted)}. It "
            f"has: {existing}. Pass one of these as `tags`."
        )
    if len(graphs) < len(files.meta_graphs):
        raise ModuleFormatError(
            f"The SavedModel {files.handle!r} has two graphs with the same tags: {existing}."
        )
    training = graphs.get(_TRAIN) if tags is None and wanted != _TRAIN else None
    return graphs[wanted], training
