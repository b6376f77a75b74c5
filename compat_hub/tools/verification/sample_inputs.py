"""Made-up inputs that fit a signature."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.errors import SignatureError
from compat_hub.format import protos
from compat_hub.format.spec import ModuleSpec
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.format.variant import GraphVariant, Signature
from compat_hub.graphdef.names import is_control, node_of, tensor_of

# Of every dimension that the signature leaves open: nothing tells which of them have to be equal.
_OPEN_SIZE = 4
_IMAGE_SIZE = (64, 64)
_WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog")
_MOST_ELEMENTS = 10**8  # of all inputs together
_VOCABULARY_LINES = 1000  # as many of a vocabulary file as are looked at
_GATHERS = {"Gather": 0, "GatherV2": 0, "ResourceGather": 0}
# Ops whose output has their input's values, or some of them.
_KEEPING = frozenset(
    {
        *("Identity", "Reshape", "ExpandDims", "Squeeze", "Cast", "Pack", "ConcatV2", "Unique"),
        *("StridedSlice", "Slice", "Transpose", "Tile", "StopGradient", "Switch", "Enter", "Merge"),
        *("GatherV2", "TensorArrayScatterV3", "Unpack", "Split", "Minimum", "UniqueV2"),
    }
)


def sample_inputs(
    spec: ModuleSpec, variant: GraphVariant, signature: Signature, seed: int = 0
) -> dict[str, Any]:
    """Values for the inputs of a signature that have no default.

    Images are in [0, 1] and have the size that the module expects, strings come from its
    vocabulary, integers stay within the embedding that they look up, other floats are normal.

    Args:
        spec: The module.
        variant: The variant.
        signature: The signature.
        seed: The same seed gives the same values.

    Returns:
        By input name, a numpy array, a `tf.SparseTensor` or a `tf.RaggedTensor`.

    Raises:
        SignatureError: An input is too large to be made up, or of a dtype without values.
    """
    random = np.random.default_rng(seed)
    required = {n: i for n, i in signature.inputs.items() if not variant.has_default(i)}
    makers = {name: _Maker(spec, variant, info, random) for name, info in required.items()}
    total = sum(make.count() for make in makers.values())
    if total > _MOST_ELEMENTS:
        raise SignatureError(
            f"In {variant.where}: no inputs of the signature {signature.name!r} can be made up: "
            f"they have {total:,} elements, more than {_MOST_ELEMENTS:,}. Pass them."
        )
    return {
        name: make.composite() if required[name].is_composite else make.dense()
        for name, make in makers.items()
    }


class _Maker:
    """Makes the value of one input."""

    def __init__(
        self,
        spec: ModuleSpec,
        variant: GraphVariant,
        info: TensorInfo,
        random: np.random.Generator,
    ) -> None:
        self._spec = spec
        self._variant = variant
        self._info = info
        self._random = random
        shape = info.get_shape()
        self._is_image = shape.rank == 4 and info.dtype.is_floating and shape[-1] in (1, 3, 4)

    def count(self) -> int:
        """The elements of the value, or of what a sparse one would be as a dense one."""
        return math.prod(self._shape())

    def dense(self) -> np.ndarray:
        return self._values(self._shape())

    def composite(self) -> Any:
        shape = self._shape()
        if self._info.is_sparse:
            total = int(np.prod(shape))
            chosen = np.sort(self._random.permutation(total)[: max(1, total // 2)])
            indices = np.stack(np.unravel_index(chosen, shape), axis=1).astype(np.int64)
            return tf.SparseTensor(indices, self._values((len(chosen),)), shape)
        spec: Any = self._info.type_spec
        rank = spec.ragged_rank
        splits, rows = [], shape[0]
        for _ in range(rank):
            lengths = self._random.integers(1, 4, size=rows)
            splits.append(np.concatenate([[0], np.cumsum(lengths)]))
            rows = int(lengths.sum())
        values = self._values((rows, *shape[rank + 1 :]))
        result = tf.RaggedTensor.from_nested_row_splits(values, splits)
        return result.with_row_splits_dtype(spec.row_splits_dtype)

    def _shape(self) -> tuple[int, ...]:
        shape = self._info.get_shape()
        if shape.rank is None:
            return (_OPEN_SIZE,)
        open_sizes = [_OPEN_SIZE] * shape.rank
        if self._is_image:
            open_sizes[1:3] = self._image_size()
        sizes: list[int | None] = shape.as_list()
        found = tuple(o if s is None else s for s, o in zip(sizes, open_sizes, strict=True))
        if math.prod(found) > _MOST_ELEMENTS:
            raise SignatureError(
                f"In {self._variant.where}: no input of the shape {list(found)} can be made up: it "
                f"has more than {_MOST_ELEMENTS} elements. Pass one."
            )
        return found

    def _image_size(self) -> tuple[int, int]:
        info = self._spec.get_attached_message(
            "image_module_info", protos.ImageModuleInfo, self._variant.tags
        )
        size = info.default_image_size if info is not None else None
        return (size.height, size.width) if size and size.height and size.width else _IMAGE_SIZE

    def _values(self, shape: tuple[int, ...]) -> np.ndarray:
        dtype = self._info.dtype
        if dtype == tf.string:
            return self._random.choice(self._words(), size=shape).astype(object)
        if dtype == tf.bool:
            return self._random.random(shape) < 0.5
        if dtype.is_integer:
            return self._random.integers(0, self._limit(), size=shape).astype(dtype.as_numpy_dtype)
        if not (dtype.is_floating or dtype.is_complex):
            raise SignatureError(
                f"In {self._variant.where}: no input of the dtype {dtype.name} can be made up."
            )
        values = self._random.random(shape) if self._is_image else self._random.normal(size=shape)
        if dtype.is_complex:
            values = values + 1j * self._random.normal(size=shape)
        return np.asarray(values).astype(dtype.as_numpy_dtype)

    def _words(self) -> list[str]:
        for file in self._variant.assets.values():
            words = list(_words_of(self._spec.asset_path(file)))
            if words:
                return [*words[:50], "compat_hub_unknown_word"]
        return list(_WORDS)

    def _limit(self) -> int:
        """One more than the greatest integer that is safe: 2 if nothing says more."""
        sizes = list(_embedding_sizes(self._variant, self._info.components))
        return max(1, min(sizes)) if sizes else 2


def _words_of(path: str) -> Iterator[str]:
    try:
        with tf.io.gfile.GFile(path, "r") as file:
            for _, line in zip(range(_VOCABULARY_LINES), file, strict=False):
                word = line.rstrip("\n").split("\t")[0]
                if word and word.isprintable():
                    yield word
    except (UnicodeDecodeError, tf.errors.OpError):
        return


def _embedding_sizes(variant: GraphVariant, tensors: tuple[str, ...]) -> Iterator[int]:
    """The sizes of the variables that values of these tensors look rows up in."""
    consumers: dict[str, list[Any]] = {}
    for node in variant.nodes.values():
        for source in node.input:
            if not is_control(source):
                consumers.setdefault(tensor_of(source), []).append(node)
    seen: set[str] = set()
    stack = list(tensors)
    while stack:
        tensor = stack.pop()
        for node in consumers.get(tensor, []):
            data = [tensor_of(source) for source in node.input if not is_control(source)]
            if node.op in _GATHERS and data[1:2] == [tensor]:
                size = _rows(variant, data[0])
                if size is not None:
                    yield size
            elif node.op in _KEEPING and node.name not in seen:
                seen.add(node.name)
                stack.extend(f"{node.name}:{k}" for k in range(2))


def _rows(variant: GraphVariant, tensor: str) -> int | None:
    """The first dimension of the variable behind a tensor."""
    by_node: Mapping[str, Any] = variant.variables_by_node
    for _ in range(20):
        name = node_of(tensor)
        if name in by_node:
            shape = by_node[name].shape
            return shape[0] if shape.rank else None
        node = variant.nodes.get(name)
        if node is None or not node.input or is_control(node.input[0]):
            return None
        tensor = tensor_of(node.input[0])
    return None
