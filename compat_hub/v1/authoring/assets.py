"""The asset files of a module that is being made: their names, and no path in its graph."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from compat_hub.errors import ModuleFormatError
from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.passes.strip_machine import rename_files
from compat_hub.graphdef.subgraph import index_nodes

# Where the format lists them; ASSET_FILEPATHS is what a program sees.
ASSETS = "saved_model_assets"
_ASSET_FILEPATHS = tf.compat.v1.GraphKeys.ASSET_FILEPATHS
_NO_PATH = b"SAVEDMODEL-ASSET"


class AssetNames:
    """Gives asset files their names in the assets folder, no two the same.

    Attributes:
        files: Where each file is, by that name.
    """

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def make_portable(self, meta_graph: Any) -> None:
        """Replaces the paths in the tensors of ASSET_FILEPATHS by names, in place.

        Raises:
            ModuleFormatError: The collection holds what is not a constant string, or not a path
                of a file.
        """
        if _ASSET_FILEPATHS not in meta_graph.collection_def:
            return
        collection = meta_graph.collection_def[_ASSET_FILEPATHS]
        if collection.WhichOneof("kind") != "node_list":
            raise ModuleFormatError(
                f"The collection {_ASSET_FILEPATHS!r} has to hold constant string tensors, found "
                f"a {collection.WhichOneof('kind')}. Add tf.constant(path) to it, not the path."
            )
        nodes = index_nodes(meta_graph.graph_def)
        for tensor in sorted(set(collection.node_list.value)):
            node = nodes[node_of(tensor)]
            if node.op != "Const" or len(node.attr["value"].tensor.string_val) != 1:
                raise ModuleFormatError(
                    f"The tensor {tensor!r} in the collection {_ASSET_FILEPATHS!r} has to be one "
                    f"constant string, found the output of a node of type {node.op!r}."
                )
            value = node.attr["value"].tensor.string_val
            asset = type(meta_graph)().asset_file_def.add()
            asset.tensor_info.name = tensor
            asset.filename = self._name_of(os.fsdecode(value[0]), tensor)
            value[0] = _NO_PATH
            meta_graph.collection_def[ASSETS].any_list.value.add().Pack(asset)
        rename_files(meta_graph.graph_def, self._names)

    def _name_of(self, path: str, tensor: str) -> str:
        if path not in self._names:
            base = os.path.basename(path)
            if not base:
                raise ModuleFormatError(
                    f"The tensor {tensor!r} in the collection {_ASSET_FILEPATHS!r} holds {path!r}, "
                    "which is not the path of a file."
                )
            name, count = base, 0
            while name in self.files:
                name, count = f"{base}{count}", count + 1
            self._names[path] = name
            self.files[name] = path
        return self._names[path]


def forget_paths(meta_graph: Any, assets: Mapping[str, str]) -> None:
    """Removes the paths that a SavedModel's assets had where it was made, in place.

    Args:
        meta_graph: The MetaGraph.
        assets: `GraphVariant.assets`: the name of each file, by the tensor that holds its path.
    """
    nodes = index_nodes(meta_graph.graph_def)
    names = {}
    for tensor, file in assets.items():
        values = nodes[node_of(tensor)].attr["value"].tensor.string_val
        for k, value in enumerate(values):
            if value != _NO_PATH:
                names[os.fsdecode(value)] = file
                values[k] = _NO_PATH
    names.pop("", None)
    rename_files(meta_graph.graph_def, names)
