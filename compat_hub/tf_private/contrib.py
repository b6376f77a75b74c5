"""Functions of `tf.contrib` that are left in TensorFlow's own files, with contrib's arguments."""

from __future__ import annotations

from typing import Any

# Seen in TensorFlow 2.16 and 2.21: public are only the tables of TensorFlow 2, which cannot have
# values of the dtypes that these have, or are initialized elsewhere.
from tensorflow.python.framework import smart_cond as conditionals
from tensorflow.python.ops import lookup_ops

smart_cond = conditionals.smart_cond
KeyValueTensorInitializer = lookup_ops.KeyValueTensorInitializer
TextFileIdTableInitializer = lookup_ops.TextFileIdTableInitializer
TextFileInitializer = lookup_ops.TextFileInitializer
TextFileStringTableInitializer = lookup_ops.TextFileStringTableInitializer
index_table_from_file = lookup_ops.index_table_from_file
index_to_string_table_from_file = lookup_ops.index_to_string_table_from_file


def index_table_from_tensor(mapping: Any, *args: Any, **kwargs: Any) -> Any:
    """A table from the strings of a tensor to their places."""
    return lookup_ops.index_table_from_tensor(mapping, *args, **kwargs)


def index_to_string_table_from_tensor(mapping: Any, *args: Any, **kwargs: Any) -> Any:
    """A table from places to the strings of a tensor."""
    return lookup_ops.index_to_string_table_from_tensor(mapping, *args, **kwargs)


class HashTable(lookup_ops.StaticHashTableV1):
    """A table that an initializer fills, in a session."""

    def __init__(
        self, initializer: Any, default_value: Any, shared_name: Any = None, name: Any = None
    ) -> None:
        del shared_name  # each graph has its own tables
        super().__init__(initializer, default_value, name=name)

    @property
    def init(self) -> Any:
        """The op that fills it."""
        return self.initializer


class MutableHashTable(lookup_ops.MutableHashTable):
    """A table that a graph fills."""

    def __init__(
        self,
        key_dtype: Any,
        value_dtype: Any,
        default_value: Any,
        shared_name: Any = None,
        name: str = "MutableHashTable",
        checkpoint: bool = True,
    ) -> None:
        del shared_name
        super().__init__(key_dtype, value_dtype, default_value, name, checkpoint)
