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


_PLAIN = "from compat_hub import tf1 as tf\ntf.disable_v2_behavior()"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import tensorflow as tf", _PLAIN),
        (
            "import tensorflow as tf  # why\nx = 1",
            f"{_PLAIN.replace('tf1 as tf', 'tf1 as tf  # why')}\nx = 1",
        ),
        (
            "import tensorflow",
            _PLAIN.replace("as tf", "as tensorflow").replace("tf.d", "tensorflow.d"),
        ),
        ("import tensorflow as tf, os", f"import os\n{_PLAIN}"),
        ("import tensorflow.compat.v1 as tf", "from compat_hub import tf1 as tf"),
        ("from tensorflow.compat import v1 as tf", "from compat_hub import tf1 as tf"),
        ("import tensorflow.keras.backend as K", "import compat_hub.tf1.keras.backend as K"),
        ("from keras import backend as K", "from compat_hub.tf1.keras import backend as K"),
        ("import keras", "from compat_hub.tf1 import keras"),
        (
            "from tensorflow.keras.layers import (\n    Dense,  # one\n    Lambda as L,\n)",
            "from compat_hub.tf1.keras.layers import (\n    Dense,  # one\n    Lambda as L,\n)",
        ),
        ("from tensorflow import keras", "from compat_hub.tf1 import keras"),
        ("import os; import tensorflow as tf", f"import os; {'; '.join(_PLAIN.splitlines())}"),
        ("def f():\n\timport tensorflow as tf\n", "def f():\n\tfrom compat_hub import tf1 as tf\n"),
        ("from tensorflow.python.platform import gfile", None),
        ("from tensorflow.contrib import quantize", None),
        ("from tensorflow.nothing import x", None),
        ("from .tensorflow import x", None),
        ("import tensorflow.python.ops", None),
        ("import tensorflow_datasets as tfds", None),
    ],
)
def test_imports_of_tensorflow(old: str, new: str | None) -> None:
    new = old if new is None else new
    assert rewrite_imports(cst.parse_module(old), is_tf1=True).code == new
    assert rewrite_imports(cst.parse_module(new), is_tf1=True).code == new
    of_v1 = new if "compat" in old else old
    assert rewrite_imports(cst.parse_module(old), is_tf1=False).code == of_v1
