"""`inspect`: what is in a module, and what of it works in TensorFlow 2."""

from __future__ import annotations

import dataclasses
import os

from compat_hub.format.spec import ModuleSpec
from compat_hub.tools.inspection.read_facts import read_facts
from compat_hub.tools.inspection.report import Inspection
from compat_hub.tools.inspection.verdict import find_verdict
from compat_hub.tools.inspection.weights import read_weights


def inspect(
    handle: str | os.PathLike[str] | ModuleSpec,
    *,
    weights: bool = False,
    allow_links: bool = False,
) -> Inspection:
    """Tells what is in a module, without loading it, and what of it works in TensorFlow 2.

    The module's graph is read, rewritten and imported as a first call would do it, and nothing of
    it runs. No variable's value is read, unless asked for. So a module that `load` refuses can be
    inspected, too: the verdict says why it does.

    Examples:
        >>> inspection = compat_hub.inspect("path/to/module")
        >>> for finding in inspection.verdict:
        ...     print(finding.level, finding.text)
        yes load() takes it: TensorFlow ... has all of its ops, and nothing of it touches the host.
        yes Every signature of the variant set() and the variant {"train"} can be called: ...
        yes Through 'default' of the variant {"train"}, 4 of 8 trainable variables train (...).
        yes Through 'fruit_to_pet' of the variant {"train"}, all 8 trainable variables train (...).
        yes Training calls use the variant {"train"}. They run 4 update ops and add 3 ...
        >>> variable = inspection.facts.variables[0]
        >>> print(variable.name, variable.shape, variable.trainable)
        features/dense/kernel (7, 8) True

    Args:
        handle: What `compat_hub.load` takes. Of a plain SavedModel the verdict says no more than
            that it is one.
        weights: Whether to read the values of all variables, one after the other, for statistics
            and histograms of them.
        allow_links: As for `compat_hub.load`.

    Returns:
        The `Inspection`.

    Raises:
        ResolveError: The handle leads to no folder.
        ModuleFormatError: The folder holds no module or SavedModel that can be read.
        UnsafeModuleError: A file is behind a link that leads out of the folder.
    """
    spec, facts = read_facts(handle, allow_links)
    found = None
    if weights:
        values, problems = read_weights(spec)
        found = tuple(values)
        facts = dataclasses.replace(facts, problems=(*facts.problems, *problems))
    return Inspection(spec, facts, find_verdict(facts), found)
