"""tf2onnx and onnxruntime on a converted module."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from tests.roads.cases import Case, UnableError

_SUFFIX = "_out"
_NODES = re.compile(r"[,.]? (?:Name:|of node |with output |In Node, |Node \(|\(Stateful)")


def check(case: Case) -> str:
    """Converts and runs each signature."""
    import onnxruntime

    if not case.signatures:
        raise UnableError("random outputs")
    needed = ""
    for signature in case.signatures:
        given = case.inputs(signature)
        outputs = sorted(case.outputs(signature))
        options: list[str] = []
        if given.keys() & set(outputs):  # `default` may be the name of both
            outputs = [f"{name}{_SUFFIX}" for name in outputs]
            options = ["--rename-outputs", ",".join(outputs)]
            needed = "--rename-outputs: an input and an output have the same name"
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder, "model.onnx"))
            _convert(case.saved_model, signature, file, *options)
            try:
                session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
                names = {i.name.partition(":")[0]: i.name for i in session.get_inputs()}
                feeds = {names[n]: v for n, v in given.items() if n in names}
                values = session.run(None, feeds)
            except Exception as error:  # onnxruntime's errors have no common class
                raise UnableError(f"onnxruntime refuses: {_reason(error, file)}") from error
            found = [o.name.partition(":")[0] for o in session.get_outputs()]
            found = [name.removesuffix(_SUFFIX) if options else name for name in found]
            case.check(signature, dict(zip(found, values, strict=True)))
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


def _reason(error: BaseException, file: str = "") -> str:
    """The first line, without file names and up to where it names nodes of the graph."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = (lines or [type(error).__name__])[0]
    for noise in (f"Load model from {file} failed:", "Non-zero status code returned while "):
        line = line.replace(noise, "")
    return re.split(_NODES, line)[0][:100]
