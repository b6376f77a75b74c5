"""What a signature says of one input or output: its kind, dtype, shape and component tensors."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import tensorflow as tf

from compat_hub.errors import ModuleFormatError
from compat_hub.graphdef.names import tensor_of
from compat_hub.tf_private import saved_models


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """One named input or output of a signature.

    It answers the same questions as tensorflow_hub's `ParsedTensorInfo`.

    Attributes:
        type_spec: `tf.TensorSpec`, `tf.SparseTensorSpec`, `tf.RaggedTensorSpec` or another
            `tf.TypeSpec`.
        components: Names of the graph's tensors that it is made of: one for a dense tensor;
            indices, values and dense_shape for a sparse one; flat values and row splits, outermost
            first, for a ragged one.
    """

    type_spec: Any
    components: tuple[str, ...]

    @functools.cached_property
    def dtype(self) -> tf.DType:
        """The dtype of the values."""
        return self.type_spec.dtype

    def get_shape(self) -> tf.TensorShape:
        """The static shape; of a composite tensor, that of the dense tensor it stands for."""
        return self.type_spec.shape

    @functools.cached_property
    def is_sparse(self) -> bool:
        """Whether it is a `tf.SparseTensor`."""
        return isinstance(self.type_spec, tf.SparseTensorSpec)

    @functools.cached_property
    def is_composite(self) -> bool:
        """Whether it is made of several tensors: true for sparse and ragged tensors."""
        return not isinstance(self.type_spec, tf.TensorSpec)

    def component_specs(self) -> list[tf.TensorSpec]:
        """A `tf.TensorSpec` for each of `components`, in their order."""
        if self.is_sparse:
            rank = self.get_shape().rank
            return [
                tf.TensorSpec([None, rank], tf.int64),
                tf.TensorSpec([None], self.dtype),
                tf.TensorSpec([rank], tf.int64),
            ]
        return tf.nest.flatten(self.type_spec, expand_composites=True)

    def component_labels(self, name: str) -> list[str]:
        """What each of `components` is called where it stands alone, for a value called `name`."""
        if not self.is_composite:
            return [name]
        if self.is_sparse:
            return [f"{name}_indices", f"{name}_values", f"{name}_dense_shape"]
        splits = len(self.components) - 1
        numbers = [""] if splits == 1 else [f"_{k}" for k in range(splits)]
        return [f"{name}_flat_values", *(f"{name}_row_splits{number}" for number in numbers)]

    def named_spec(self, name: str) -> Any:
        """`type_spec`, with that name where it is the spec of a dense tensor."""
        if self.is_composite:
            return self.type_spec
        return tf.TensorSpec(self.get_shape(), self.dtype, name=name)

    def unpack(self, value: Any) -> list[Any]:
        """The component tensors of a value."""
        if self.is_sparse:
            return [value.indices, value.values, value.dense_shape]
        return tf.nest.flatten(value, expand_composites=True) if self.is_composite else [value]

    def pack(self, components: Sequence[Any]) -> Any:
        """The value that the component tensors make.

        Raises:
            ModuleFormatError: They make none: the signature names others than it should.
        """
        if not self.is_composite:
            return components[0]
        try:
            if self.is_sparse:
                return tf.SparseTensor(*components)
            return tf.nest.pack_sequence_as(self.type_spec, components, expand_composites=True)
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise ModuleFormatError(
                f"The tensors {', '.join(self.components)} make no {self}: {error}. The module is "
                "damaged; get a fresh copy of it."
            ) from error

    def __str__(self) -> str:
        """As in an error message: `float32 [None, 4]`, `sparse int64 [None, 10]`."""
        spec = self.type_spec
        if not hasattr(spec, "dtype"):
            return str(spec)
        kind = {tf.TensorSpec: "", tf.SparseTensorSpec: "sparse "}.get(type(spec), "ragged ")
        shape = spec.shape
        dims = "of unknown rank" if shape.rank is None else str(shape.as_list())
        return f"{kind}{spec.dtype.name} {dims}"


def parse(proto: Any) -> TensorInfo:
    """Reads a `tf.compat.v1.TensorInfo` message.

    Raises:
        ModuleFormatError: The encoding is not known to this version, or the shape is none.
    """
    encoding = proto.WhichOneof("encoding")
    if encoding == "name":
        spec = tf.TensorSpec(_read_shape(proto), tf.as_dtype(proto.dtype))
        return TensorInfo(spec, (tensor_of(proto.name),))
    if encoding == "coo_sparse":
        spec = tf.SparseTensorSpec(_read_shape(proto), tf.as_dtype(proto.dtype))
        coo = proto.coo_sparse
        names = (coo.indices_tensor_name, coo.values_tensor_name, coo.dense_shape_tensor_name)
        return TensorInfo(spec, tuple(map(tensor_of, names)))
    if encoding == "composite_tensor":
        try:
            spec = saved_models.decode_type_spec(proto.composite_tensor.type_spec)
        except Exception as error:
            raise ModuleFormatError(
                f"A composite tensor's type cannot be read by TensorFlow {tf.__version__}: {error}"
            ) from error
        info = TensorInfo(spec, tuple(tensor_of(c.name) for c in proto.composite_tensor.components))
        if len(info.components) != len(info.component_specs()):
            raise ModuleFormatError(
                f"A composite tensor of the type {info} has {len(info.component_specs())} "
                f"components, found {len(info.components)}."
            )
        return info
    raise ModuleFormatError(f"A TensorInfo has the unknown encoding {encoding!r}.")


def _read_shape(proto: Any) -> tf.TensorShape:
    sizes = [dim.size for dim in proto.tensor_shape.dim]
    if any(size < -1 for size in sizes):
        raise ModuleFormatError(f"A tensor has the shape {sizes}; -1 is the least that a size is.")
    return tf.TensorShape(proto.tensor_shape)


def parse_map(protos: Mapping[str, Any]) -> Mapping[str, TensorInfo]:
    """Reads a signature's map of inputs or outputs, sorted by name."""
    return MappingProxyType({name: parse(protos[name]) for name in sorted(protos)})
