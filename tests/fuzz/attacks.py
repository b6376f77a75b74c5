"""Changes that an adversary would make: to have a file written or read, and not to be refused.

Ops that write the file `gone` and read the file `secret`, both beside the module, are put into the
graph, and what runs is made to need them. Whoever uses the mutant looks for both.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import node_def_pb2, types_pb2, variable_pb2
from tensorflow.core.protobuf import saved_model_pb2

MARKER = "gone"
SECRET = "secret"
SECRET_TEXT = b"what nobody shall read"
_NAMES = ("initializer_name", "snapshot_name", "initial_value_name", "variable_name")
_LISTS = ("update_ops", "regularization_losses", "table_initializer", "init_op", "local_init_op")
_FUNCTION_NAMES = ("evil", "Identity", "NoOp", "Const", "Assign", "RestoreV2")


def wire_host_op(module: Path, chance: random.Random) -> str:
    """Puts an op that touches the host into one of the graphs, and makes something need it."""
    file = module / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel()
    try:
        saved_model.ParseFromString(file.read_bytes())
    except (OSError, DecodeError):  # an earlier change
        return "no graph"
    if not saved_model.meta_graphs:
        return "no graph"
    meta_graph = chance.choice(saved_model.meta_graphs)
    node = _add_op(meta_graph.graph_def, module.parent, chance)
    ways = [_as_default, _behind_node, _behind_node, _in_variable, _in_collection, _in_function]
    way = chance.choice(ways)
    change = way(meta_graph, node, chance)
    file.write_bytes(saved_model.SerializeToString())
    return f"{node} {change}"


def _add_op(graph_def: Any, folder: Path, chance: random.Random) -> str:
    """Adds the op, perhaps in a function and behind Identities; gives its node's name."""
    kind = chance.choice(["write", "read"])
    nodes = _nodes_of(kind, folder)
    last = nodes[-1]
    if chance.random() < 0.3:
        name = chance.choice(_FUNCTION_NAMES)
        function = graph_def.library.function.add()
        function.signature.name = name
        function.signature.is_stateful = chance.random() < 0.5
        for node in nodes:
            inner = function.node_def.add()
            inner.CopyFrom(node)
            inner.input[:] = [f"{i}:output:0" for i in node.input]
        function.control_ret["done"] = last.name
        function.signature.control_output.append("done")
        call = graph_def.node.add(name="evil_call", op=name)
        if chance.random() < 0.5:
            call.op = "StatefulPartitionedCall"
            call.attr["f"].func.name = name
            for attr in ("Tin", "Tout"):
                call.attr[attr].list.SetInParent()
        return call.name
    for node in nodes:
        graph_def.node.add().CopyFrom(node)
    found = last.name
    for k in range(chance.choice([0, 0, 1, 3])):
        link = graph_def.node.add(name=f"evil_link_{k}")
        if kind == "read":
            link.op = "Identity"
            link.attr["T"].type = types_pb2.DT_STRING
            link.input.append(found)
        else:
            link.op = "NoOp"
            link.input.append(f"^{found}")
        found = link.name
    return found


def _nodes_of(kind: str, folder: Path) -> list[Any]:
    path = folder / (MARKER if kind == "write" else SECRET)
    nodes = [_constant("evil_path", str(path).encode())]
    if kind == "write":
        nodes.append(_constant("evil_text", b"written"))
        nodes.append(node_def_pb2.NodeDef(name="evil_op", op="WriteFile"))
    else:
        nodes.append(node_def_pb2.NodeDef(name="evil_op", op="ReadFile"))
    nodes[-1].input.extend(node.name for node in nodes[:-1])
    return nodes


def _constant(name: str, value: bytes) -> Any:
    node = node_def_pb2.NodeDef(name=name, op="Const")
    node.attr["dtype"].type = types_pb2.DT_STRING
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, tf.string))
    return node


