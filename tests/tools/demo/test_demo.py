from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub import keras3
from compat_hub.tools.demo import demo
from compat_hub.tools.demo.console_report import Report


def _checks(text: str) -> tuple[int, list[str]]:
    """How many checks passed, and the lines of those that did not."""
    lines = [line.strip() for line in text.splitlines()]
    return sum(li.startswith("ok ") for li in lines), [li for li in lines if "FAILED" in li]


def test_all_checks_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.run_demo(epochs=3, baskets=64)
    passed, failed = _checks(capsys.readouterr().out)
    assert (passed, failed) == (8, [])


def test_checks_notice_that_a_layer_does_not_train(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Frozen(keras3.KerasLayer):
        def __init__(self, *args, **kwargs) -> None:
            super().__init__(*args, **{**kwargs, "trainable": False})

    monkeypatch.setattr(compat_hub, "KerasLayer", Frozen)
    assert not demo.run_demo(epochs=1, baskets=64)
    _, failed = _checks(capsys.readouterr().out)
    assert {"weights moved", "update ops ran", "regularization losses"} <= {
        phrase
        for line in failed
        for phrase in ("weights moved", "update ops ran", "regularization losses")
        if phrase in line
    }


def test_checks_notice_that_freezing_does_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class NeverFrozen(keras3.KerasLayer):
        trainable = property(lambda _: True, lambda *_: None)

    monkeypatch.setattr(compat_hub, "KerasLayer", NeverFrozen)
    assert not demo.run_demo(epochs=3, baskets=64)
    _, failed = _checks(capsys.readouterr().out)
    assert len(failed) == 4  # three checks and the summary


def test_baskets_are_the_same_each_time() -> None:
    inputs, targets = demo.make_baskets(5)
    again, targets_again = demo.make_baskets(5)
    assert {name: value.shape for name, value in inputs.items()} == {
        "apples": (5, 4),
        "oranges": (5, 3),
    }
    assert targets.shape == (5, 1)
    np.testing.assert_array_equal(targets, targets_again)
    for name, value in inputs.items():
        np.testing.assert_array_equal(value, again[name])


def test_largest_changes() -> None:
    moved, still = tf.Variable([1.0, 2.0]), tf.Variable(3)
    changes = demo.largest_changes([[moved, still], [still]], lambda: moved.assign([0.5, 2.0]))
    assert changes == [0.5, 0]


def test_calling_shows_what_the_module_gives(
    capsys: pytest.CaptureFixture[str], fixture_path
) -> None:
    module = compat_hub.load(fixture_path("pets"))
    baskets = {"apples": np.ones([2, 4], np.float32), "oranges": np.ones([2, 3], np.float32)}
    demo.call(Report(), module, baskets)
    cats = module.signatures["fruit_to_pet"](**baskets)["cats"].numpy()
    text = capsys.readouterr().out
    assert "apples [2, 4]" in text
    assert " ".join(f"{number:5.2f}" for number in cats[0]) in text
