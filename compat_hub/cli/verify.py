"""The command `compat-hub verify`."""

from __future__ import annotations

import sys
from typing import Any

import click

from compat_hub.cli.errors import bad_input
from compat_hub.cli.input_options import image_size_option, input_option
from compat_hub.cli.json_output import json_option, print_json
from compat_hub.cli.model_options import model_options, take_model
from compat_hub.cli.permissions import host_access_option, links_option
from compat_hub.common.quiet_import import import_quietly


@click.command()
@click.argument("handle")
@click.option(
    "--against",
    metavar="PATH",
    help="What convert made of the module: its signatures are compared, too.",
)
@click.option(
    "--signature",
    "signatures",
    multiple=True,
    help="A signature to compare, once for each; all of them when not given.",
)
@input_option
@image_size_option
@click.option(
    "--rtol", default=1e-4, show_default=True, help="Error allowed, relative to a tensor."
)
@click.option("--atol", default=1e-5, show_default=True, help="Error allowed besides.")
@model_options()
@host_access_option
@links_option
@json_option
def verify(
    handle: str,
    signatures: tuple[str, ...],
    inputs: tuple[str, ...],
    image_size: Any,
    allow_host_access: bool,
    allow_links: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Compare a module with a session of TF1, tensor by tensor.

    For every graph variant and signature: the outputs, the gradients of all trainable variables,
    the variables after a training call with its update ops, the regularization losses. Inputs are
    made up to fit; values given by --input, as for `compat-hub run`, are for the one signature that
    --signature names, or for `default`, and then no other is compared.

    The exit status is 0 when all agrees, 1 when something does not, and 2 when something that was
    given cannot be used.
    """
    if inputs and len(signatures) > 1:
        raise click.UsageError("--input takes one --signature")
    import_quietly()
    from compat_hub.format.spec import load_module_spec  # noqa: PLC0415
    from compat_hub.tools.batch.run import read_inputs  # noqa: PLC0415
    from compat_hub.tools.verification.verify import verify as verify_module  # noqa: PLC0415

    with bad_input():
        allowed: dict[str, Any] = {
            "allow_host_access": allow_host_access,
            "allow_links": allow_links,
        }
        spec = take_model(handle, options, **allowed) or load_module_spec(handle, **allowed)
        values = None
        if inputs:
            variant = next(iter(spec.variants.values()))
            signatures = signatures or (variant.default_signature,)
            values = {signatures[0]: read_inputs(spec, signatures[0], inputs, image_size)}
        result = verify_module(
            spec,
            inputs=values,
            signatures=signatures or None,
            progress=sys.stderr.isatty(),
            **options,
        )
    if as_json:
        print_json(result.to_dict())
    else:
        _print(result)
    if not result.passed:
        raise SystemExit(1)


def _print(result: Any) -> None:
    from compat_hub.tools.demo.console_report import Report  # noqa: PLC0415

    report = Report()
    report.rows(
        ["variant", "signature", "compared", "tensors", "largest error", ""],
        [
            (*names, count, f"{worst:.1e}", "ok" if passed else "FAILED")
            for *names, count, worst, passed in result.summary()
        ],
    )
    for check in result.failures:
        report.check(
            False,
            f"{check.kind} {check.name!r} of {check.signature!r}: error {check.max_error:.2e}, "
            f"limit {check.limit:.2e}. {check.note}".rstrip(),
        )
    for note in result.notes:
        report.line(note)
    report.line("PASS" if result.passed else "FAIL", "bold")
