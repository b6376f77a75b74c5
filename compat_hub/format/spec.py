"""ModuleSpec: the immutable description of a module, read from its directory."""

from __future__ import annotations

import functools
import os
import shlex
import weakref
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from compat_hub.common.file_stamp import file_stamp
from compat_hub.common.masking import masked
from compat_hub.errors import InputTypeError, ModuleFormatError, UnknownNameError
from compat_hub.format import protos
from compat_hub.format.checkpoints.copy import copy_variables
from compat_hub.format.signature_info import SignatureInfo, Tags
from compat_hub.format.signature_table import signature_tables
from compat_hub.format.variant import GraphVariant, Signature, format_tags
from compat_hub.format.writer import MODULE_PROTO, write_module_directory
from compat_hub.graphdef.checks.table_files import file_inputs, find_large_vocabulary
from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.passes.strip_machine import clear_checkpoint_paths
from compat_hub.sources.fresh_copy import fresh_copy, naming_fresh_copy
from compat_hub.sources.handle_hints import hint_for_folder
from compat_hub.sources.plain_files import (
    check_checkpoint,
    check_file,
    check_kind,
    checkpoint_files,
    local_path,
)
from compat_hub.sources.resolve import resolve
from compat_hub.sources.strange_files import strange_content, strange_file

_ATTACHMENTS = "hub_module_attachments"
_IS_EMPTY = " It is empty: copying or downloading it broke off, so do that again."
_SUPPORTED_FEATURES: frozenset[str] = frozenset()

# By handle, path, permissions and the stamp of the files: stale entries are not found.
_read: weakref.WeakValueDictionary[Any, ModuleSpec] = weakref.WeakValueDictionary()


def normalize_tags(tags: Tags) -> frozenset[str]:
    """A set of tags from a set, a list or one string; None is the empty set.

    Raises:
        InputTypeError: It is none of these.
    """
    if tags is None:
        return frozenset()
    message = f"`tags` are a set of strings, a list or one string, found {tags!r}."
    try:
        found = frozenset([tags] if isinstance(tags, str) else tags)
    except TypeError as error:
        raise InputTypeError(message) from error
    if not all(isinstance(tag, str) for tag in found):
        raise InputTypeError(message)
    return found


