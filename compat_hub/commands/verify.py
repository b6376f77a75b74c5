"""The command `compat-hub verify`."""

from __future__ import annotations

import click

from compat_hub._quiet_import import import_quietly
from compat_hub.commands.errors import bad_input
from compat_hub.commands.host_access import host_access_option
from compat_hub.commands.json_output import json_option, print_json


@click.command()
@click.argument("handle")
@click.option(
    "--against",
    metavar="PATH",
    help="What convert made of the module: its signatures are compared, too.",
)
@click.option(
    "--rtol", default=1e-4, show_default=True, help="Error allowed, relative to a tensor."
)
@click.option("--atol", default=1e-5, show_default=True, help="Error allowed besides.")
@host_access_option
@json_option
def verify(
    handle: str,
    against: str | None,
    rtol: float,
    atol: float,
    allow_host_access: bool,
    as_json: bool,
) -> None:
    """Compare a module with a session of TF1, tensor by tensor.

    For every graph variant and signature, on inputs that are made up to fit: the outputs, the
    gradients of all trainable variables, the variables after a training call, the regularization
    losses.

    The exit status is 0 when all agrees, 1 when something does not, and 2 when HANDLE leads to no
    module that can be read.
    """
    import_quietly()
    from compat_hub._report import Report  # noqa: PLC0415
    from compat_hub._verify import verify as verify_module  # noqa: PLC0415
    from compat_hub.spec import load_module_spec  # noqa: PLC0415

    with bad_input():
        spec = load_module_spec(handle, allow_host_access=allow_host_access)
        result = verify_module(spec, rtol=rtol, atol=atol, against=against)
    if as_json:
        print_json(result.to_dict())
    else:
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
                f"limit {check.limit:.2e}. {check.note}",
            )
        report.line("PASS" if result.passed else "FAIL", "bold")
    if not result.passed:
        raise SystemExit(1)
