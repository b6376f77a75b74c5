"""The command `compat-hub convert`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import click

from compat_hub.cli.errors import bad_input
from compat_hub.cli.json_output import json_option, print_json
from compat_hub.cli.model_options import model_options, take_model
from compat_hub.cli.permissions import host_access_option, links_option
from compat_hub.common.masking import masked
from compat_hub.common.quiet_import import import_quietly
from compat_hub.common.words import printable

if TYPE_CHECKING:
    from compat_hub.state.module_state import Missing


@click.command()
@click.argument("handle")
@click.argument("path")
@click.option(
    "--signature",
    "signatures",
    multiple=True,
    help="A signature to write, once for each; all of them when not given.",
)
@click.option(
    "--tags",
    metavar="TAG,...",
    help="The graph variant to write alone. [default: set() with {train} for training calls, or "
    "the only one]",
)
@click.option(
    "--missing",
    type=click.Choice(["error", "initial"]),
    default="error",
    show_default=True,
    help="What becomes of variables that the checkpoint does not have: what needs them is left "
    "out, or they get the initial values of the graph.",
)
@model_options(short=True)
@host_access_option
@links_option
@json_option
def convert(
    handle: str,
    path: str,
    signatures: tuple[str, ...],
    tags: str | None,
    missing: Missing,
    as_json: bool,
    **options: Any,
) -> None:
    """Convert a module to a SavedModel of TensorFlow 2.

    PATH is the folder to make. What is written needs neither compat_hub nor the module. Where a
    module is incomplete, what is whole is written, and the rest is named on the standard error.

    HANDLE may also be another model of TensorFlow 1: the folder of a SavedModel, a checkpoint of a
    Saver (its prefix, its .meta file or its folder), or a frozen graph. The last two need --output
    and --input; `compat-hub inspect HANDLE` proposes some.

    The exit status is 0 when it was written. It is 2 when HANDLE leads to no module that can be
    read, or there is something at PATH already; then nothing was written.
    """
    import_quietly()
    from compat_hub.format.spec import load_module_spec  # noqa: PLC0415
    from compat_hub.hub_module.convert import convert as convert_module  # noqa: PLC0415
    from compat_hub.programs.gaps import IncompleteModuleWarning  # noqa: PLC0415

    with bad_input(), warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", IncompleteModuleWarning)
        permissions = {n: options.pop(n) for n in ("allow_host_access", "allow_links")}
        model = take_model(handle, options, tags, needs_values=missing == "error", **permissions)
        module = model or (
            load_module_spec(handle, **permissions) if any(permissions.values()) else handle
        )
        written = convert_module(
            module,
            path,
            signatures=signatures or None,
            tags=None if tags is None or model else [tag for tag in tags.split(",") if tag],
            missing=missing,
        )
    left_out = []
    for warning in found:
        if warning.category is IncompleteModuleWarning:
            left_out.append(str(warning.message))
            click.echo(f"Warning: {printable(str(warning.message))}", err=True)
        else:
            warnings.showwarning(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    if as_json:
        print_json(
            {
                "handle": masked(handle),
                "path": written,
                "signatures": list(signatures) or None,
                **({"left_out": left_out} if left_out else {}),
            }
        )
    else:
        click.echo(f"Wrote the SavedModel {written}")
