"""TensorFlow's saved_model_cli, `show` and `run`, on a converted module."""

from __future__ import annotations

import contextlib
import inspect
import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tests.roads.cases import Case, UnableError


def in_process(arguments: Sequence[str]) -> str:
    """What the command does, without starting Python anew."""
    from tensorflow.python.tools import saved_model_cli  # the command's own module

    # The names of its flags on the command line are absl's: they keep what the parser finds.
    parsed = saved_model_cli.create_parser().parse_args(arguments)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        parsed.func(*([parsed] if inspect.signature(parsed.func).parameters else []))
    return printed.getvalue()


def check(case: Case, command: Callable[[Sequence[str]], str] = in_process) -> str:
    """Shows the signatures and runs each.

    Args:
        case: The module.
        command: Runs the command with these arguments; returns what it printed.
    """
    shown = command(["show", "--dir", case.saved_model, "--all"])
    skipped = []
    for signature in case.signatures:
        assert f"signature_def['{signature}']" in shown, shown
        inputs = case.inputs(signature)
        for name in inputs:
            assert f"inputs['{name}']" in shown, shown
        try:
            _run(case, signature, inputs, command)
        except UnableError as error:
            skipped.append(str(error))
    if skipped and len(skipped) == len(case.signatures):
        raise UnableError(f"show; not run, which {skipped[0]}")
    return ""


def _run(
    case: Case,
    signature: str,
    inputs: dict[str, np.ndarray],
    command: Callable[[Sequence[str]], str],
) -> None:
    if not inputs:
        raise UnableError("refuses a signature without inputs")
    outputs = case.outputs(signature)
    kinds = {np.asarray(v).dtype.name for v in [*inputs.values(), *outputs.values()]}
    if "bfloat16" in kinds:
        raise UnableError("reads and writes numpy's files, which have no bfloat16")
    if any("/" in name for name in outputs):
        raise UnableError("cannot name a file after an output with a slash")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "inputs.npz")
        np.savez(file, **{n: v.astype("S") if v.dtype == object else v for n, v in inputs.items()})
        given = ";".join(f"{name}={file}[{name}]" for name in inputs)
        command(
            [
                *("run", "--dir", case.saved_model, "--tag_set", "serve"),
                *("--signature_def", signature, "--inputs", given),
                *("--outdir", folder, "--overwrite"),
            ]
        )
        found = {n: np.load(Path(folder, f"{n}.npy"), allow_pickle=True) for n in outputs}
        case.check(signature, found)
