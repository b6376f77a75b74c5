"""The command line: `compat-hub`."""

from __future__ import annotations

import click

import compat_hub
from compat_hub.cli.lazy_group import LazyGroup

# The first line of each command's own help.
_HELPS = {
    "cache": "Show, check and clear the cache of downloaded modules.",
    "convert": "Convert a module to a SavedModel of TensorFlow 2.",
    "demo": "Load, call and fine-tune a small sample module.",
    "export-text-embedding": "Write a module that embeds texts by the vectors of their words.",
    "inspect": "Tell what is in a module, and what of it works in TensorFlow 2.",
    "migrate": "Show what a program has to change to leave tensorflow_hub.",
    "run": "Run a signature on files: images, arrays, texts, CSV, Parquet, JSON lines.",
    "run-program": "Run a Python program in which `import tensorflow_hub` gives compat_hub.",
    "verify": "Compare a module with a session of TF1, tensor by tensor.",
}


@click.group(
    cls=LazyGroup,
    package="compat_hub.cli",
    helps=_HELPS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(
    compat_hub.__version__, prog_name="compat-hub", message="%(prog)s %(version)s"
)
def main() -> None:
    """Models in the legacy TF1 Hub format, in TensorFlow 2.

    The exit status is 0 when all went well, 1 when a check failed, and 2 when something that was
    given cannot be used: then one line on the standard error says what it is.
    """
