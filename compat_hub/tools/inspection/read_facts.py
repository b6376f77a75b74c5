"""From a module directory, or a `ModuleSpec`, to what an inspection finds in it."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterable, Sequence, Set

import numpy as np
import tensorflow as tf

from compat_hub.errors import CheckpointError, HubError, ModuleFormatError
from compat_hub.format import common_signatures, protos
from compat_hub.format.checkpoints.index import find_problem
from compat_hub.format.checkpoints.read import lacking_variables
from compat_hub.format.host_access import find_host_access
from compat_hub.format.spec import (
    ModuleSpec,
    check_plain,
    is_module_directory,
    read_module_spec,
    read_saved_model,
)
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.format.variant import GraphVariant, Signature, VariableInfo, format_tags
from compat_hub.graphdef.analysis.op_counts import (
    count_control_flow,
    count_frozen_batch_norms,
    count_lost_gradients,
    count_ops,
    nodes_in,
)
from compat_hub.graphdef.names import node_of
from compat_hub.programs.gaps import (
    Gap,
    check_complete,
    check_usable,
    explain_gap,
    gap_of_signature,
)
from compat_hub.programs.known_ops import unknown_ops
from compat_hub.sources import files
from compat_hub.sources.fresh_copy import fresh_copy
from compat_hub.sources.resolve import resolve
from compat_hub.tf_private import op_registry
from compat_hub.tools.inspection.dry_run import Trial, try_signatures
from compat_hub.tools.inspection.facts import (
    AssetFacts,
    AttachmentFacts,
    ControlFlow,
    HostAccess,
    ModuleFacts,
    SignatureFacts,
    SizeOnDisk,
    TableFacts,
    TensorFacts,
    UnknownOp,
    VariableFacts,
    VariantFacts,
)

TF1_HUB = "TF1 Hub format"
TF1_SAVED_MODEL = "TF1 SavedModel"
TF2_SAVED_MODEL = "TF2 SavedModel"

_IMAGE_MODULE_INFO = "image_module_info"
_SHOWN_DEFAULT = 8  # values


def read_facts(
    handle: str | os.PathLike[str] | ModuleSpec, allow_links: bool = False
) -> tuple[ModuleSpec, ModuleFacts]:
    """Reads what is in a module, in any of the formats that `compat_hub.load` takes.

    No variable's value is read, and nothing of the graph runs.

    Returns:
        The description of the module, and the facts.

    Raises:
        ResolveError: The handle leads to no folder.
        ModuleFormatError: The folder holds no SavedModel, or a damaged one.
        UnsafeModuleError: A file is behind a link that leads out of the folder.
    """
    if isinstance(handle, ModuleSpec):
        return handle, _facts(handle.allowing(links=allow_links), TF1_HUB)
    path = resolve(handle, allow_links=allow_links)
    name = os.fspath(handle)
    if is_module_directory(path):
        spec = read_module_spec(name, path, allow_links=allow_links)
        return spec, _facts(spec, TF1_HUB)
    saved_model = read_saved_model(name, path, allow_links)
    is_tf2 = any(graph.HasField("object_graph_def") for graph in saved_model.meta_graphs)
    for meta_graph in saved_model.meta_graphs:
        for own in [s for s in meta_graph.signature_def if s.startswith("__saved_model")]:
            del meta_graph.signature_def[own]  # of tf.saved_model.load, and no function to call
    spec = ModuleSpec(name, path, saved_model, allow_links=allow_links)
    spec.check_files()
    facts = _facts(spec, TF2_SAVED_MODEL if is_tf2 else TF1_SAVED_MODEL)
    try:
        check_plain(name, path, allow_links)
    except ModuleFormatError as error:  # a module without its tfhub_module.pb, say
        facts = dataclasses.replace(facts, problems=(str(error),))
    return spec, facts


def _facts(spec: ModuleSpec, kind: str) -> ModuleFacts:
    is_module = kind == TF1_HUB
    objects = _variables_of_objects(spec) if kind == TF2_SAVED_MODEL else []
    missing, damage = _checkpoint(spec) if is_module else (frozenset[str](), None)
    assets = tuple(
        AssetFacts(name, tf.io.gfile.stat(path).length if tf.io.gfile.exists(path) else None)
        for name, path in sorted(spec.asset_files.items())
    )
    return ModuleFacts(
        handle=spec.handle,
        path=spec.path,
        format=kind,
        tensorflow=tf.__version__,
        size=None if spec.path is None else _size_on_disk(spec.path),
        variants=tuple(_variant(spec, v, is_module, missing) for v in spec.variants.values()),
        variables=tuple(objects or _variables(spec)),
        assets=assets,
        problems=tuple(_problems(spec, assets, missing, damage)) if is_module else (),
    )


def _size_on_disk(path: str) -> SizeOnDisk:
    sizes: dict[str, int] = dict.fromkeys(("graph", "variables", "assets", ""), 0)
    parts = {
        tf.saved_model.SAVED_MODEL_FILENAME_PB: "graph",
        tf.saved_model.SAVED_MODEL_FILENAME_PBTXT: "graph",
        tf.saved_model.VARIABLES_DIRECTORY: "variables",
        tf.saved_model.ASSETS_DIRECTORY: "assets",
    }
    for name, size in files.walk(path):
        sizes[parts.get(name.partition("/")[0], "")] += size
    return SizeOnDisk(
        total=sum(sizes.values()),
        graph=sizes["graph"],
        variables=sizes["variables"],
        assets=sizes["assets"],
    )


def _variant(
    spec: ModuleSpec, variant: GraphVariant, is_module: bool, missing: Set[str]
) -> VariantFacts:
    graph_def = variant.meta_graph.graph_def
    used = nodes_in(graph_def, variant.needed_without_initializers())
    unknown = unknown_ops(variant)
    has_checkpoint = spec.checkpoint_prefix is not None
    host_access = find_host_access(variant, has_checkpoint) if is_module else []
    loops, conditionals, arrays = count_control_flow(used)
    signatures = variant.signatures.items()
    gaps = {n: gap_of_signature(variant, s, missing) for n, s in signatures} if is_module else {}
    training_gaps = {
        n: gap_of_signature(variant, s, missing, training=True)
        for n, s in signatures
        if gaps.get(n) is None and is_module
    }
    tried = [n for n in gaps if not any(g and g.ops for g in (gaps[n], training_gaps.get(n)))]
    trials = try_signatures(variant, tried, may_import=not host_access)
    return VariantFacts(
        tags=tuple(sorted(variant.tags)),
        producer=variant.meta_graph.meta_info_def.tensorflow_version,
        nodes=len(graph_def.node),
        functions=len(graph_def.library.function),
        variables=len(variant.variables),
        signatures=tuple(
            _signature(
                spec,
                variant,
                signature,
                trials.get(signature.name, Trial(is_tried=False)),
                gaps.get(signature.name),
                training_gaps.get(signature.name),
            )
            for signature in variant.signatures.values()
        ),
        regularization_losses=variant.regularization_losses,
        update_ops=variant.update_ops,
        tables=tuple(_tables(variant)),
        attachments=tuple(_attachment(k, v) for k, v in sorted(variant.attachments.items())),
        control_flow=ControlFlow(loops, conditionals, arrays),
        frozen_batch_norms=count_frozen_batch_norms(used),
        lost_gradients=count_lost_gradients(
            [node for node in used if node.op not in variant.function_names]
        ),
        missing=tuple(v.name for v in variant.variables if v.name in missing),
        unknown_ops=tuple(UnknownOp(op, place) for op, place in sorted(unknown.items())),
        host_access=tuple(HostAccess(*found) for found in host_access),
        ops=count_ops(graph_def),
    )


def _signature(
    spec: ModuleSpec,
    variant: GraphVariant,
    signature: Signature,
    trial: Trial,
    gap: Gap | None,
    training_gap: Gap | None,
) -> SignatureFacts:
    try:
        matches = common_signatures.matching(spec, signature.name, variant.tags)
    except HubError:  # what is attached cannot be read, which is told with the attachments
        matches = []
    docs: dict[str, str] = {}
    for common in matches:
        for tensor in common.inputs:
            docs.update(
                {name: tensor.docs for name in signature.inputs if tensor.name in {None, name}}
            )
        for tensor in common.outputs:
            docs[f"out/{tensor.name}"] = tensor.docs
    if len(matches) > 1:  # nothing tells which
        docs = {}
    return SignatureFacts(
        name=signature.name,
        inputs=tuple(
            _tensor(name, info, docs.get(name), _default(variant, info))
            for name, info in signature.inputs.items()
        ),
        outputs=tuple(
            _tensor(name, info, docs.get(f"out/{name}")) for name, info in signature.outputs.items()
        ),
        common_signatures=tuple(common.kind for common in matches),
        is_tried=trial.is_tried,
        gap=None if gap is None else explain_gap(gap).rstrip("."),
        training_gap=None if training_gap is None else explain_gap(training_gap).rstrip("."),
        problem=trial.problem,
        no_gradient=trial.no_gradient,
        refused=tuple(trial.refused.items()),
        trains=trial.trains,
        inputs_with_gradient=trial.inputs,
        update_ops=trial.update_ops,
    )


def _tensor(
    name: str, info: TensorInfo, docs: str | None, default: str | None = None
) -> TensorFacts:
    spec = info.type_spec
    if not hasattr(spec, "dtype"):
        return TensorFacts(name, "other", type(spec).__name__, None, default, docs)
    kind = {tf.TensorSpec: "dense", tf.SparseTensorSpec: "sparse"}.get(type(spec), "ragged")
    shape = info.get_shape()
    sizes = None if shape.rank is None else tuple(shape.as_list())
    return TensorFacts(name, kind, info.dtype.name, sizes, default, docs)


def _default(variant: GraphVariant, info: TensorInfo) -> str | None:
    if not variant.has_default(info):
        return None
    source = node_of(variant.nodes[node_of(info.components[0])].input[0])
    node = variant.nodes.get(source)
    if info.is_composite or node is None or node.op != "Const":
        return "..."
    value = node.attr["value"].tensor
    # A tensor of a huge shape may be written as the one value that all of it has.
    if math.prod(dim.size for dim in value.tensor_shape.dim) > _SHOWN_DEFAULT:
        return "..."
    try:
        array = tf.make_ndarray(value)
    except (TypeError, ValueError):
        return "..."
    if array.dtype.kind in "OS":
        texts = [item.decode(errors="replace") for item in array.ravel().tolist()]
        return repr(texts if array.shape else texts[0])
    return np.array2string(array, separator=", ", threshold=_SHOWN_DEFAULT)


def _tables(variant: GraphVariant) -> Iterable[TableFacts]:
    for name, node in variant.nodes.items():
        if op_registry.makes_resource(node.op):
            dtypes = [
                tf.as_dtype(node.attr[a].type).name if a in node.attr else None
                for a in ("key_dtype", "value_dtype")
            ]
            yield TableFacts(name, node.op, *dtypes)


def _attachment(key: str, value: bytes) -> AttachmentFacts:
    size = None
    if key == _IMAGE_MODULE_INFO:
        info = protos.ImageModuleInfo()
        try:
            info.ParseFromString(value)
        except Exception:  # what protobuf raises differs between its versions
            return AttachmentFacts(key, len(value), None)
        found = info.default_image_size
        size = (found.height, found.width) if found.height and found.width else None
    return AttachmentFacts(key, len(value), size)


def _variables(spec: ModuleSpec) -> Iterable[VariableFacts]:
    found: dict[str, list[tuple[GraphVariant, VariableInfo]]] = {}
    for variant in spec.variants.values():
        for info in variant.variables:
            found.setdefault(info.name, []).append((variant, info))
    stored = _stored_shapes(spec) if found else {}
    for name, uses in found.items():
        info = uses[0][1]
        shape = info.shape if info.shape.is_fully_defined() else None
        if shape is None and info.key in stored:
            shape = tf.TensorShape(stored[info.key])
        yield _variable(
            name,
            info.key,
            info.dtype,
            shape,
            any(i.trainable for _, i in uses),
            [tuple(sorted(v.tags)) for v, _ in uses],
        )


def _variable(
    name: str,
    key: str,
    dtype: tf.DType,
    shape: tf.TensorShape | None,
    trainable: bool,
    variants: Sequence[tuple[str, ...]],
) -> VariableFacts:
    sizes = None if shape is None else tuple(int(n) for n in shape.as_list() if n is not None)
    parameters = None if sizes is None else math.prod(sizes)
    counts = parameters is not None and dtype != tf.string
    return VariableFacts(
        name=name,
        key=key,
        dtype=dtype.name,
        shape=sizes,
        parameters=parameters,
        bytes=parameters * dtype.size if counts and parameters is not None else None,
        trainable=trainable,
        variants=tuple(variants),
    )


def _variables_of_objects(spec: ModuleSpec) -> list[VariableFacts]:
    """The variables among the objects of a SavedModel of TensorFlow 2."""
    found: dict[str, VariableFacts] = {}
    for variant in spec.variants.values():
        for k, node in enumerate(variant.meta_graph.object_graph_def.nodes):
            if node.WhichOneof("kind") == "variable":
                shape = tf.TensorShape(node.variable.shape)
                name = node.variable.name or f"variable_{k}"
                found.setdefault(
                    name,
                    _variable(
                        name,
                        name,
                        tf.as_dtype(node.variable.dtype),
                        shape if shape.is_fully_defined() else None,
                        node.variable.trainable,
                        [tuple(sorted(variant.tags))],
                    ),
                )
    return list(found.values())


def _stored_shapes(spec: ModuleSpec) -> dict[str, list[int]]:
    prefix = spec.checkpoint_prefix
    if prefix is None or find_problem(prefix):
        return {}
    try:
        return tf.compat.v1.train.NewCheckpointReader(prefix).get_variable_to_shape_map()
    except (tf.errors.OpError, IndexError, RuntimeError, TypeError, ValueError):
        return {}  # `_problems` says so


def _checkpoint(spec: ModuleSpec) -> tuple[Set[str], str | None]:
    """The names of the variables that the checkpoint does not have, and why it cannot be read."""
    try:
        return lacking_variables(spec), None
    except CheckpointError as error:
        return frozenset(), str(error)


def _problems(
    spec: ModuleSpec, assets: Iterable[AssetFacts], missing: Set[str], damage: str | None
) -> Iterable[str]:
    for asset in assets:
        if asset.bytes is None:
            yield f"the asset file {asset.name!r} is missing. {fresh_copy(spec.handle)}"
            continue
        try:
            spec.asset_path(asset.name)
        except HubError as error:
            yield str(error)
    known: dict[str, VariableInfo] = {}
    for variant in spec.variants.values():
        for info in variant.variables:
            other = known.setdefault(info.name, info)
            same = (other.dtype, other.slice) == (info.dtype, info.slice)
            if not same or not other.shape.is_compatible_with(info.shape):
                yield (
                    f"the variable {info.name!r} differs between the variants, and cannot have one "
                    f"value. load(handle, tags=...) takes one variant: {_listed(spec)}."
                )
    if damage is not None:
        yield damage
        return
    try:
        check_complete(spec.variants.values(), spec.variants.values(), missing)
        check_usable(spec.variants.values(), missing)
    except HubError as error:
        yield str(error)


def _listed(spec: ModuleSpec) -> str:
    return ", ".join(map(format_tags, spec.variants))
