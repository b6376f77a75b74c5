"""Rewritten graphs do to resource variables what the session of TF1 does to reference variables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.graphdef.passes.references_to_resources import (
    UnknownReferenceOpError,
    to_resource_variables,
)
from tests.authoring import control_flow_of_tf1, write_module
from tests.graphdef.graphs import FLOAT, constant, make_graph, make_node, names, placeholder

raw = tf.raw_ops
START = np.array([1.0, 2.0, 4.0, 8.0], "float32")

# What a graph is asked for: tensors by name.
Build = Callable[[Any], Mapping[str, tf.Tensor]]


def _reference(name: str, value: Any = START, **kwargs: Any) -> Any:
    """A reference variable, as TF1 made them."""
    return tf.compat.v1.get_variable(
        name, initializer=tf.constant(value), use_resource=False, **kwargs
    )


def _compare(build: Build, folder: Path, runs: int = 2, **inputs: Any) -> compat_hub.HubModule:
    """Compares runs of a graph in a session with calls of it as a module.

    Every output is asked for alone, and then all together, each time by `runs` runs on a fresh
    state; compared are the values and the variables afterwards.
    """

    def signatures() -> dict[str, Any]:
        x = {
            name: tf.compat.v1.placeholder(np.asarray(v).dtype, np.shape(v), name)
            for name, v in inputs.items()
        }
        return {"default": (x, build(**x))}

    path = write_module(folder / "module", none=signatures)
    with tf.Graph().as_default() as graph:
        ((x, outputs),) = signatures().values()
        variables = tf.compat.v1.global_variables()
        initialize = tf.compat.v1.global_variables_initializer()
    feeds = {x[name]: value for name, value in inputs.items()}
    for wanted in [*([name] for name in outputs), list(outputs)]:
        module = compat_hub.load(path)
        with contextlib.closing(tf.compat.v1.Session(graph=graph)) as session:
            session.run(initialize)
            for _ in range(runs):
                expected = session.run({n: outputs[n] for n in wanted}, feeds)
                found = module.call_signature(dict(inputs), outputs=wanted).outputs
                for name in wanted:
                    np.testing.assert_allclose(found[name], expected[name], err_msg=str(wanted))
            for variable in variables:
                np.testing.assert_allclose(
                    module.variable_map[variable.op.name],
                    session.run(variable),
                    err_msg=f"{variable.op.name} after {wanted}",
                )
    return module


# Every op that writes -----------------------------------------------------------------------------

INDICES = np.array([2, 0, 2], "int32")
UPDATES = np.array([3.0, 5.0, 7.0], "float32")
SCATTERS = {
    op: getattr(raw, op)
    for op in ("ScatterAdd", "ScatterDiv", "ScatterMax", "ScatterMin", "ScatterMul", "ScatterSub")
}
ND_SCATTERS = {op: getattr(raw, op) for op in ("ScatterNdAdd", "ScatterNdSub")}


@pytest.mark.parametrize("op", ["Assign", "AssignAdd", "AssignSub"])
@pytest.mark.parametrize("locking", [False, True])
def test_assignments(op: str, locking: bool, tmp_path: Path) -> None:
    def build(x: tf.Tensor) -> dict[str, tf.Tensor]:
        v = _reference("v")
        written = getattr(raw, op)(ref=v._ref(), value=x, use_locking=locking)
        return {"written": written, "doubled": 2.0 * written}

    _compare(build, tmp_path, x=UPDATES[[0, 1, 2, 0]])


@pytest.mark.parametrize("op", SCATTERS)
def test_scatters(op: str, tmp_path: Path) -> None:
    def build(i: tf.Tensor, x: tf.Tensor) -> dict[str, tf.Tensor]:
        written = SCATTERS[op](ref=_reference("v")._ref(), indices=i, updates=x)
        return {"written": written, "doubled": 2.0 * written}

    _compare(build, tmp_path, i=INDICES, x=UPDATES)


@pytest.mark.parametrize("indices", [np.int32, np.int64])
def test_scatter_update(indices: type, tmp_path: Path) -> None:
    def build(i: tf.Tensor, x: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = _reference("rows", np.arange(8, dtype="float64").reshape(4, 2))
        return {"written": raw.ScatterUpdate(ref=rows._ref(), indices=i, updates=x)}

    _compare(build, tmp_path, i=np.array([3, 0], indices), x=np.array([[1.0, 2], [3, 4]]))


@pytest.mark.parametrize("op", [*ND_SCATTERS, "ScatterNdUpdate"])
def test_scatters_by_coordinates(op: str, tmp_path: Path) -> None:
    def build(i: tf.Tensor, x: tf.Tensor) -> dict[str, tf.Tensor]:
        table = _reference("table", START.reshape(2, 2))
        return {"written": getattr(raw, op)(ref=table._ref(), indices=i, updates=x)}

    _compare(build, tmp_path, i=np.array([[0, 1], [1, 0]], "int32"), x=UPDATES[:2])


def test_counting_up(tmp_path: Path) -> None:
    def build(x: tf.Tensor) -> dict[str, tf.Tensor]:
        count = _reference("count", 3, trainable=False)
        counted = raw.CountUpTo(ref=count._ref(), limit=20)
        return {"before": counted, "sum": tf.cast(counted, tf.float32) + x}

    _compare(build, tmp_path, x=np.float32(0.5))


def test_whether_a_variable_is_initialized(tmp_path: Path) -> None:
    def build(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"default": raw.IsVariableInitialized(ref=_reference("v")._ref()), "x": x + 1.0}

    _compare(build, tmp_path, x=UPDATES)


def test_every_dtype(tmp_path: Path) -> None:
    def build(x: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = {}
        for dtype in ("float64", "int64", "complex64", "float16"):
            v = _reference(dtype, np.ones(3, dtype))
            outputs[dtype] = raw.AssignAdd(ref=v._ref(), value=tf.cast(x, dtype))
        mask = _reference("bool", np.array([True, False, False]))
        outputs["bool"] = raw.Assign(ref=mask._ref(), value=x > 4.0)
        return outputs

    _compare(build, tmp_path, x=UPDATES)


# Reads --------------------------------------------------------------------------------------------


def test_reads_of_every_kind(tmp_path: Path) -> None:
    def build(i: tf.Tensor) -> dict[str, tf.Tensor]:
        v = _reference("v")
        return {
            "itself": v._ref(),
            "value": v.value(),
            "read": v.read_value(),
            "identity": tf.identity(v._ref()),
            "sum": tf.reduce_sum(v._ref()),
            "gathered": raw.Gather(params=v._ref(), indices=i),
            "sliced": v[1:3],
            "shape": raw.Shape(input=v._ref()),
            "twice": raw.Mul(x=v._ref(), y=v._ref()),
            "packed": tf.stack([v._ref(), v.value()]),
        }

    _compare(build, tmp_path, runs=1, i=INDICES)


def test_a_variable_as_the_value_of_another(tmp_path: Path) -> None:
    def build(x: tf.Tensor) -> dict[str, tf.Tensor]:
        a, b = _reference("a"), _reference("b", START[::-1].copy())
        added = raw.AssignAdd(ref=a._ref(), value=b._ref())
        onto_itself = raw.AssignAdd(ref=b._ref(), value=b._ref())
        return {"added": added, "doubled": onto_itself, "x": x * a.value()}

    # Alone only: together, the two writes race with each other's read in a session.
    for name in ("added", "doubled", "x"):
        _compare(lambda x, name=name: {name: build(x)[name]}, tmp_path / name, x=np.float32(2.0))


def test_an_output_of_a_write_as_a_value(tmp_path: Path) -> None:
    def build(x: tf.Tensor) -> dict[str, tf.Tensor]:
        a, b = _reference("a"), _reference("b")
        first = raw.AssignAdd(ref=a._ref(), value=x)
        second = raw.AssignSub(ref=b._ref(), value=first)
        return {"second": second, "sum": tf.reduce_sum(first * second)}

    _compare(build, tmp_path, x=UPDATES[[0, 1, 2, 0]])


def test_a_write_to_the_output_of_a_write(tmp_path: Path) -> None:
    def build(i: tf.Tensor, x: tf.Tensor) -> dict[str, tf.Tensor]:
        v = _reference("v")
        zeroed = raw.Assign(ref=v._ref(), value=tf.zeros([4]))
        added = raw.ScatterAdd(ref=zeroed, indices=i, updates=x)
        return {"default": raw.AssignAdd(ref=added, value=tf.ones([4]))}

    _compare(build, tmp_path, i=INDICES, x=UPDATES)


def test_a_write_that_waits_for_a_read(tmp_path: Path) -> None:
    def build(x: tf.Tensor) -> dict[str, tf.Tensor]:
        v = _reference("v")
        before = v._ref() * 1.0  # an Identity would be the buffer itself in a session
        with tf.control_dependencies([before]):
            after = raw.AssignAdd(ref=v._ref(), value=x)
        return {"both": tf.stack([before, after])}

    _compare(build, tmp_path, runs=3, x=UPDATES[[0, 1, 2, 0]])


def test_a_read_that_waits_for_a_write(tmp_path: Path) -> None:
    def build(x: tf.Tensor) -> dict[str, tf.Tensor]:
        v = _reference("v")
        write = raw.AssignAdd(ref=v._ref(), value=x)
        with tf.control_dependencies([write]):
            read = v.read_value()
            product = raw.Mul(x=v._ref(), y=x)
        with tf.control_dependencies([tf.group(write)]):
            through_group = tf.reduce_sum(v._ref())
        return {"read": read, "product": product, "through_group": through_group}

    _compare(build, tmp_path, runs=3, x=UPDATES[[0, 1, 2, 0]])


def test_a_read_whose_other_input_waits_for_a_write(tmp_path: Path) -> None:
    # The op looks at the buffer when it runs: when all of its inputs are there.
    def build(x: tf.Tensor) -> dict[str, tf.Tensor]:
        v = _reference("v")
        write = raw.AssignAdd(ref=v._ref(), value=x)
        with tf.control_dependencies([write]):
            late = tf.identity(x)
        return {"default": raw.Mul(x=v._ref(), y=late)}

    _compare(build, tmp_path, runs=3, x=UPDATES[[0, 1, 2, 0]])


def test_a_chain_of_writes_and_reads(tmp_path: Path) -> None:
    def build(x: tf.Tensor) -> dict[str, tf.Tensor]:
        v = _reference("v")
        reads = []
        write: Any = tf.no_op()
        for k in range(3):
            with tf.control_dependencies([write, *reads]):
                write = raw.AssignAdd(ref=v._ref(), value=x * (k + 1.0))
            with tf.control_dependencies([write]):
                reads.append(v._ref() * 1.0)
        return {"reads": tf.stack(reads)}

    _compare(build, tmp_path, x=UPDATES[[0, 1, 2, 0]])


# Control flow -------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", [False, True])
def test_conditionals(flag: bool, tmp_path: Path) -> None:
    def build(flag: tf.Tensor, x: tf.Tensor) -> dict[str, tf.Tensor]:
        a, b = _reference("a"), _reference("b", -START)
        chosen = tf.cond(flag, lambda: a.value() + x, lambda: b._ref() * x)
        written = tf.cond(flag, lambda: raw.AssignAdd(ref=a._ref(), value=x) + 0.0, lambda: x + 1.0)
        return {"chosen": chosen, "written": written}

    with control_flow_of_tf1():
        for name in ("chosen", "written"):
            _compare(
                lambda flag, x, name=name: {name: build(flag, x)[name]},
                tmp_path / name,
                flag=flag,
                x=UPDATES[[0, 1, 2, 0]],
            )


@pytest.mark.parametrize("flag", [False, True])
def test_references_through_switches_and_merges(flag: bool, tmp_path: Path) -> None:
    def build(flag: tf.Tensor, x: tf.Tensor) -> dict[str, tf.Tensor]:
        v, w = _reference("v"), _reference("w", -START)
        if_false, if_true = raw.RefSwitch(data=v._ref(), pred=flag)
        other_false, other_true = raw.RefSwitch(data=w._ref(), pred=flag)
        del other_false, if_true
        merged = raw.RefMerge(inputs=[if_false, other_true]).output
        return {"default": raw.Mul(x=raw.RefIdentity(input=merged), y=x)}

    _compare(build, tmp_path, runs=1, flag=flag, x=UPDATES[[0, 1, 2, 0]])


@pytest.mark.parametrize("flag", [False, True])
def test_a_write_in_one_branch(flag: bool, tmp_path: Path) -> None:
    def build(flag: tf.Tensor, x: tf.Tensor) -> dict[str, tf.Tensor]:
        v = _reference("v")
        if_false, if_true = raw.RefSwitch(data=v._ref(), pred=flag)
        written = raw.AssignAdd(ref=if_true, value=x)
        merged = raw.RefMerge(inputs=[if_false, written]).output
        return {"default": raw.Add(x=merged, y=x)}

    _compare(build, tmp_path, flag=flag, x=UPDATES[[0, 1, 2, 0]])


def test_loops(tmp_path: Path) -> None:
    def build(x: tf.Tensor) -> dict[str, tf.Tensor]:
        v = _reference("v")
        _, y = tf.while_loop(
            lambda k, _: k < 3, lambda k, y: (k + 1, y * v._ref() + v.value()), [0, x]
        )
        return {"default": y}

    with control_flow_of_tf1():
        _compare(build, tmp_path, x=UPDATES[[0, 1, 2, 0]])


# The graph itself ---------------------------------------------------------------------------------


def _rewrite(*nodes: Any, fetches: tuple[str, ...] = ()) -> tuple[Any, list[str]]:
    return to_resource_variables(make_graph(*nodes), {"v:0": FLOAT}, fetches)


def _op(name: str, op: str, *inputs: str, **attrs: Any) -> Any:
    return make_node(name, op, *inputs, **(attrs or {"T": tf.float32}))


def test_a_graph_that_uses_no_reference_is_returned_as_it_is() -> None:
    graph = make_graph(placeholder("x"), _op("y", "Neg", "x"))
    found, fetches = to_resource_variables(graph, {"v:0": FLOAT}, ["y:0", "x:0"])
    assert found is graph
    assert fetches == ["y:0", "x:0"]


def test_fetches_of_references_become_reads() -> None:
    graph, fetches = _rewrite(
        constant("x", 1.0),
        _op("add", "AssignAdd", "v", "x"),
        _op("y", "Neg", "x"),
        fetches=("v:0", "add:0", "y:0", "v:0"),
    )
    reads = {n.name: n for n in graph.node}
    assert fetches[2] == "y:0"
    assert fetches[0] == fetches[3]
    first, second = (reads[fetches[k].removesuffix(":0")] for k in (0, 1))
    assert (first.op, list(first.input)) == ("ReadVariableOp", ["v:0"])
    assert (second.op, list(second.input)) == ("ReadVariableOp", ["v:0", "^add"])


def test_attributes_are_those_of_the_twin() -> None:
    nodes = [
        constant("x", 1.0),
        constant("i", 0),
        _op("assign", "Assign", "v", "x", T=tf.float32, validate_shape=True, use_locking=True),
        _op("scatter", "ScatterAdd", "v", "i", "x", T=tf.float32, Tindices=tf.int32),
        _op("nd", "ScatterNdAdd", "v", "i", "x", T=tf.float32, Tindices=tf.int32),
        _op("count", "CountUpTo", "v", T=tf.float32, limit=5),
        _op("is", "IsVariableInitialized", "v", dtype=tf.float32),
    ]
    graph, _ = _rewrite(*nodes)
    found = {n.name: (n.op, sorted(n.attr)) for n in graph.node if n.op != "Const"}
    assert found == {
        "assign": ("AssignVariableOp", ["dtype"]),
        "scatter": ("ResourceScatterAdd", ["Tindices", "dtype"]),
        "nd": ("ResourceScatterNdAdd", ["T", "Tindices"]),
        "count": ("ResourceCountUpTo", ["T", "limit"]),
        "is": ("VarIsInitializedOp", []),
    }


def test_names_and_order_of_other_nodes_are_kept() -> None:
    nodes = [placeholder("x"), _op("sum", "AddV2", "x", "v"), _op("y", "Neg", "sum", "^x")]
    graph, _ = _rewrite(*nodes)
    assert names(graph) == ["x", "sum/read_1", "sum", "y"]
    assert graph.node[3] == nodes[2]
    assert list(graph.node[1].input) == ["v:0", "^x"]
    assert list(nodes[1].input) == ["x", "v"]


@pytest.mark.parametrize(
    "op", ["ApplyGradientDescent", "SparseApplyAdagrad", "RefSelect", "AssignFancy", "ScatterFancy"]
)
def test_an_op_without_a_twin(op: str) -> None:
    with pytest.raises(UnknownReferenceOpError, match=f"'node' of type '{op}'.*'v'"):
        _rewrite(constant("x", 1.0), _op("node", op, "v", "x"))


def test_a_module_with_an_op_without_a_twin(tmp_path: Path) -> None:
    def build() -> dict[str, Any]:
        x = tf.compat.v1.placeholder(tf.float32, [4], "x")
        v = _reference("v")
        step = raw.ApplyGradientDescent(var=v._ref(), alpha=0.1, delta=x)
        return {"default": ({"x": x}, {"default": v.value()}), "step": ({"x": x}, {"s": step})}

    module = compat_hub.load(write_module(tmp_path / "module", none=build))
    np.testing.assert_array_equal(module(START), START)
    with pytest.raises(compat_hub.ModuleFormatError, match="ApplyGradientDescent") as caught:
        module(START, "step", as_dict=True)
    assert module.spec.handle in str(caught.value)


def test_gradients(tmp_path: Path) -> None:
    def build() -> dict[str, Any]:
        i = tf.compat.v1.placeholder(tf.int32, [None], "i")
        v, w = _reference("v"), _reference("w", START * 2.0)
        y = raw.Gather(params=v._ref(), indices=i) * tf.gather(w.value(), i)
        return {"default": ({"i": i}, {"default": tf.square(y)})}

    module = compat_hub.load(write_module(tmp_path / "module", none=build))
    v, w = (module.variable_map[n] for n in "vw")

    def expected() -> tf.Tensor:
        return tf.square(tf.gather(v, INDICES) * tf.gather(w, INDICES))

    gradients = []
    for call in (lambda: module(INDICES), expected):
        with tf.GradientTape() as tape:
            y = call()
        gradients.append([tf.convert_to_tensor(g) for g in tape.gradient(y, [v, w])])
    for found, wanted in zip(*gradients, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
