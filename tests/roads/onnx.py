"""tf2onnx and onnxruntime on a converted module."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.roads.cases import Case, UnableError


def check(case: Case) -> str:
    """Converts and runs each signature."""
    import onnxruntime

    if not case.signatures:
        raise UnableError("random outputs")
    needed = ""
    for signature in case.signatures:
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder, "model.onnx"))
            try:
                _convert(case.saved_model, signature, file)
            except UnableError:
                # Its rewriters look for recurrent cells, and some fail where there are none.
                needed = "--continue_on_error"
                _convert(case.saved_model, signature, file, needed)
            try:
                session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
                given = case.inputs(signature)
                names = {i.name.partition(":")[0]: i.name for i in session.get_inputs()}
                feeds = {names[n]: v for n, v in given.items() if n in names}
                values = session.run(None, feeds)
            except Exception as error:  # onnxruntime's errors have no common class
                raise UnableError(f"onnxruntime refuses: {_reason(error)}") from error
            outputs = [o.name.partition(":")[0] for o in session.get_outputs()]
            case.check(signature, dict(zip(outputs, values, strict=True)))
    return needed


def _convert(path: str, signature: str, file: str, *options: str) -> None:
    """What `python -m tf2onnx.convert` does."""
    from tf2onnx import convert

    before = sys.argv
    sys.argv = ["convert", "--saved-model", path, "--signature_def", signature, "--tag", "serve"]
    sys.argv += ["--output", file, "--opset", "18", *options]
    try:
        convert.main()
    except (Exception, SystemExit) as error:
        raise UnableError(f"tf2onnx refuses: {_reason(error)}") from error
    finally:
        sys.argv = before


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:100] if lines else type(error).__name__
