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
        # Without XNNPACK, which takes the interpreter's kernels for tensors of unknown rank.
        interpreter = tf.lite.Interpreter(model_content=model)
        runner = interpreter.get_signature_runner(signature)
        return runner(**case.inputs(signature))
    except (RuntimeError, ValueError, TypeError) as error:
        raise UnableError(f"the interpreter refuses: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:100] if lines else type(error).__name__
