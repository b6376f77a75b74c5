"""Whether packages are installed that have ops of some fixtures."""

from __future__ import annotations

import importlib.util

import pytest

HAS_TEXT = importlib.util.find_spec("tensorflow_text") is not None
needs_text = pytest.mark.skipif(not HAS_TEXT, reason="tensorflow_text is not installed")
HAS_ESTIMATOR = importlib.util.find_spec("tensorflow_estimator") is not None
HAS_SLIM = importlib.util.find_spec("tf_slim") is not None
needs_slim = pytest.mark.skipif(not HAS_SLIM, reason="tf_slim is not installed")