def _as_default(meta_graph: Any, evil: str, chance: random.Random) -> str:
    """Makes a signature's input one that may be left out, whose default needs the op."""
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    inputs = [
        nodes[name]
        for signature in meta_graph.signature_def.values()
        for info in signature.inputs.values()
        if (name := info.name.partition(":")[0]) in nodes and nodes[name].op == "Placeholder"
    ]
    if not inputs:
        return "no input"
    placeholder = chance.choice(inputs)
    dtype = placeholder.attr["dtype"].type
    default = meta_graph.graph_def.node.add(name="evil_default", op="Const", input=[f"^{evil}"])
    default.attr["dtype"].type = dtype
    value = default.attr["value"].tensor
    value.dtype = dtype
    for dim in placeholder.attr["shape"].shape.dim:
        value.tensor_shape.dim.add(size=max(dim.size, 1))
    if dtype == types_pb2.DT_STRING:
        value.string_val.append(b"a")
    placeholder.op = "PlaceholderWithDefault"
    placeholder.input.append(default.name)
    return f"behind the default of {placeholder.name}"


def _behind_node(meta_graph: Any, evil: str, chance: random.Random) -> str:
    """Lets some node wait for the op, and gives it to a node that takes strings."""
    nodes = [n for n in meta_graph.graph_def.node if not n.name.startswith("evil")]
    liked = ("Assign", "AssignVariableOp", "Placeholder", "VarHandleOp", "VariableV2", "Const")
    some = [n for n in nodes if n.op in liked]
    node = chance.choice(some if some and chance.random() < 0.6 else nodes or [None])
    if node is None:
        return "no node"
    node.input.append(f"^{evil}")
    return f"before {node.name}"


def _in_variable(meta_graph: Any, evil: str, chance: random.Random) -> str:
    """Names the op as what a variable is initialized or read by."""
    keys = sorted(key for key, value in meta_graph.collection_def.items() if value.bytes_list.value)
    if not keys:
        return "no variable"
    key = chance.choice(keys)
    values = meta_graph.collection_def[key].bytes_list.value
    k = chance.randrange(len(values))
    variable = variable_pb2.VariableDef()
    try:
        variable.ParseFromString(values[k])
    except DecodeError:
        return "no variable"
    field = chance.choice(_NAMES)
    setattr(variable, field, f"{evil}:0" if "initializer" not in field else evil)
    values[k] = variable.SerializeToString()
    return f"as {field} of {variable.variable_name!r} in {key}"


def _in_collection(meta_graph: Any, evil: str, chance: random.Random) -> str:
    """Adds the op to a collection, or to what a saver runs."""
    if chance.random() < 0.2:
        saver = meta_graph.saver_def
        saver.filename_tensor_name, saver.save_tensor_name = "evil_path:0", f"{evil}:0"
        saver.restore_op_name = evil
        return "in saver_def"
    key = chance.choice(_LISTS)
    meta_graph.collection_def[key].node_list.value.append(evil)
    return f"in {key}"


def _in_function(meta_graph: Any, evil: str, chance: random.Random) -> str:
    """Lets a function that is there already run the op."""
    functions = [
        f for f in meta_graph.graph_def.library.function if f.node_def and "evil_op" not in str(f)
    ]
    if not functions:
        return _behind_node(meta_graph, evil, chance)
    function = chance.choice(functions)
    for node in meta_graph.graph_def.node:
        if node.name.startswith("evil"):
            inner = function.node_def.add()
            inner.CopyFrom(node)
            inner.input[:] = [i if i[0] == "^" else f"{i}:output:0" for i in node.input]
    chance.choice(function.node_def).input.append(f"^{evil}")
    return f"in the function {function.signature.name}"


def link_files(module: Path, chance: random.Random) -> str:
    """Puts something else in the place of a file or folder: a link, or what is no file."""
    places = sorted(p for p in module.rglob("*") if not p.is_symlink())
    if not places:
        return "no files"
    place = chance.choice(places)
    name = place.relative_to(module)
    aside = module.parent / f"aside_{name.name}"
    if aside.exists():
        return f"{name} is moved already"
    place.rename(aside)
    if aside.is_dir():
        place.symlink_to(chance.choice([aside, module, Path("/proc/self/fd"), module.parent]))
        return f"{name} links to a folder"
    how = chance.choice(["itself", "secret", "aside", "zero", "fifo", "nothing", "absolute"])
    if how == "fifo":
        os.mkfifo(place)
    else:
        target = {
            "itself": place,
            "secret": module.parent / SECRET,
            "aside": Path(os.path.relpath(aside, place.parent)),
            "zero": Path("/dev/zero"),
            "nothing": module / "nothing",
            "absolute": aside.absolute(),
        }[how]
        place.symlink_to(target)
    return f"{name} is a link or the like: {how}"
