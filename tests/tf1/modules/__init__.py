"""The modules, grouped by the corner of the format that they show."""

from . import (  # noqa: F401
    batch_norm,
    composite,
    conds,
    control_flow,
    convolution,
    dense,
    dtypes,
    functions,
    loops,
    reference_variables,
    samples,
    side_effects,
    signatures,
    text,
    updates,
    variables,
    variants,
)
