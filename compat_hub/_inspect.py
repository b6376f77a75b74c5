"""`inspect`: what is in a module, and what of it works in TensorFlow 2."""

from __future__ import annotations

import dataclasses
import os

from compat_hub.inspection.reading import read_facts
from compat_hub.inspection.report import Inspection
from compat_hub.inspection.verdict import find_verdict
from compat_hub.inspection.weights import read_weights
from compat_hub.spec import ModuleSpec


def inspect(handle: str | os.PathLike[str] | ModuleSpec, *, weights: bool = False) -> Inspection:
    """Tells what is in a module, without loading it, and what of it works in TensorFlow 2.

    The module's graph is read, rewritten and imported as a first call would do it, and nothing of
    it runs. No variable's value is read, unless asked for. So a module that `load` refuses can be
    inspected, too: the verdict says why it does.

    Example:
        ```python
        inspection = compat_hub.inspect("path/to/module")
        print(inspection)                                     # in a notebook it shows itself
        for finding in inspection.verdict:
            print(finding.level, finding.text)                # "yes", "note" or "no"
        for variable in inspection.facts.variables:
            print(variable.name, variable.shape, variable.trainable)
        ```

    Args:
        handle: What `compat_hub.load` takes. Of a plain SavedModel the verdict says no more than
            that it is one.
        weights: Whether to read the values of all variables, one after the other, for statistics
            and histograms of them.

    Returns:
        The `Inspection`.

    Raises:
        ResolveError: The handle leads to no folder.
        ModuleFormatError: The folder holds no module or SavedModel that can be read.
    """
    spec, facts = read_facts(handle)
    found = None
    if weights:
        values, problems = read_weights(spec)
        found = tuple(values)
        facts = dataclasses.replace(facts, problems=(*facts.problems, *problems))
    return Inspection(spec, facts, find_verdict(facts), found)
