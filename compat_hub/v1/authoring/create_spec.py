"""Making a ModuleSpec: from a function that builds graphs, or from a SavedModel of TF1."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from compat_hub.common.masking import masked
from compat_hub.errors import InputTypeError, ModuleFormatError, SignatureError
from compat_hub.format.common_signatures import as_kinds, warn_of_problems
from compat_hub.format.spec import ModuleSpec, Tags, normalize_tags, read_saved_model
from compat_hub.format.variant import GraphVariant, format_tags
from compat_hub.graphdef.passes.batch_norm_estimates import leave_out_estimates
from compat_hub.graphdef.passes.inline_functions import CUSTOM_GRADIENT_ATTR
from compat_hub.graphdef.passes.strip_machine import clear_devices, drop_debug_names
from compat_hub.programs.gradients.named import restore_name
from compat_hub.programs.gradients.table import gradient_name
from compat_hub.sources.resolve import resolve
from compat_hub.tf_private import op_registry
from compat_hub.v1.authoring.assets import ASSETS, AssetNames, forget_paths
from compat_hub.v1.authoring.signatures import attachments, signature_defs

_LOGGER = logging.getLogger("compat_hub")
_Keys = tf.compat.v1.GraphKeys
_ATTACHMENTS = "hub_module_attachments"
# What tensorflow_hub 0.12 lets a module have (its native_module.py).
_SUPPORTED_COLLECTIONS = frozenset(
    {
        _Keys.GLOBAL_VARIABLES,
        _Keys.TRAINABLE_VARIABLES,
        _Keys.MODEL_VARIABLES,
        _Keys.TABLE_INITIALIZERS,
        _Keys.UPDATE_OPS,
        _Keys.REGULARIZATION_LOSSES,
        _Keys.ASSET_FILEPATHS,
        _Keys.COND_CONTEXT,
        _Keys.WHILE_CONTEXT,
        _ATTACHMENTS,
    }
)
# What SavedModels for serving have, and modules do not: a module is initialized by the collections
# of variables and tables.
_SERVING_COLLECTIONS = frozenset(
    {
        _Keys.GLOBAL_STEP,
        "legacy_init_op",
        "saved_model_main_op",
        "saved_model_init_op",
        "saved_model_train_op",
    }
)
# What the loops that trained a SavedModel left in it.
_TRAINING_COLLECTIONS = frozenset(
    {
        _Keys.ACTIVATIONS,
        _Keys.EVAL_STEP,
        _Keys.INIT_OP,
        _Keys.LOCAL_INIT_OP,
        _Keys.LOCAL_VARIABLES,
        _Keys.LOSSES,
        _Keys.METRIC_VARIABLES,
        _Keys.MOVING_AVERAGE_VARIABLES,
        _Keys.QUEUE_RUNNERS,
        _Keys.READY_OP,
        _Keys.SAVERS,
        _Keys.SUMMARIES,
        _Keys.SUMMARY_OP,
        _Keys.TRAIN_OP,
        _Keys.WEIGHTS,
        "iterators",
    }
)
_SERVING_SIGNATURES = frozenset({"__saved_model_init_op", "__saved_model_train_op"})


def create_module_spec(
    module_fn: Callable[..., Any],
    tags_and_args: Sequence[tuple[Tags, Mapping[str, Any]]] | None = None,
    drop_collections: Iterable[str] | None = None,
    *,
    common_signature: str | Iterable[str] | None = None,
) -> ModuleSpec:
    """Makes a ModuleSpec from a function that builds the module's graph.

    Examples:
        >>> def module_fn(training):
        ...     x = tf.compat.v1.placeholder(tf.float32, [None, 4])
        ...     w = tf.compat.v1.get_variable("w", [4, 2])
        ...     y = tf.matmul(x, w)
        ...     compat_hub.add_signature(inputs=x, outputs=tf.nn.dropout(y, 0.5) if training else y)
        >>> spec = compat_hub.create_module_spec(
        ...     module_fn, [(set(), {"training": False}), ({"train"}, {"training": True})]
        ... )
        >>> compat_hub.load(spec)(tf.ones([5, 4])).shape
        TensorShape([5, 2])

    Args:
        module_fn: It builds the graph in the current one, which is fresh, and calls
            `add_signature`. Variables are resource variables unless it says
            `use_resource=False`.
        tags_and_args: A list of pairs: the tags of a graph variant, and the keyword arguments that
            make `module_fn` build it. None is `[(set(), {})]`.
        drop_collections: Names of collections to leave out.
        common_signature: The kind of the module, or several: keys of
            `compat_hub.common_signatures.COMMON_SIGNATURES`, as `"image_feature_vector"`. If the
            module does not implement their common signatures, a `CommonSignatureWarning` says
            what is missing.

    Returns:
        A `ModuleSpec` without a checkpoint: variables have the values of their initializers.

    Raises:
        ModuleFormatError: Tags are used twice, or a graph holds what a module cannot have.
        SignatureError: A graph has no signature, or one with an output that depends on a
            placeholder besides its inputs.
        UnknownNameError: There is no such kind.
    """
    kinds = as_kinds(common_signature or ())
    pairs = [_as_pair(pair) for pair in tags_and_args or [(set(), {})]]
    seen: set[frozenset[str]] = set()
    for tags, _ in pairs:
        if tags in seen:
            raise ModuleFormatError(
                f"The tags {format_tags(tags)} are used twice in `tags_and_args`. "
                "Each graph variant needs tags of its own."
            )
        seen.add(tags)
    saved_model = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    assets = AssetNames()
    for tags, args in pairs:
        meta_graph = _build_variant(module_fn, tags, args, _as_names(drop_collections))
        assets.make_portable(meta_graph)
        saved_model.meta_graphs.append(meta_graph)
    name = getattr(module_fn, "__name__", "a function")
    # The program itself made the graph.
    spec = ModuleSpec(f"made from {name}", None, saved_model, assets.files, allow_host_access=True)
    warn_of_problems(spec, kinds, stacklevel=2)
    return spec


def create_module_spec_from_saved_model(
    saved_model_path: str | os.PathLike[str],
    drop_collections: Iterable[str] | None = None,
    *,
    allow_host_access: bool = False,
    allow_links: bool = False,
) -> ModuleSpec:
    """Makes a ModuleSpec from a SavedModel of TF1, with the values of its variables.

    The SavedModel's own initialization op and saver are not used: what initializes a module are its
    variables' initializers and its table initializers. Collections that only its training used,
    as of summaries, losses and queues, are left out.

    Examples:
        >>> import tensorflow.compat.v1 as tf1
        >>> with tf1.Graph().as_default(), tf1.Session() as session:
        ...     x = tf1.placeholder(tf.float32, [None, 4])
        ...     y = tf.matmul(x, tf1.get_variable("w", [4, 2]))
        ...     session.run(tf1.global_variables_initializer())
        ...     tf1.saved_model.simple_save(session, "path/to/old_model", {"x": x}, {"y": y})
        >>> spec = compat_hub.create_module_spec_from_saved_model("path/to/old_model")
        >>> spec.get_tags()
        [frozenset({'serve'})]
        >>> module = compat_hub.load(spec, tags={"serve"})
        >>> module.signatures["serving_default"](x=tf.ones([5, 4]))["y"].shape
        TensorShape([5, 2])

    Args:
        saved_model_path: Its folder.
        drop_collections: Names of further collections to leave out.
        allow_host_access: As for `load_module_spec`.
        allow_links: As for `load_module_spec`.

    Returns:
        The `ModuleSpec`.

    Raises:
        ResolveError: There is no such folder.
        ModuleFormatError: It is damaged or of TF2, or has collections that a module cannot have.
    """
    path = resolve(saved_model_path, allow_links=allow_links)
    handle = os.fspath(saved_model_path)
    saved_model = read_saved_model(handle, path, allow_links)
    dropped = _SERVING_COLLECTIONS | _as_names(drop_collections)
    left_out = _TRAINING_COLLECTIONS.intersection(
        *[graph.collection_def.keys() for graph in saved_model.meta_graphs[:1]]
    )
    if left_out:
        _LOGGER.info(
            "%s: a module has no place for the collections %s of the loop that trained it. They "
            "are left out.",
            masked(handle),
            ", ".join(sorted(left_out)),
        )
    dropped |= _TRAINING_COLLECTIONS
    for meta_graph in saved_model.meta_graphs:
        if meta_graph.HasField("object_graph_def"):
            raise ModuleFormatError(
                f"{handle!r} is a SavedModel of TF2, whose variables are in no collection. "
                "Load it with compat_hub.load() or tf.saved_model.load()."
            )
        for key in dropped & meta_graph.collection_def.keys():
            del meta_graph.collection_def[key]
        for name in _SERVING_SIGNATURES & meta_graph.signature_def.keys():
            del meta_graph.signature_def[name]
        tags = frozenset(meta_graph.meta_info_def.tags)
        _check_collections(meta_graph, tags, _SUPPORTED_COLLECTIONS | {ASSETS})
        clear_devices(meta_graph.graph_def)
        forget_paths(meta_graph, GraphVariant(meta_graph, handle).assets)
    spec = ModuleSpec(
        handle,
        path,
        saved_model,
        allow_host_access=allow_host_access,
        allow_links=allow_links,
    )
    spec.check_files()
    return spec


def _as_pair(pair: Any) -> tuple[frozenset[str], dict[str, Any]]:
    try:
        tags, args = pair
        arguments = dict(args)
    except (TypeError, ValueError) as error:
        raise InputTypeError(
            "`tags_and_args` is a list of pairs, the tags and a dict of keyword arguments, "
            f"found {pair!r} in it."
        ) from error
    return normalize_tags(tags), arguments


def _as_names(collections: Iterable[str] | None) -> frozenset[str]:
    return frozenset([collections] if isinstance(collections, str) else collections or ())


def _build_variant(
    module_fn: Callable[..., Any],
    tags: frozenset[str],
    args: dict[str, Any],
    dropped: frozenset[str],
) -> Any:
    with tf.Graph().as_default() as graph:
        with tf.compat.v1.variable_scope("", use_resource=True):
            module_fn(**args)
        for key in dropped:
            del graph.get_collection_ref(key)[:]
        _check_state_colocation(graph, tags)
        signatures = signature_defs(graph)
        if not signatures:
            raise SignatureError(
                f"The graph for the tags {format_tags(tags)} has no signature. "
                "Call compat_hub.add_signature() in the module_fn."
            )
        meta_graph = tf.compat.v1.train.export_meta_graph(strip_default_attrs=True)
    clear_devices(meta_graph.graph_def)
    drop_debug_names(meta_graph.graph_def)
    _forget_gradient_names(meta_graph.graph_def)
    leave_out_estimates(meta_graph.graph_def)
    meta_graph.meta_info_def.tags.extend(sorted(tags))
    for name, signature in signatures.items():
        meta_graph.signature_def[name].CopyFrom(signature)
    for attachment in attachments(graph):
        values = meta_graph.collection_def[_ATTACHMENTS].bytes_list.value
        values.append(attachment.SerializeToString())
    for key in [key for key, value in meta_graph.collection_def.items() if not value.ByteSize()]:
        del meta_graph.collection_def[key]
    _check_collections(meta_graph, tags, _SUPPORTED_COLLECTIONS)
    return meta_graph


def _forget_gradient_names(graph_def: Any) -> None:
    """Gives ops of a module within this one their own gradients again, in place.

    While a program trains it, some have gradients of this library, which no other reader knows.
    """
    functions = graph_def.library.function
    for node in itertools.chain(graph_def.node, *(f.node_def for f in functions)):
        restore_name(node)
        has_name = CUSTOM_GRADIENT_ATTR in node.attr
        if has_name and node.attr[CUSTOM_GRADIENT_ATTR].s == gradient_name(node.op).encode():
            del node.attr[CUSTOM_GRADIENT_ATTR]


def _check_collections(meta_graph: Any, tags: frozenset[str], supported: frozenset[str]) -> None:
    unsupported = sorted(meta_graph.collection_def.keys() - supported)
    if unsupported:
        raise ModuleFormatError(
            f"The graph for the tags {format_tags(tags)} has collections that a module cannot "
            f"have: {', '.join(unsupported)}. If the module can do without, leave them out with "
            f"drop_collections={unsupported!r}."
        )


def _check_state_colocation(graph: tf.Graph, tags: frozenset[str]) -> None:
    """Raises if state would have to be where a node is that is made anew for each application."""
    state = {op.name: op for op in graph.get_operations() if op_registry.is_state_op(op.type)}
    for op in state.values():
        for group in op.colocation_groups():
            other = group.decode().removeprefix("loc:@")
            if other not in state:
                raise ModuleFormatError(
                    f"In the graph for the tags {format_tags(tags)}: the node {op.name!r} of type "
                    f"{op.type!r} holds state and is colocated with {other!r}, which holds none. "
                    "A module has its state once, and other nodes for each application: state may "
                    "be colocated with state only."
                )