class ModuleSpec(SignatureInfo):
    """What a module consists of: variants, signatures, collections, attachments.

    It holds no TensorFlow graph and no variables. `compat_hub.load`, `compat_hub.KerasLayer` and
    `compat_hub.Module` take it as a handle. `compat_hub.load_module_spec` reads one,
    `compat_hub.create_module_spec` makes one.

    Examples:
        >>> spec = compat_hub.load_module_spec("path/to/module")
        >>> [sorted(tags) for tags in spec.get_tags()]
        [[], ['train']]
        >>> spec.get_signature_names()
        ['default', 'fruit_to_pet']
        >>> spec.get_input_info_dict("fruit_to_pet")["apples"].get_shape()
        TensorShape([None, 4])

    Attributes:
        handle: What the user passed, without passwords; messages name the module by it.
        path: The module directory, or None for a spec that was made and not read.
        asset_files: Where each asset file is, by its file name in the assets folder.
        allow_host_access: Whether the module's graph may touch the host: read and write files
            other than its own assets, call Python, reach the network.
        allow_links: Whether files of the module may be behind links that lead out of its folder.
        checkpoint_names: What a variable is called in the checkpoint, by its name in the module,
            where that is another name.
    """

    def __init__(
        self,
        handle: str,
        path: str | None,
        saved_model: Any,
        asset_files: Mapping[str, str] | None = None,
        allow_host_access: bool = False,
        allow_links: bool = False,
        checkpoint: str | None = None,
        checkpoint_names: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.handle = masked(handle)
        self.path = path
        self._checkpoint = checkpoint
        self.checkpoint_names = MappingProxyType(dict(checkpoint_names))
        self.allow_host_access = bool(allow_host_access)
        self.allow_links = bool(allow_links)
        self._saved_model = saved_model
        self._variants: dict[frozenset[str], GraphVariant] = {}
        for meta_graph in saved_model.meta_graphs:
            variant = GraphVariant(meta_graph, handle)
            if variant.tags in self._variants:
                raise ModuleFormatError(
                    f"Module {handle!r} has two variants with the tags "
                    f"{format_tags(variant.tags)}. {fresh_copy(handle)}"
                )
            self._variants[variant.tags] = variant

        self._by_tags = MappingProxyType(
            {tags: self._variants[tags] for tags in sorted(self._variants, key=sorted)}
        )
        self.asset_files = MappingProxyType(
            {
                file: os.path.join(path, tf.saved_model.ASSETS_DIRECTORY, file)
                for variant in self._variants.values()
                for file in variant.assets.values()
            }
            if path is not None
            else dict(asset_files or {})
        )

    @property
    def variants(self) -> Mapping[frozenset[str], GraphVariant]:
        """The graph variants by their tags, the empty set first."""
        return self._by_tags

    def variant(self, tags: Tags = None) -> GraphVariant:
        """The variant with exactly these tags.

        Args:
            tags: The variant's tags: a set, a list or one string; None is `set()`.

        Returns:
            The variant.

        Raises:
            UnknownNameError: There is none.
        """
        wanted = normalize_tags(tags)
        if wanted not in self._variants:
            existing = ", ".join(format_tags(t) for t in self.variants)
            raise UnknownNameError(
                f"Module {self.handle!r} has no graph variant with the tags "
                f"{format_tags(wanted)}. It has: {existing}. Pass one of these as `tags`."
            )
        return self._variants[wanted]

    def signature(self, name: str | None = None, tags: Tags = None) -> Signature:
        """A signature of a variant.

        Args:
            name: Its name, `"default"` when None.
            tags: The variant's tags: a set, a list or one string; None is `set()`.

        Returns:
            The signature.

        Raises:
            UnknownNameError: There is no such variant or signature.
            InputTypeError: The name is not a string.
        """
        variant = self.variant(tags)
        wanted = variant.default_signature if name is None else name
        if not isinstance(wanted, str):
            raise InputTypeError(
                f"In {variant.where}: `signature` is a name, found a {type(wanted).__name__}."
            )
        if wanted not in variant.signatures:
            existing = ", ".join(repr(s) for s in variant.signatures) or "none at all"
            raise UnknownNameError(
                f"There is no signature {wanted!r} in {variant.where}. It has: {existing}. "
                "Pass one of these as `signature`."
            )
        return variant.signatures[wanted]

    @property
    def checkpoint_prefix(self) -> str | None:
        """The prefix of the checkpoint with the variables' values.

        It is where the checkpoint has to be if the module has variables, whether or not the files
        are there. None for a spec that was made and not read: such variables have the values of
        their initializers.

        Raises:
            UnsafeModuleError: It is behind a link that leads out of the module's folder.
            ModuleFormatError: A part of it is not a plain file.
        """
        if self._checkpoint is not None:
            prefix, folder = self._checkpoint, os.path.dirname(self._checkpoint) or os.curdir
        elif self.path is not None:
            names = (tf.saved_model.VARIABLES_DIRECTORY, tf.saved_model.VARIABLES_FILENAME)
            prefix, folder = os.path.join(self.path, *names), self.path
        else:
            return None
        check_checkpoint(f"Module {self.handle!r}", folder, prefix, self.allow_links)
        return prefix

    def asset_path(self, file: str) -> str:
        """Where an asset file is, once it is known that it can be read.

        Args:
            file: Its name in the assets folder.

        Returns:
            The path.

        Raises:
            ModuleFormatError: It is missing, or no plain file.
            UnsafeModuleError: It is behind a link that leads out of the module's folder.
        """
        path = self.asset_files[file]
        where = f"Module {self.handle!r}"
        if self.path is None:
            check_kind(where, path)  # the program itself says where it is
        else:
            check_file(where, self.path, path, self.allow_links)
        if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
            raise ModuleFormatError(
                f"{where}: the asset file {path!r} is missing. {fresh_copy(self.handle)}"
            )
        strange = strange_file(path, file in self._files_of_tables)
        if strange is not None:
            raise ModuleFormatError(
                f"{where}: the asset file {path!r} {strange}. {fresh_copy(self.handle)}"
            )
        return path

    @functools.cached_property
    def _files_of_tables(self) -> frozenset[str]:
        """The asset files that tables are filled from: plain text, with something in it."""
        found: set[str] = set()
        for variant in self._variants.values():
            inputs = file_inputs(variant.nodes, variant.nodes_by_op) if variant.assets else []
            needed = variant.needed_nodes(inputs) if inputs else frozenset()
            found.update(file for t, file in variant.assets.items() if node_of(t) in needed)
        return frozenset(found)

    def get_tags(self) -> list[frozenset[str]]:
        """The tags of each graph variant."""
        return list(self.variants)

    def _described(self, tags: Tags) -> tuple[ModuleSpec, Tags]:
        return self, tags

    def export(
        self,
        path: str | os.PathLike[str],
        _sentinel: Any = None,
        checkpoint_path: str | os.PathLike[str] | None = None,
        name_transform_fn: Callable[[str], str] | None = None,
    ) -> None:
        """Writes the module, with the values of its variables from a checkpoint.

        Examples:
            >>> def module_fn():
            ...     x = tf.compat.v1.placeholder(tf.float32, [None, 4])
            ...     w = tf.compat.v1.get_variable("w", [4, 2])
            ...     compat_hub.add_signature(inputs=x, outputs=tf.matmul(x, w))
            >>> spec = compat_hub.create_module_spec(module_fn)
            >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            ...     w = tf.compat.v1.get_variable("trained/w", [4, 2])
            ...     session.run(tf.compat.v1.global_variables_initializer())
            ...     checkpoint = tf.compat.v1.train.Saver().save(session, "path/to/model.ckpt")
            >>> spec.export("path/to/new_module", checkpoint_path=checkpoint,
            ...             name_transform_fn=lambda name: f"trained/{name}")
            >>> compat_hub.load("path/to/new_module")(tf.ones([3, 4])).shape
            TensorShape([3, 2])

        Args:
            path: The folder to make.
            checkpoint_path: The prefix of a checkpoint, or a folder with checkpoints, whose latest
                is taken. It has to be passed by name.
            name_transform_fn: The name in the checkpoint of what is called so in the module, where
                they differ: `lambda name: "scope/" + name`.

        Raises:
            InputTypeError: `checkpoint_path` is missing, or no path.
            UnknownNameError: The module has no variant without tags, or the checkpoint lacks a
                variable of it.
            SignatureError: The checkpoint holds a variable with another dtype or shape.
            PathExistsError: There is something at `path` already.
            ResolveError: There is no such checkpoint, or the folder cannot be written.
        """
        if (
            _sentinel is not None
            or not checkpoint_path
            or not isinstance(checkpoint_path, str | bytes | os.PathLike)
        ):
            raise InputTypeError(
                "ModuleSpec.export() takes a `checkpoint_path`, passed by name: the prefix of the "
                "checkpoint that has the values of the variables."
            )
        variant = self.variant()
        source = os.fsdecode(checkpoint_path)

        def save_variables(prefix: str) -> None:
            names = name_transform_fn or str
            copy_variables(variant.variables, source, names, prefix, variant.where)

        self.write(path, save_variables if variant.variables else None)

    def write(
        self, path: str | os.PathLike[str], save_variables: Callable[[str], None] | None
    ) -> str:
        """Writes the module directory.

        Args:
            path: The folder to make.
            save_variables: Writes the checkpoint with the prefix that it is given; None where the
                module has no variables.

        Returns:
            The path.

        Raises:
            PathExistsError: There is something at `path` already.
            ResolveError: An asset file is gone, or the folder cannot be written.
        """
        self.check_assets()
        saved_model = self._saved_model
        if self.path is None and save_variables is not None:
            saved_model = self._without_checkpoint_paths()
        return write_module_directory(path, saved_model, self.asset_files, save_variables)

    def _without_checkpoint_paths(self) -> Any:
        """The message without the paths that initializers of a module within this one read."""
        saved_model = type(self._saved_model)()
        saved_model.CopyFrom(self._saved_model)
        for meta_graph in saved_model.meta_graphs:
            variant = self._variants[frozenset(meta_graph.meta_info_def.tags)]
            clear_checkpoint_paths(meta_graph.graph_def, variant.needed_without_initializers())
        return saved_model

    def allowing(self, host_access: bool = False, links: bool = False) -> ModuleSpec:
        """The same description, of a module that is allowed more than before.

        Args:
            host_access: Whether the graph may touch the host.
            links: Whether files may be behind links that lead out of the module's folder.

        Returns:
            The description; this one where it is allowed as much.
        """
        host_access = self.allow_host_access or bool(host_access)
        links = self.allow_links or bool(links)
        if (host_access, links) == (self.allow_host_access, self.allow_links):
            return self
        spec = object.__new__(type(self))
        vars(spec).update(vars(self), allow_host_access=host_access, allow_links=links)
        return spec

    def check_files(self) -> None:
        """Checks that what the module consists of, as far as it is there, may be read.

        Raises:
            UnsafeModuleError: A file is behind a link that leads out of the module's folder.
            ModuleFormatError: A file is not a plain one.
        """
        self.check_assets()
        _ = self.checkpoint_prefix
        self._check_vocabularies()

    def _check_vocabularies(self) -> None:
        if self.allow_host_access or not any(
            file_inputs(v.nodes, v.nodes_by_op) for v in self._variants.values()
        ):
            return
        files = (p for p in self.asset_files.values() if tf.io.gfile.exists(p))
        largest = max((tf.io.gfile.stat(path).length for path in files), default=0)
        for variant in self._variants.values():
            problem = find_large_vocabulary(variant.nodes, variant.nodes_by_op, largest)
            if problem:
                raise ModuleFormatError(f"In {variant.where}: {problem}. {fresh_copy(self.handle)}")

    def check_assets(self) -> None:
        """Checks that the asset files, as far as they are there, may be read.

        Raises:
            UnsafeModuleError: One is behind a link that leads out of the module's folder.
            ModuleFormatError: One is not a plain file.
        """
        if self.path is not None:
            for path in self.asset_files.values():
                check_file(f"Module {self.handle!r}", self.path, path, self.allow_links)

    def __copy__(self) -> ModuleSpec:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> ModuleSpec:
        # It does not change. Estimators, for one, copy what they are given.
        return self

    def __reduce__(self) -> Any:
        """For pickle: what was read is read again, from its folder or else its handle."""
        allowed = self.allow_host_access, self.allow_links
        if self.path is not None and is_module_directory(self.path):
            return _read_again, (self.handle, self.path, *allowed)
        saved_model = self._saved_model.SerializeToString()
        checkpoint = self._checkpoint, dict(self.checkpoint_names)
        given = self.path, saved_model, dict(self.asset_files)
        return _make_again, (self.handle, *given, *allowed, *checkpoint)

    def __repr__(self) -> str:
        variants = ", ".join(
            f"{format_tags(tags)}: {', '.join(v.signatures)}" for tags, v in self.variants.items()
        )
        return f"<compat_hub.ModuleSpec {self.handle!r} ({variants})>"

    def _repr_html_(self) -> str:
        return signature_tables(f"Module {self.handle}", self.variants.values())


def load_module_spec(
    handle: str | os.PathLike[str] | ModuleSpec,
    *,
    allow_host_access: bool = False,
    allow_links: bool = False,
) -> ModuleSpec:
    """Reads the description of a module in TF1 Hub format.

    Examples:
        >>> compat_hub.load_module_spec("path/to/module").get_signature_names()
        ['default', 'fruit_to_pet']

    Args:
        handle: What `compat_hub.resolve` takes; a `ModuleSpec` is returned as it is.
        allow_host_access: Whether the module's graph may touch the host wherever the spec is used:
            read and write files other than its own assets, call Python, reach the network.
        allow_links: Whether files of the module may be behind links that lead out of its folder,
            as in stores that are laid out with links.

    Returns:
        The `ModuleSpec`.

    Raises:
        ResolveError: The handle leads to no folder.
        ModuleFormatError: The folder is not a module in TF1 Hub format, or a damaged one.
        UnsafeModuleError: A file is behind a link that leads out of the folder.
    """
    if isinstance(handle, ModuleSpec):
        return handle.allowing(allow_host_access, allow_links)
    path = resolve(handle, allow_links=allow_links)
    return read_module_spec(os.fspath(handle), path, allow_host_access, allow_links)


def _read_again(handle: str, path: str, allow_host_access: bool, allow_links: bool) -> ModuleSpec:
    """What a pickled `ModuleSpec` becomes."""
    if not is_module_directory(path):
        path = resolve(handle, allow_links=allow_links)
    return read_module_spec(handle, path, allow_host_access, allow_links)


def _make_again(handle: str, path: str | None, saved_model: bytes, *others: Any) -> ModuleSpec:
    """What a pickled `ModuleSpec` becomes that no folder has as it is."""
    return ModuleSpec(handle, path, saved_model_pb2.SavedModel.FromString(saved_model), *others)


def is_module_directory(path: str) -> bool:
    """Whether a folder is in TF1 Hub format, as against a plain SavedModel."""
    return _is_there(os.path.join(path, MODULE_PROTO))


def _is_there(file: str) -> bool:
    local = local_path(file)
    # A link that leads nowhere is a damaged module, and no other model.
    return tf.io.gfile.exists(file) or (local is not None and os.path.islink(local))


def is_saved_model(path: str) -> bool:
    """Whether a folder holds a SavedModel, which one in TF1 Hub format is, too."""
    names = (tf.saved_model.SAVED_MODEL_FILENAME_PB, tf.saved_model.SAVED_MODEL_FILENAME_PBTXT)
    return any(tf.io.gfile.exists(os.path.join(path, name)) for name in names)


def read_module_spec(
    handle: str, path: str, allow_host_access: bool = False, allow_links: bool = False
) -> ModuleSpec:
    """Reads a module directory; `handle` is how messages name it.

    A spec that is still in use is not read again, unless its files have changed:
    then modules that are loaded from it share what is built of it, too.
    """
    handle = masked(handle)
    with naming_fresh_copy(handle):
        return _read_module_spec(handle, path, allow_host_access, allow_links)


def _read_module_spec(
    handle: str, path: str, allow_host_access: bool, allow_links: bool
) -> ModuleSpec:
    names = (MODULE_PROTO, tf.saved_model.SAVED_MODEL_FILENAME_PB)
    stamp = file_stamp(os.path.join(path, name) for name in names)
    key = (handle, path, bool(allow_host_access), bool(allow_links), stamp)
    known = _read.get(key) if stamp else None
    if known is not None:
        known.check_files()
        return known
    _check_module_proto(handle, path, allow_links)
    saved_model = read_saved_model(handle, path, allow_links)
    spec = ModuleSpec(
        handle,
        path,
        saved_model,
        allow_host_access=allow_host_access,
        allow_links=allow_links,
    )
    spec.check_files()
    if stamp:
        _read[key] = spec
    return spec


def _read_file(handle: str, folder: str, name: str, allow_links: bool) -> bytes:
    path = os.path.join(folder, name)
    check_file(f"Module {handle!r}", folder, path, allow_links)
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            data = file.read()
    except tf.errors.OpError as error:
        raise ModuleFormatError(
            f"Module {handle!r}: the file {path} cannot be read: {error.message}. "
            f"{fresh_copy(handle)}"
        ) from error
    strange = strange_content(data[:512]) if data else None
    if strange is not None:
        raise ModuleFormatError(
            f"Module {handle!r}: the file {path} {strange}. {fresh_copy(handle)}"
        )
    return data


def check_plain(handle: str, path: str, allow_links: bool = False, has_tags: bool = False) -> None:
    """Refuses a SavedModel that is a module in TF1 Hub format without its tfhub_module.pb.

    It is told by its variants: those of a module have no tags, or those that the module's author
    chose, where other SavedModels of TF1 have the tag `serve`.

    Args:
        handle: How messages name it.
        path: Its folder.
        allow_links: Whether files may be behind links that lead out of the folder.
        has_tags: Whether the caller knows the variant that is wanted, and so what it is.

    Raises:
        ModuleFormatError: It is one, or no SavedModel that can be read.
    """
    found = read_saved_model(handle, path, allow_links).meta_graphs
    prefix = os.path.join(
        path, tf.saved_model.VARIABLES_DIRECTORY, tf.saved_model.VARIABLES_FILENAME
    )
    for file in checkpoint_files(prefix):
        strange = strange_file(file, is_plain=file.endswith(".index"))
        if strange is not None:
            raise ModuleFormatError(
                f"The SavedModel {masked(handle)!r}: the file {file} {strange}. "
                f"{fresh_copy(handle)}"
            )
    if has_tags:
        return
    tags = sorted(sorted(graph.meta_info_def.tags) for graph in found)
    if (
        any(graph.HasField("object_graph_def") for graph in found)
        or [] not in tags
        or not any(_is_of_module(graph, len(found)) for graph in found)
    ):
        return
    variants = ", ".join(format_tags(frozenset(t)) for t in tags)
    file = os.path.join(path, MODULE_PROTO)
    raise ModuleFormatError(
        f"Module {masked(handle)!r}: the folder {path} has lost its {MODULE_PROTO}: its graph "
        f"variants ({variants}) are those of a module in TF1 Hub format. {fresh_copy(handle)} "
        "The file itself is the same for all modules; this makes it again, if nothing else is "
        f"missing: printf '\\010\\003' > {shlex.quote(file)}"
    )


def _is_of_module(meta_graph: Any, variants: int) -> bool:
    signatures = meta_graph.signature_def.keys()
    return not meta_graph.meta_info_def.tags and (
        variants > 1
        or _ATTACHMENTS in meta_graph.collection_def
        or (bool(signatures) and "serving_default" not in signatures)
    )


def _check_module_proto(handle: str, path: str, allow_links: bool) -> None:
    if not is_module_directory(path):
        if is_saved_model(path):
            check_plain(handle, path, allow_links)
        hint = hint_for_folder(path)
        raise ModuleFormatError(
            f"{handle!r} is not a module in TF1 Hub format: the folder {path} has no "
            f"{MODULE_PROTO}. {f'{hint} ' if hint else ''}If it is a plain SavedModel, load it "
            "with compat_hub.load() or tf.saved_model.load()."
        )
    file = os.path.join(path, MODULE_PROTO)
    proto = protos.ModuleDef()
    data = _read_file(handle, path, MODULE_PROTO, allow_links)
    try:
        proto.ParseFromString(data)
    except DecodeError as error:
        raise ModuleFormatError(
            f"Module {handle!r}: the file {file} is damaged and cannot be parsed ({error}). "
            f"{fresh_copy(handle)}"
        ) from error
    if proto.format != protos.ModuleDef.FORMAT_V3:
        raise ModuleFormatError(
            f"Module {handle!r} has the format {proto.format}; the only TF1 Hub format that can be "
            f"read is FORMAT_V3 ({protos.ModuleDef.FORMAT_V3}). Check that {file} is complete."
            f"{_IS_EMPTY * (not data)}"
        )
    unsupported = sorted(set(proto.required_features) - _SUPPORTED_FEATURES)
    if unsupported:
        raise ModuleFormatError(
            f"Module {handle!r} requires features that this version of compat_hub does not have: "
            f"{', '.join(unsupported)}. A newer version may have them."
        )


def read_saved_model(handle: str, path: str, allow_links: bool = False) -> Any:
    """Parses the `SavedModel` message in a folder; `handle` is how messages name it."""
    saved_model = saved_model_pb2.SavedModel()
    names = (tf.saved_model.SAVED_MODEL_FILENAME_PB, tf.saved_model.SAVED_MODEL_FILENAME_PBTXT)
    name = next((n for n in names if _is_there(os.path.join(path, n))), None)
    if name is None:
        raise ModuleFormatError(
            f"Module {handle!r}: the folder {path} has neither saved_model.pb nor "
            f"saved_model.pbtxt. {hint_for_folder(path) or 'Get a complete copy of the module.'}"
        )
    file = os.path.join(path, name)
    data = _read_file(handle, path, name, allow_links)
    try:
        if name == tf.saved_model.SAVED_MODEL_FILENAME_PB:
            saved_model.ParseFromString(data)
        else:
            text_format.Parse(data, saved_model)
            # Text may nest messages deeper than anybody reads them again.
            saved_model.ParseFromString(saved_model.SerializeToString())
    except (DecodeError, text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise ModuleFormatError(
            f"Module {handle!r}: the file {file} is truncated or damaged and cannot be parsed "
            f"({error}). {fresh_copy(handle)}"
        ) from error
    if not saved_model.meta_graphs:
        raise ModuleFormatError(
            f"Module {handle!r}: the file {file} holds no graph.{_IS_EMPTY * (not data)} "
            f"{fresh_copy(handle)}"
        )
    return saved_model
