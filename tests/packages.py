"""Whether packages are installed that have ops of some fixtures."""

from __future__ import annotations

import importlib.util

import pytest

HAS_TEXT = importlib.util.find_spec("tensorflow_text") is not None
needs_text = pytest.mark.skipif(not HAS_TEXT, reason="tensorflow_text is not installed")
