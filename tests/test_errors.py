from __future__ import annotations

import copy
import pickle

import pytest
import tensorflow as tf

import compat_hub
from compat_hub import errors

# The builtin that tensorflow_hub raises in the same place.
BUILTINS = {
    compat_hub.HubError: [],
    compat_hub.ModuleFormatError: [ValueError],
    compat_hub.SignatureError: [ValueError],
    compat_hub.UnknownNameError: [ValueError, LookupError, KeyError],
    compat_hub.InputTypeError: [ValueError, TypeError],
    compat_hub.ResolveError: [OSError],
    compat_hub.PathExistsError: [OSError, FileExistsError],
    compat_hub.CheckpointError: [ValueError, OSError],
    compat_hub.ConfigError: [RuntimeError, NotImplementedError],
    compat_hub.NoGradientError: [LookupError],
    compat_hub.GraphError: [RuntimeError],
    compat_hub.BackendError: [ImportError],
    compat_hub.UnsafeModuleError: [],
}
ALL_BUILTINS = [
    ValueError,
    LookupError,
    KeyError,
    TypeError,
    OSError,
    FileExistsError,
    RuntimeError,
    NotImplementedError,
    ImportError,
]
MESSAGE = 'In module \'a\', variant {"train"}: it\'s\n100% "wrong".'


def test_every_error_is_listed() -> None:
    assert {e.__name__ for e in BUILTINS} == set(errors.__all__)
    assert set(errors.__all__) <= set(compat_hub.__all__)


@pytest.mark.parametrize("kind", BUILTINS, ids=lambda kind: kind.__name__)
def test_old_except_clauses_catch_it(kind: type[Exception]) -> None:
    assert issubclass(kind, compat_hub.HubError)
    assert [b for b in ALL_BUILTINS if issubclass(kind, b)] == BUILTINS[kind]


@pytest.mark.parametrize("kind", BUILTINS, ids=lambda kind: kind.__name__)
def test_the_message_prints_as_it_is(kind: type[Exception]) -> None:
    error = kind(MESSAGE)
    assert str(error) == MESSAGE
    assert error.args == (MESSAGE,)
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is kind
        assert str(twin) == MESSAGE


@pytest.mark.parametrize("kind", BUILTINS, ids=lambda kind: kind.__name__)
def test_it_keeps_its_type_on_its_way_through_autograph(kind: type[Exception]) -> None:
    @tf.function
    def call() -> None:
        raise kind(MESSAGE)

    with pytest.raises(kind, match='100% "wrong"') as caught:
        call()
    assert type(caught.value) is kind


def test_what_the_library_raises_is_caught_by_old_clauses(fixture_path) -> None:
    module = compat_hub.load(fixture_path("fruit"))
    with pytest.raises(KeyError):
        module.signatures["nope"]
    with pytest.raises(KeyError):
        compat_hub.load(fixture_path("fruit"), tags="train")
    with pytest.raises(ValueError, match="nope"):
        module(tf.zeros([2, 5]), signature="nope")
    with pytest.raises(TypeError):
        module({"pears": 1})
    with pytest.raises(OSError, match="missing"):
        compat_hub.load("/missing")
    with pytest.raises(ValueError, match="TF1 Hub format"):
        compat_hub.load_module_spec("/")
