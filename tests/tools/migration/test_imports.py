from __future__ import annotations

import libcst as cst
import pytest

from compat_hub.tools.migration.imports import rewrite_imports


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import tensorflow_hub as hub  # why", "import compat_hub as hub  # why"),
        ("import tensorflow_hub", "import compat_hub as tensorflow_hub"),
        ("import os, tensorflow_hub as h , re", "import os, compat_hub as h , re"),
        ("from tensorflow_hub import Module", "from compat_hub import Module"),
        ("from tensorflow_hub import *", "from compat_hub import *"),
        (
            "from tensorflow_hub import (\n    load,  # one\n    Module as M,\n)",
            "from compat_hub import (\n    load,  # one\n    Module as M,\n)",
        ),
        ("from tensorflow_hub.keras_layer import KerasLayer", "from compat_hub import KerasLayer"),
        ("def f():\n\timport tensorflow_hub as hub\n", "def f():\n\timport compat_hub as hub\n"),
    ],
)
def test_imports(old: str, new: str) -> None:
    assert rewrite_imports(cst.parse_module(old)).code == new


@pytest.mark.parametrize(
    "code",
    [
        "import tensorflow_hub.tools",
        "import tensorflow_hub.registry as r",
        "from tensorflow_hub import registry",
        "from tensorflow_hub import load, tools",
        "from tensorflow_hub.module import *",
        "from tensorflow_hub.tools import x",
        "from . import tensorflow_hub",
        "from .tensorflow_hub import load",
        "import tensorflow_hubble",
        "from tensorflow_hubble import load",
        "hub = __import__('tensorflow_hub')",
    ],
)
def test_what_stays(code: str) -> None:
    assert rewrite_imports(cst.parse_module(code)).code == code
