"""Changes of one field of a protocol message, found at random."""

from __future__ import annotations

import random
import re
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from tensorflow.core.framework import attr_value_pb2, node_def_pb2, variable_pb2

_BITS = {
    FieldDescriptor.CPPTYPE_INT32: (32, True),
    FieldDescriptor.CPPTYPE_INT64: (64, True),
    FieldDescriptor.CPPTYPE_UINT32: (32, False),
    FieldDescriptor.CPPTYPE_UINT64: (64, False),
    FieldDescriptor.CPPTYPE_ENUM: (32, True),
}
_FLOATS = (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE)
_EXTREMES = (
    0,
    -1,
    1,
    2,
    3,
    4,
    7,
    20,
    101,
    255,
    2**16,
    2**20,
    2**31,
    2**40,
    2**61,
    2**63,
    -2,
    -(2**31),
)
_OPS = (
    *("Identity", "MatMul", "Add", "Cast", "Reshape", "GatherV2", "Switch", "Merge", "Enter"),
    *("Exit", "NextIteration", "VarHandleOp", "ReadVariableOp", "Placeholder", "NoOp", "Const"),
    *("ReadFile", "PyFunc", "Assert", "Fill", "Range", "TensorListReserve", "While", "If"),
    *("PartitionedCall", "StatefulPartitionedCall", "SymbolicGradient", "HashTableV2", "Conv2D"),
    *("TensorArrayV3", "StackV2", "Abort", "VariableV2", "AssignVariableOp", "NoSuchOp", "_Retval"),
)


def mutate(message: Any, chance: random.Random, names: list[str]) -> str:  # noqa: PLR0911, PLR0912
    """Changes one field of a message, or of one within it, in place; says which.

    Args:
        message: The message.
        chance: What decides.
        names: Strings of the kind that the message has: names of nodes.
    """
    path = []
    while True:
        if isinstance(message, node_def_pb2.NodeDef) and chance.random() < 0.2:
            return f"{'.'.join(path)}.op = {_set(message, 'op', chance.choice(_OPS))}"
        fields = [f for f, _ in message.ListFields()]
        if not fields or chance.random() < 0.05:
            fields = list(message.DESCRIPTOR.fields)
        if not fields:
            return f"{'.'.join(path)} is empty"
        field = chance.choice(_weighted(fields))
        path.append(field.name)
        value = getattr(message, field.name)
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        many = field.is_repeated
        if is_map:
            if field.message_type.fields_by_name["key"].cpp_type != FieldDescriptor.CPPTYPE_STRING:
                return f"{'.'.join(path)} stays"
            key = _choose_key(value, chance, names)
            if key is None:
                return f"{'.'.join(path)} is empty"
            path.append(f"[{key!r}]")
            if field.message_type.fields_by_name["value"].message_type is None:
                _change_map(value, key, chance)
                return ".".join(path)
            if value and chance.random() < 0.15:
                key = key if key in value else min(value)
                other = chance.choice(sorted(value))
                if chance.random() < 0.5:
                    del value[key]
                else:
                    value[key].CopyFrom(value[other])
                return f"{'.'.join(path)} removed, or as {other!r}"
            message = value[key]
        elif field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            if many:
                if not value or chance.random() < 0.12:
                    return f"{'.'.join(path)} {_change_list_of_messages(value, chance)}"
                k = chance.randrange(len(value))
                path.append(f"[{k}]")
                message = value[k]
            else:
                if chance.random() < 0.07:
                    message.ClearField(field.name)
                    return f"{'.'.join(path)} cleared"
                value.SetInParent()
                message = value
        elif many:
            return f"{'.'.join(path)} {_change_list(value, field, chance, names)}"
        else:
            changed = _changed(value, field, chance, names)
            return f"{'.'.join(path)} = {_set(message, field.name, changed)!r:.80}"


def _weighted(fields: list[Any]) -> list[Any]:
    """The fields, those where most is many times."""
    weights = {"graph_def": 12, "node": 6, "attr": 3, "signature_def": 3, "collection_def": 3}
    return [f for f in fields for _ in range(weights.get(f.name, 1))]


def _set(message: Any, name: str, value: Any) -> Any:
    try:
        setattr(message, name, value)
    except (TypeError, ValueError):  # a closed enum, or no UTF-8
        message.ClearField(name)
    return value


