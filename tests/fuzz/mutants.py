"""Mutants: copies of fixture modules, changed at random, the same for the same seed and number."""

from __future__ import annotations

import dataclasses
import functools
import io
import random
import shutil
import struct
import tarfile
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2, tensor_bundle_pb2

from compat_hub.format import protos
from tests.fuzz.attacks import SECRET, SECRET_TEXT, link_files, wire_host_op
from tests.fuzz.messages import changed_bytes, mutate
from tests.fuzz.slices import change_slices, has_slices
from tests.fuzz.tables import read_table, write_table
from tests.records import FIXTURES

INDEX = "variables/variables.index"


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A changed copy of a module.

    Attributes:
        fixture: Of which module.
        handle: Where it is, a folder or an archive.
        changes: What was done to it.
        is_attack: Whether one of the changes was made to get past the checks.
    """

    fixture: str
    handle: str
    changes: list[str]
    is_attack: bool


def fixtures(most_bytes: int) -> list[str]:
    """The fixtures whose graphs have at most so many bytes."""
    files = FIXTURES.glob("*/module/saved_model.pb")
    return sorted(f.parts[-3] for f in files if f.stat().st_size <= most_bytes)


def make_mutant(seed: int, number: int, folder: Path, most_bytes: int) -> Mutant:
    """Makes the mutant of a seed and a number in a folder, which is emptied before."""
    chance = random.Random(f"{seed}:{number}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    kinds = [chance.choice(_KINDS) for _ in range(chance.choice([1, 1, 1, 2, 3]))]
    kinds.sort(key=lambda kind: kind is link_files)  # what is behind a link may have no end
    names = fixtures(most_bytes)
    if kinds[0] is _change_slices:
        names = [name for name in names if _has_slices(name)]
    fixture = chance.choice(names)
    module = folder / "module"
    shutil.copytree(FIXTURES / fixture / "module", module)
    (folder / SECRET).write_bytes(SECRET_TEXT)
    changes = [change(module, chance) for change in kinds]
    handle = module
    if chance.random() < 0.05:
        handle = folder / "module.tar.gz"
        handle.write_bytes(_archive(module))
        if chance.random() < 0.7:
            handle.write_bytes(changed_bytes(handle.read_bytes(), chance))
            changes.append("archive")
    is_attack = any(kind in _ATTACKS for kind in kinds)
    return Mutant(fixture, str(handle), changes, is_attack)


def _archive(folder: Path) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        archive.add(folder, ".")
    return data.getvalue()


def _change_graph(module: Path, chance: random.Random) -> str:
    file = module / "saved_model.pb"
    message = saved_model_pb2.SavedModel()
    try:
        message.ParseFromString(file.read_bytes())
    except (OSError, DecodeError):  # an earlier change
        return "no graph"
    names = [n.name for m in message.meta_graphs for n in m.graph_def.node]
    names += [f.signature.name for m in message.meta_graphs for f in m.graph_def.library.function]
    change = mutate(message, chance, names)
    file.write_bytes(message.SerializeToString())
    return change


def _change_index(module: Path, chance: random.Random) -> str:
    """An entry of the checkpoint's index, with checksums that are right."""
    file = module / INDEX
    entries = _entries(file)
    if not entries:
        return "no index"
    k = chance.randrange(len(entries))
    key, value = entries[k]
    kind = tensor_bundle_pb2.BundleEntryProto if key else tensor_bundle_pb2.BundleHeaderProto
    message: Any = kind()
    try:
        message.ParseFromString(value)
    except DecodeError:
        return "no entry"
    change = mutate(message, chance, [])
    entries[k] = key, message.SerializeToString()
    if chance.random() < 0.1:
        entries[k] = changed_bytes(key, chance), value
    file.write_bytes(write_table(entries))
    return f"{INDEX} {key!r} {change}"


def _change_slices(module: Path, chance: random.Random) -> str:
    """What the checkpoint's index says of the slices of a tensor."""
    file = module / INDEX
    entries = _entries(file)
    try:
        if not has_slices(entries):
            return "no slices"
        change = change_slices(entries, chance)
    except DecodeError:
        return "no entries"
    file.write_bytes(write_table(entries))
    return change


def _entries(file: Path) -> list[tuple[bytes, bytes]]:
    try:
        return read_table(file.read_bytes())
    except (OSError, IndexError, struct.error):
        return []  # an earlier change


@functools.cache
def _has_slices(fixture: str) -> bool:
    return has_slices(_entries(FIXTURES / fixture / "module" / INDEX))


def _change_file(module: Path, chance: random.Random) -> str:
    files = sorted(p for p in module.rglob("*") if p.is_file() and not p.is_symlink())
    if not files:
        return "no files"
    file, other = chance.choice(files), chance.choice(files)
    name = str(file.relative_to(module))
    if name == "tfhub_module.pb" and chance.random() < 0.5:
        proto = protos.ModuleDef()
        try:
            proto.ParseFromString(file.read_bytes())
            change = mutate(proto, chance, [])
            file.write_bytes(proto.SerializeToString())
        except DecodeError:
            return "no proto"
        return f"{name} {change}"
    how = chance.choice(["bytes"] * 6 + ["splice", "delete", "swap", "folder"])
    data, spare = file.read_bytes(), other.read_bytes()
    if how == "bytes":
        file.write_bytes(changed_bytes(data, chance))
    elif how == "splice":
        at = chance.randint(0, len(data))
        start = chance.randint(0, len(spare))
        file.write_bytes(data[:at] + spare[start:])
    elif how == "delete":
        file.unlink()
    elif how == "swap":
        file.write_bytes(spare)
        other.write_bytes(data)
    else:
        file.unlink()
        file.mkdir()
    return f"{name} {how}"


_ATTACKS = [wire_host_op] * 3 + [link_files]
_KINDS = [
    *([_change_graph] * 14 + [_change_index] * 2 + [_change_file] * 4 + [_change_slices]),
    *_ATTACKS,
]
