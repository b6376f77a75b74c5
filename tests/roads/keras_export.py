"""What `model.export()` of Keras writes, in a session of TF1 and in saved_model_cli."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tests.roads import saved_model_cli
from tests.roads.cases import Case, UnableError


def check(case: Case) -> str:
    """Runs what was exported; `case.json` says why nothing was."""
    if "unable" in case.facts:
        raise UnableError(case.facts["unable"])
    check_in_session(case)
    try:
        saved_model_cli.check(case)
    except UnableError as error:
        return f"in a session; saved_model_cli {error}"
    return ""


def check_in_session(case: Case) -> None:
    """Runs each signature as TensorFlow 1 did."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        meta_graph: Any = v1.saved_model.loader.load(session, ["serve"], case.saved_model)
        for name in case.signatures:
            signature = meta_graph.signature_def[name]
            inputs = {signature.inputs[n].name: v for n, v in case.inputs(name).items()}
            outputs = {n: signature.outputs[n].name for n in case.outputs(name)}
            case.check(name, session.run(outputs, inputs))
