"""Estimators, which TensorFlow had up to 2.15 and tensorflow_estimator has in its last release.

Both were seen in tensorflow_estimator 2.15.0.
"""

from __future__ import annotations

import sys
from typing import Any


def exporter_class() -> Any:
    """The class that `EvalSpec` wants exporters to be of; None where it is not imported."""
    found = sys.modules.get("tensorflow_estimator.python.estimator.exporter")
    return getattr(found, "Exporter", None)


def session_config(estimator: Any) -> Any:
    """The ConfigProto that an Estimator opens its sessions with, if it has one."""
    return getattr(estimator, "_session_config", None)
