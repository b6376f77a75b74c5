"""The ops that TensorFlow 2 does not have and that others of it can express."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from tensorflow.core.framework.node_def_pb2 import NodeDef

from compat_hub.graphdef.passes.ops_to_functions import substitute
from compat_hub.programs.missing_ops import arrays, crosses, decoding, images, sentencepiece
from compat_hub.programs.missing_ops.functions import Computation, as_library
from compat_hub.tf_private import op_registry

_OF_CONTRIB: Mapping[str, Callable[[Any], Computation]] = {
    "AdjustHsvInYiq": images.adjust_hsv_in_yiq,
    "BipartiteMatch": arrays.bipartite_match,
    "CompareAndBitpack": arrays.compare_and_bitpack,
    "GatherTree": decoding.gather_tree,
    "ImageConnectedComponents": images.image_connected_components,
    "ImageProjectiveTransform": images.image_projective_transform,
    "MaskedMatmul": arrays.masked_matmul,
    **dict.fromkeys(
        ["ReduceSliceMax", "ReduceSliceMin", "ReduceSliceProd", "ReduceSliceSum"],
        arrays.reduce_slices,
    ),
    "Resampler": images.resampler,
    "ResamplerGrad": images.resampler_grad,
    "SkipGramGenerateCandidates": decoding.skip_gram_generate_candidates,
    "SparseFeatureCross": crosses.sparse_feature_cross,
    "SparseFeatureCrossV2": crosses.sparse_feature_cross_v2,
}
_OF_SENTENCEPIECE: Mapping[str, Callable[[Any], Computation]] = {
    "SentencepieceDecode": sentencepiece.decode,
    "SentencepieceEncodeDense": sentencepiece.encode_dense,
    "SentencepieceEncodeSparse": sentencepiece.encode_sparse,
    "SentencepieceGetPieceSize": sentencepiece.get_piece_size,
    "SentencepieceGetPieceType": sentencepiece.get_piece_type,
    "SentencepieceIdToPiece": sentencepiece.id_to_piece,
    "SentencepiecePieceToId": sentencepiece.piece_to_id,
}
_COMPUTATIONS = {**_OF_CONTRIB, **_OF_SENTENCEPIECE}
SENTENCEPIECE_OPS = frozenset(_OF_SENTENCEPIECE)


def can_replace(op: str) -> bool:
    """Whether other ops of this process compute what an op computes."""
    return op in _OF_CONTRIB or (
        op in _OF_SENTENCEPIECE and op_registry.is_registered_op("SentencepieceOp")
    )


def replace_missing_ops(graph_def: Any) -> bool:
    """Makes nodes of missing ops calls of functions in the graph's library, in place.

    Returns:
        Whether there are any.

    Raises:
        ValueError, TypeError: A node's attributes do not fit its op.
    """
    return substitute(graph_def, _function_of)


def _function_of(node: Any) -> Any:
    if not can_replace(node.op) or op_registry.is_registered_op(node.op):
        return None
    bare = NodeDef(op=node.op)
    for name, value in node.attr.items():
        if not name.startswith("_"):
            bare.attr[name].CopyFrom(value)
    return _library(bare.SerializeToString(deterministic=True))


@functools.lru_cache(maxsize=64)
def _library(serialized: bytes) -> Any:
    node = NodeDef.FromString(serialized)
    return as_library(_COMPUTATIONS[node.op](node))
