"""A signature of a converted module as a frozen graph: one GraphDef, its weights constants."""

from __future__ import annotations

import re
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from tests.roads.cases import Case, UnableError


def check(case: Case) -> str:
    """Freezes each signature, and runs what is written in a session."""
    loaded = tf.saved_model.load(case.saved_model)
    detail = ""
    for signature in case.signatures:
        function = loaded.signatures[signature]
        try:
            frozen = convert_variables_to_constants_v2(function)
        except ValueError as error:
            reason = re.sub(r"(of node|from) \S+ ", "", str(error)).splitlines()[0]
            raise UnableError(f"the tool refuses: {reason}") from error
        if any(i.dtype == tf.resource for i in frozen.inputs):
            raise UnableError("the tool leaves tables outside of the graph")
        names = sorted(function.structured_outputs)
        fetches = {n: t.name for n, t in zip(names, frozen.outputs, strict=True)}
        feeds = {f"{name}:0": value for name, value in case.inputs(signature).items()}
        graph_def = frozen.graph.as_graph_def().SerializeToString()
        try:
            case.check(signature, _run(graph_def, feeds, fetches, fused=True))
        except AssertionError:
            case.check(signature, _run(graph_def, feeds, fetches, fused=False))
            detail = "with the remapper off: what it fuses for oneDNN computes other numbers"
    return detail


def _run(graph_def: bytes, feeds: Any, fetches: Any, fused: bool) -> Any:
    v1 = tf.compat.v1
    config = config_pb2.ConfigProto()
    if not fused:
        config.graph_options.rewrite_options.remapping = rewriter_config_pb2.RewriterConfig.OFF
    with tf.Graph().as_default() as graph, v1.Session(config=config) as session:
        tf.graph_util.import_graph_def(v1.GraphDef.FromString(graph_def), name="")
        assert not any("VarHandle" in op.type for op in graph.get_operations())
        return session.run(fetches, feeds)
