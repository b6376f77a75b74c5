"""TFLite's converter and interpreter on a converted module."""

from __future__ import annotations

import tensorflow as tf

from tests.roads.cases import Case, UnableError


def check(case: Case) -> str:
    """Converts and runs each signature; returns which ops it needed."""
    if not case.signatures:
        raise UnableError("random outputs")
    needed = ""
    for signature in case.signatures:
        if not case.inputs(signature):
            raise UnableError("a signature without inputs")
        try:
            model = _convert(case.saved_model, signature, select=False)
        except Exception:  # the converter's errors have no common class
            needed = "select"
            try:
                model = _convert(case.saved_model, signature, select=True)
            except Exception as error:
                raise UnableError(f"the converter refuses: {_reason(error)}") from error
        case.check(signature, _run(model, signature, case))
    return needed


def _convert(path: str, signature: str, select: bool) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(path, signature_keys=[signature])
    kinds = tf.lite.OpsSet
    converter.target_spec.supported_ops = [kinds.TFLITE_BUILTINS]
    if select:
        converter.target_spec.supported_ops.append(kinds.SELECT_TF_OPS)
    return converter.convert()


def _run(model: bytes, signature: str, case: Case) -> dict:
    try:
        interpreter = tf.lite.Interpreter(model_content=model)
        runner = interpreter.get_signature_runner(signature)
        return runner(**case.inputs(signature))
    except (RuntimeError, ValueError, TypeError) as error:
        if "Select TensorFlow op" in str(error):
            # The package of TensorFlow of today has no delegate for them.
            raise UnableError("TensorFlow's ops, which this interpreter does not have") from error
        raise UnableError(f"the interpreter refuses: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The first line, up to where the compiler says in which line of its own code."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0].partition("<unknown>")[0][:100]
