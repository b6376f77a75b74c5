"""Executes a notebook from a clean kernel, so that running it again changes nothing in it."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parent
LONGEST_CELL = 300  # seconds

_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
# TensorFlow prints some lines while it is imported, before it looks at TF_CPP_MIN_LOG_LEVEL:
# https://github.com/tensorflow/tensorflow/issues/100442
# ipykernel says that it talks to this process, on this machine, without encryption. TFLite says
# what it computes with.
_EXPECTED = re.compile(
    r"WARNING: All log messages before absl::InitializeLog"
    r"|[IE]0000 .*(port|cuda\w*|cpu_feature_guard)\.cc"
    r"|INFO: Created TensorFlow Lite XNNPACK delegate for CPU"
    r"|\[IPKernelApp\] WARNING \| Kernel is running over TCP without encryption"
)


def paths() -> list[Path]:
    """The notebooks, in order."""
    return sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> NotebookNode:
    """Reads a notebook, and checks it against the format's schema."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def write(notebook: NotebookNode, path: Path) -> None:
    """Writes a notebook, and checks it first."""
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def execute(notebook: NotebookNode, folder: Path) -> str:
    """Executes a notebook in place, in a kernel of its own, which starts in a folder.

    Args:
        notebook: The notebook.
        folder: An empty folder.

    Returns:
        What native code wrote to the kernel's standard error, besides what is expected. What
        Python writes there is among the outputs of the cells.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell raised an exception.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    with tempfile.TemporaryFile() as log, _variables(_ENVIRONMENT):
        client = NotebookClient(
            notebook,
            timeout=LONGEST_CELL,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": str(folder)}},
            # Otherwise the kernel makes outputs of what native code writes, of whichever cell.
            extra_arguments=["--IPKernelApp.capture_fd_output=False"],
        )
        client.execute(stderr=log)
        log.seek(0)
        written = log.read().decode(errors="replace")
    _normalize(notebook)
    lines = written.splitlines()
    return "\n".join(line for line in lines if line and not _EXPECTED.match(line))


def _normalize(notebook: NotebookNode) -> None:
    """Takes out what depends on the moment and the machine, and joins what was printed in parts."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if (
            output.output_type == "stream"
            and last is not None
            and (last.output_type, last.get("name")) == ("stream", output.name)
        ):
            last.text += output.text
        else:
            joined.append(output)
    return joined


@contextlib.contextmanager
def _variables(values: dict[str, str]) -> Iterator[None]:
    """Sets environment variables for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
