"""The command `compat-hub run-program`."""

from __future__ import annotations

import os
import runpy
import sys

import click

from compat_hub.cli.errors import BadInputError, bad_input


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "-m", "as_module", is_flag=True, help="PROGRAM is the name of a module, as of python -m."
)
@click.argument("program")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run_program(program: str, arguments: tuple[str, ...], as_module: bool) -> None:
    """Run a Python program in which `import tensorflow_hub` gives compat_hub.

    PROGRAM is a file, or with -m a module; ARGUMENTS are the program's own. It is for programs and
    packages that import tensorflow_hub themselves, as they are.

    \b
    Examples:
      compat-hub run-program train.py --epochs 3
      compat-hub run-program -m package.train --epochs 3

    The exit status is the program's. It is 2 when there is no such program.
    """  # noqa: D301 click reads the character
    from compat_hub.tools.stand_in.install import install_as_tensorflow_hub  # noqa: PLC0415

    with bad_input():
        install_as_tensorflow_hub()
    if as_module:
        sys.argv = [program, *arguments]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(program, run_name="__main__", alter_sys=True)
        return
    if not os.path.isfile(program):
        raise BadInputError(f"There is no file {program!r}. For a module, pass -m {program}.")
    sys.argv = [program, *arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(program)))
    runpy.run_path(program, run_name="__main__")
