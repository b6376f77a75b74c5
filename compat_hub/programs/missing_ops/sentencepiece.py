"""Ops of tf_sentencepiece, as those of tensorflow_text.

Both work on models of the library sentencepiece. The ops that are gone have the model in an
attribute of each node, those of today in a resource.
"""

from __future__ import annotations

import hashlib
from typing import Any

import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from compat_hub.programs.missing_ops.functions import Computation, dtype_of, spec
from compat_hub.tf_private import op_registry

# What the attribute piece_type says, by what the model says of a piece.
_PIECE_TYPES = {0: 2, 1: 3, 2: 5}
_NORMAL = 1


def encode_sparse(node: Any) -> Computation:
    """The pieces of sentences as a sparse tensor."""

    def compute(sentences: Any, nbest_size: Any, alpha: Any) -> Any:
        pieces = _tokenize(node, sentences, nbest_size, alpha).to_sparse()
        return [pieces.indices, pieces.values, pieces.dense_shape]

    return Computation(_ENCODED, ["indices", "values", "dense_shape"], compute)


def encode_dense(node: Any) -> Computation:
    """The pieces of sentences as a tensor, filled up with zeros or empty strings."""

    def compute(sentences: Any, nbest_size: Any, alpha: Any) -> Any:
        pieces = _tokenize(node, sentences, nbest_size, alpha)
        return [pieces.to_tensor(), tf.cast(pieces.row_lengths(), tf.int32)]

    return Computation(_ENCODED, ["values", "sequence_length"], compute)


_ENCODED = [spec(1, tf.string), spec(None, tf.int32), spec(None, tf.float32)]


def decode(node: Any) -> Computation:
    """The sentences that pieces come from."""
    dtype = dtype_of(node)

    def compute(pieces: Any, lengths: Any) -> Any:
        rows = tf.RaggedTensor.from_tensor(pieces, tf.cast(lengths, tf.int64))
        flags = [False, False, node.attr["reverse"].b]
        inputs = [_model(node), rows.flat_values, rows.row_splits, *flags]
        return op_registry.apply_op("SentencepieceDetokenizeOp", inputs, {})

    return Computation([spec(2, dtype), spec(1, tf.int32)], ["values"], compute)


def get_piece_size(node: Any) -> Computation:
    """How many pieces there are."""
    return Computation(
        [],
        ["vocab_size"],
        lambda: op_registry.apply_op("SentencepieceVocabSizeOp", [_model(node)], {}),
    )


def id_to_piece(node: Any) -> Computation:
    """The pieces with some numbers."""

    def compute(ids: Any) -> Any:
        return _each(node, "SentencepieceIdToStringOp", ids)

    return Computation([spec(None, tf.int32)], ["values"], compute)


def piece_to_id(node: Any) -> Computation:
    """The numbers of pieces."""

    def compute(pieces: Any) -> Any:
        return _each(node, "SentencepieceStringToIdOp", pieces)

    return Computation([spec(None, tf.string)], ["values"], compute)


def get_piece_type(node: Any) -> Computation:
    """Whether pieces are of one type: unknown, control, or unused."""
    wanted = _PIECE_TYPES[node.attr["piece_type"].i]
    found = [piece.type == wanted for piece in _MODEL.FromString(_model_proto(node)).pieces]
    return Computation(
        [spec(None, tf.int32)], ["values"], lambda ids: [tf.gather(tf.constant(found), ids)]
    )


def _each(node: Any, op: str, values: Any) -> list[tf.Tensor]:
    """What an op of today makes of a vector, for a tensor of any shape."""
    flat = op_registry.apply_op(op, [_model(node), tf.reshape(values, [-1])], {})[0]
    return [tf.reshape(flat, tf.shape(values))]


def _tokenize(node: Any, sentences: Any, nbest_size: Any, alpha: tf.Tensor) -> Any:
    """The op of today adds the marks of begin and end before it reverses; this one did after."""
    attrs = {"out_type": dtype_of(node, "out_type", tf.int32), "Tsplits": tf.int64}
    model = _model(node)

    def pieces(texts: Any, options: list[Any], begin: bool, end: bool, reverse: bool) -> Any:
        values, splits = op_registry.apply_op(
            "SentencepieceTokenizeOp", [model, texts, *options, begin, end, reverse], attrs
        )
        return tf.RaggedTensor.from_row_splits(values, splits, validate=False)

    begin, end, reverse = (node.attr[name].b for name in ("add_bos", "add_eos", "reverse"))
    options = [nbest_size, alpha]
    if not reverse:
        return pieces(sentences, options, begin, end, False)
    found = pieces(sentences, options, False, False, True)
    nothing = tf.zeros_like(sentences)
    before = [pieces(nothing, [0, 1.0], True, False, False)] if begin else []
    after = [pieces(nothing, [0, 1.0], False, True, False)] if end else []
    return tf.concat([*before, found, *after], 1)


def _model(node: Any) -> Any:
    """The model as a resource, one for all nodes of this process that have the same."""
    model = _model_proto(node)
    name = f"sentencepiece_{hashlib.sha256(model).hexdigest()}"
    return op_registry.apply_op("SentencepieceOp", [], {"model": model, "shared_name": name})[0]


def _model_proto(node: Any) -> bytes:
    if not node.attr["model_proto"].s:
        raise ValueError(
            f"the node {node.name!r} of type {node.op!r} names a file of the machine that made the "
            f"module, {node.attr['model_file'].s!r}, and the module does not have it"
        )
    return node.attr["model_proto"].s


def _model_class() -> Any:
    """What is needed of the message sentencepiece.ModelProto."""
    file = descriptor_pb2.FileDescriptorProto(name="sentencepiece_model.proto", package="compat")
    fields = descriptor_pb2.FieldDescriptorProto
    piece = file.message_type.add(name="Piece").field.add(name="type", number=3)
    piece.type, piece.label = fields.TYPE_INT32, fields.LABEL_OPTIONAL
    piece.default_value = str(_NORMAL)
    pieces = file.message_type.add(name="Model").field.add(name="pieces", number=1)
    pieces.type, pieces.label = fields.TYPE_MESSAGE, fields.LABEL_REPEATED
    pieces.type_name = ".compat.Piece"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("compat.Model"))


_MODEL = _model_class()
