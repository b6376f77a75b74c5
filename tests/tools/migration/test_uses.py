from __future__ import annotations

import textwrap

import libcst as cst
import pytest

from compat_hub.tools.migration.report import Use
from compat_hub.tools.migration.uses import find_uses

_HEAD = "import tensorflow.compat.v1 as tf\nimport tensorflow_hub as hub\n"


def _uses(code: str) -> list[Use]:
    """The uses after the head."""
    module = cst.parse_module(_HEAD + textwrap.dedent(code))
    return [use for use in find_uses(module) if use.line > 2]


def _one(code: str) -> Use:
    (use,) = _uses(code)
    return use


@pytest.mark.parametrize(
    ("code", "tf2", "note"),
    [
        ("hub.Module(spec)", "hub.load(spec)", ""),
        ("hub.Module(spec, True, 'a')", "hub.load(spec)", "trainable_variables"),
        ("hub.Module(name='a', spec=p + 'x')", "hub.load(p + 'x')", ""),
        ("hub.Module(spec, tags={'train'})", "hub.load(spec)", "training=True"),
        ("hub.Module(spec, tags=set())", "hub.load(spec)", ""),
        ("hub.Module(spec, tags={'a', 'b'})", "hub.load(spec, tags={'a', 'b'})", ""),
        ("hub.eval_function_for_module(spec, tags=t)", "hub.load(spec)", "gives tensors"),
        (
            "hub.text_embedding_column('k', module_spec=p, trainable=True)",
            "hub.text_embedding_column_v2('k', p, trainable=True)",
            "the path",
        ),
        ("hub.create_module_spec(f)", None, "tf.Module"),
        ("hub.load(p)", None, ""),
        ("hub.KerasLayer(p, trainable=True)", None, ""),
        ("hub.get_expected_image_size(m)", None, ""),
    ],
)
def test_calls_that_run_unchanged(code: str, tf2: str | None, note: str) -> None:
    use = _one(code)
    assert (use.status, use.old, use.new, use.tf2) == ("unchanged", code, code, tf2)
    assert note in use.note


@pytest.mark.parametrize(
    ("code", "status", "new"),
    [
        ("hub.module.Module(p)", "change", "hub.Module(p)"),
        ("hub.native_module.add_signature(x)", "change", "hub.add_signature(x)"),
        ("x = hub.keras_layer.KerasLayer", "change", "hub.KerasLayer"),
        ("hub.registry.resolver.add(x)", "unavailable", None),
        ("hub.bogus", "unavailable", None),
        ("f(hub)", "unknown", None),
        ("getattr(hub, 'load')", "unknown", None),
        ("importlib.import_module('tensorflow_hub')", "change", "'compat_hub'"),
        ("from tensorflow_hub import Module, tools", "unavailable", None),
        ("import tensorflow_hub.tools", "unavailable", None),
    ],
)
def test_what_does_not_run_unchanged(code: str, status: str, new: str | None) -> None:
    use = _one(code)
    assert (use.status, use.new) == (status, new)


@pytest.mark.parametrize(
    "code",
    [
        "f(hub=3)",
        "x.hub.load(p)",
        "def f(hub):\n    return hub.load(p)",
        "'tensorflow_hub is good'",
        "'tensorflow_hub/x'",
        "# tensorflow_hub",
        "import tensorflow_hubble\ntensorflow_hubble.load(p)",
        "tf.global_variables_initializer()",  # of a program without modules
    ],
)
def test_what_is_no_use(code: str) -> None:
    assert _uses(code) == []


def test_a_variable_is_followed() -> None:
    uses = _uses("""
        m = hub.Module(spec, tags={"train"})
        def f(x):
            y = m(x, signature="s")
            m.export("path", session)
            return m.variables, m.get_signature_names()
        class A:
            def __init__(self):
                self.module = hub.Module(spec)
            def call(self, x):
                return self.module(dict(x=x), as_dict=True)["y"]
    """)
    found = {use.old: use.tf2 for use in uses if not use.old.startswith("hub.")}
    assert found == {
        'm(x, signature="s")': 'm(x, signature="s", training=True)',
        'm.export("path", session)': 'm.export("path")',
        "m.variables": None,
        "m.get_signature_names()": None,
        "self.module(dict(x=x), as_dict=True)": None,
    }
    assert all(use.note for use in uses if use.tf2 is None)


@pytest.mark.parametrize(
    "code",
    [
        "m = hub.Module(a)\nm = other\nm(x)",
        "m = other\nm = hub.Module(a)\nm(x)",
        "def f():\n    m = hub.Module(a)\ndef g(m):\n    m(x)",
        "m = hub.Module(a)\ndef f(m):\n    return m.variables",
    ],
)
def test_a_variable_of_something_else_is_not_followed(code: str) -> None:
    assert [use.old for use in _uses(code)] == ["hub.Module(a)"]


def test_modules_of_one_name() -> None:
    code = """import tensorflow_hub as hub
m = hub.Module("a", tags={"train"})
m(x)
m = hub.Module("b", trainable=False)
m.export(path, session)
k = hub.Module("a", tags={"train"})
k = hub.Module("b", tags=["train"])
k(x)
"""
    found = {use.old: (use.tf2, use.note) for use in find_uses(cst.parse_module(code))}
    assert found["m(x)"][0] is None
    assert 'where the module of this name was made with tags={"train"}' in found["m(x)"][1]
    assert found["m.export(path, session)"][0] == "m.export(path)"
    assert found["k(x)"] == ("k(x, training=True)", "")


def test_what_stands_beside_modules() -> None:
    uses = _uses("""
        def f():
            m = hub.Module(spec)
            a = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
            b = tf.get_collection("update_ops")
            c = tf.losses.get_regularization_loss()
            with tf.Session() as session:
                session.run(tf.tables_initializer())
    """)
    assert [use.tf2 for use in uses[1:]] == [
        "[loss() for loss in m.regularization_losses]",
        "",
        "tf.add_n([loss() for loss in m.regularization_losses])",
        "",
        "",
    ]


def test_names_of_other_imports() -> None:
    uses = _uses("""
        from tensorflow_hub import Module as M
        def f():
            try:
                import tensorflow_hub as th
            except ImportError:
                th = None
            return M(p)(x), th.load(p)
    """)
    assert [(use.old, use.tf2) for use in uses] == [
        ("from tensorflow_hub import Module as M", None),
        ("import tensorflow_hub as th", None),
        ("M(p)", "compat_hub.load(p)"),
        ("th.load(p)", None),
    ]


def test_an_import_of_tensorflow_that_lacks_names_of_tf1() -> None:
    code = "import tensorflow as tf, re\nimport tensorflow_hub as hub\nm = hub.Module(p)\n{}\n"
    (first, *_) = find_uses(cst.parse_module(code.format("x = tf.placeholder(tf.float32)")))
    new = "import re; from compat_hub import tf1 as tf; tf.disable_v2_behavior()"
    assert (first.line, first.new) == (1, new)
    code = code.replace("hub.Module", "hub.load")
    (first, *_) = find_uses(cst.parse_module(code.format("x = tf.constant(1)")))
    assert first.old == "import tensorflow_hub as hub"