def _choose_key(value: Any, chance: random.Random, names: list[str]) -> str | None:
    if value and chance.random() < 0.95:
        return chance.choice(sorted(value))
    return (
        chance.choice([*names, "shape", "T", "dtype"]) if hasattr(value, "get_or_create") else None
    )


def _change_map(value: Any, key: Any, chance: random.Random) -> None:
    try:
        value[key] = value[chance.choice(sorted(value))]
        if chance.random() < 0.5:
            del value[key]
    except (KeyError, TypeError):
        return


def _change_list_of_messages(value: Any, chance: random.Random) -> str:
    if not value:
        value.add()
        return "has one more"
    k, other = chance.randrange(len(value)), chance.randrange(len(value))
    how = chance.choice(["removed", "twice", "as another", "swapped"])
    if how == "removed":
        del value[k]
    elif how == "twice":
        value.add().CopyFrom(value[k])
    elif how == "as another":
        copy = type(value[k])()
        copy.CopyFrom(value[other])
        value[k].CopyFrom(copy)
    else:
        copies = [type(v)() for v in (value[k], value[other])]
        copies[0].CopyFrom(value[k])
        copies[1].CopyFrom(value[other])
        value[k].CopyFrom(copies[1])
        value[other].CopyFrom(copies[0])
    return f"[{k}] {how} ([{other}])"


def _change_list(value: Any, field: Any, chance: random.Random, names: list[str]) -> str:
    values = list(value)
    if not values or chance.random() < 0.15:
        values.insert(chance.randint(0, len(values)), _changed(_zero(field), field, chance, names))
    else:
        k = chance.randrange(len(values))
        how = chance.random()
        if how < 0.2:
            del values[k]
        elif how < 0.3:
            values.append(values[k])
        elif how < 0.4:
            chance.shuffle(values)
        else:
            values[k] = _changed(values[k], field, chance, names)
    del value[:]
    for v in values:
        try:
            value.append(v)
        except (TypeError, ValueError):
            continue
    return f"= {values!r:.80}"


def _zero(field: Any) -> Any:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return b"" if field.type == FieldDescriptor.TYPE_BYTES else ""
    return 0


def _changed(value: Any, field: Any, chance: random.Random, names: list[str]) -> Any:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return not value
    if kind in _FLOATS:
        return chance.choice([0.0, -1.0, 1e30, float("nan"), float("inf"), value * 2])
    if kind in _BITS:
        bits, signed = _BITS[kind]
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        new = chance.choice([*_EXTREMES, value + 1, value - 1, chance.randint(0, 30)])
        return min(max(new, low), high)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _changed_bytes(value, chance)
    return _changed_string(value, chance, names)


def _changed_string(value: str, chance: random.Random, names: list[str]) -> str:
    return chance.choice(
        [
            "",
            value[: chance.randint(0, len(value))],
            value + chance.choice([":0", ":1", ":99999", ":-1", ":x", "/x", "é", "\0", " "]),
            "^" + value,
            re.sub(r"\d", "9", value),
            *[chance.choice(names) for _ in range(4) if names],
        ]
    )


def _changed_bytes(value: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.5:
        for kind in (variable_pb2.VariableDef, attr_value_pb2.AttrValue):
            message = kind()
            try:
                message.ParseFromString(value)
            except DecodeError:
                continue
            if value and message.ListFields():
                mutate(message, chance, [])
                return message.SerializeToString()
    return changed_bytes(value, chance)


def changed_bytes(value: bytes, chance: random.Random) -> bytes:
    """Bytes cut, flipped, repeated, or some in the place of others."""
    data = bytearray(value)
    how = chance.choice(["cut", "flip", "byte", "zeros", "repeat", "more"])
    at = chance.randint(0, max(0, len(data) - 1))
    size = chance.choice([1, 2, 4, 8, 64, 500])
    if how == "cut":
        return bytes(data[:at])
    if how == "flip" and data:
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif how == "byte" and data:
        data[at] = chance.randrange(256)
    elif how == "zeros":
        data[at : at + size] = bytes(len(data[at : at + size]))
    elif how == "repeat":
        data[at:at] = data[at : at + size]
    else:
        data[at:at] = chance.randbytes(size)
    return bytes(data)
