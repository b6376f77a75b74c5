"""The demo: a sample module loaded, called and fine-tuned, with checks of what took part."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import compat_hub
from compat_hub.format.variant import format_tags
from compat_hub.tools.demo.console_report import Report
from compat_hub.tools.samples import sample_path

_keras: Any = tf.keras  # whose layer compat_hub.KerasLayer is
_SEED = 7
_EPOCHS = 8
_BASKETS = 512

Baskets = dict[str, np.ndarray]


def run_demo(epochs: int = _EPOCHS, baskets: int = _BASKETS, report: Report | None = None) -> bool:
    """Runs the demo and prints to the standard output.

    Args:
        epochs: For how many epochs to fine-tune.
        baskets: How many examples to make for it.
        report: What to print with.

    Returns:
        Whether every check of the demo passed.
    """
    _keras.utils.set_random_seed(_SEED)
    report = report or Report()
    package = _keras.__name__.partition(".")[0]
    report.line(
        f"compat_hub {compat_hub.__version__}, TensorFlow {tf.__version__}, "
        f"{package} {importlib.import_module(package).__version__}"
    )
    path = sample_path("pets")
    module = load(report, path)
    data, targets = make_baskets(baskets)
    call(report, module, {name: values[:3] for name, values in data.items()})
    fine_tune(report, path, data, targets, epochs)
    report.summary()
    return report.passed


def make_baskets(count: int) -> tuple[Baskets, np.ndarray]:
    """Makes examples to learn from: baskets of fruit, and how happy the pets at home are.

    Args:
        count: How many.

    Returns:
        The inputs, `apples` of shape [count, 4] and `oranges` of shape [count, 3], and the targets,
        of shape [count, 1].
    """
    random = np.random.default_rng(_SEED)
    apples = random.normal(size=(count, 4))
    oranges = random.normal(size=(count, 3))
    happiness = np.tanh(apples[:, :1] - apples[:, 1:2]) + np.abs(oranges[:, :1]) - oranges[:, 1:2]
    inputs = {"apples": apples.astype(np.float32), "oranges": oranges.astype(np.float32)}
    return inputs, happiness.astype(np.float32)


def load(report: Report, path: str) -> compat_hub.HubModule:
    """Loads the sample and shows what it consists of."""
    report.step("Load a module in TF1 Hub format")
    report.code(f'module = compat_hub.load("{path}")')
    module = compat_hub.load(path)
    report.facts(
        {
            "variants": ", ".join(map(format_tags, module.spec.get_tags())),
            "signatures": ", ".join(module.get_signature_names()),
            "variables": f"{len(module.variables)}, of them "
            f"{len(module.trainable_variables)} trainable",
            "regularization losses": str(len(module.regularization_losses)),
        }
    )
    return module


def call(report: Report, module: compat_hub.HubModule, baskets: Baskets) -> None:
    """Calls a signature eagerly and shows inputs and outputs."""
    report.step("Call one of its signatures")
    report.code(
        'pets = module({"apples": apples, "oranges": oranges},\n'
        '              signature="fruit_to_pet", as_dict=True)'
    )
    pets = module(baskets, signature="fruit_to_pet", as_dict=True)
    report.table("inputs", baskets)
    report.table("outputs", {name: value.numpy() for name, value in pets.items()})


def fine_tune(
    report: Report, path: str, baskets: Baskets, targets: np.ndarray, epochs: int
) -> None:
    """Trains the sample inside a Keras model, freezes it, and checks what changed and what not."""
    report.step("Fine-tune it inside a Keras model")
    report.code(
        "layer = compat_hub.KerasLayer(\n"
        '    path, signature="fruit_to_pet", signature_outputs_as_dict=True, trainable=True)\n'
        'fruit = {"apples": Input([4], name="apples"), "oranges": Input([3], name="oranges")}\n'
        "pets = layer(fruit)\n"
        'happiness = Dense(1)(Concatenate()([pets["cats"], pets["dogs"]]))\n'
        "model = tf.keras.Model(fruit, happiness)\n"
        'model.compile(Adam(0.01), "mse", metrics=["mse"])\n'
        f"model.fit(baskets, targets, epochs={epochs})"
    )
    layer = compat_hub.KerasLayer(
        path, signature="fruit_to_pet", signature_outputs_as_dict=True, trainable=True
    )
    model = make_model(layer)
    module = layer.resolved_object
    averages, weights = module.non_trainable_variables, module.trainable_variables

    def fit(epochs: int) -> None:
        # A progress bar for a person; one line for each epoch in a file.
        verbosity = 1 if report.is_terminal else 2
        model.fit(baskets, targets, epochs=epochs, verbose=verbosity)

    def evaluate() -> dict[str, float]:
        return model.evaluate(baskets, targets, verbose=0, return_dict=True)

    compile_model(model)
    before = evaluate()
    moved_in_fit = largest_changes([averages, weights], lambda: fit(epochs))
    after = evaluate()
    moved_in_predict = largest_changes([averages], lambda: model.predict(baskets, verbose=0))
    losses = {loss.name: float(loss()) for loss in module.regularization_losses}

    report.step("What took part")
    report.check(
        after["loss"] < before["loss"],
        f"the loss fell from {before['loss']:.3f} to {after['loss']:.3f}",
    )
    report.check(moved_in_fit[1] > 0, f"weights moved in fit, by up to {moved_in_fit[1]:.3f}")
    report.check(
        moved_in_fit[0] > 0,
        f"update ops ran: moving averages moved in fit, by up to {moved_in_fit[0]:.3f}",
    )
    report.check(moved_in_predict[0] == 0, "moving averages stood still in predict")
    total = sum(losses.values())
    report.check(
        bool(losses) and np.isclose(after["loss"] - after["mse"], total, atol=1e-4).item(),
        f"{len(losses)} regularization losses are in the loss, {total:.4f} of {after['loss']:.4f}; "
        f"the rest, {after['mse']:.4f}, is mse",
    )
    for name, value in losses.items():
        report.line(f"          {value:.4f}  {name}")

    report.step("Freeze it, and fit again")
    report.code("layer.trainable = False\nmodel.compile(...)")
    layer.trainable = False
    compile_model(model)
    moved_when_frozen = largest_changes([averages, weights], lambda: fit(1))
    frozen = evaluate()
    report.line()
    report.check(moved_when_frozen[1] == 0, "weights stood still")
    report.check(moved_when_frozen[0] == 0, "moving averages stood still")
    report.check(
        not layer.losses and np.isclose(frozen["loss"], frozen["mse"], atol=1e-4).item(),
        "no regularization losses in the loss",
    )


def make_model(layer: Any) -> Any:
    """A model on `fruit_to_pet` that gives one number of shape [batch, 1]."""
    fruit = {
        "apples": _keras.Input([4], name="apples"),
        "oranges": _keras.Input([3], name="oranges"),
    }
    pets = layer(fruit)
    both = _keras.layers.Concatenate()([pets["cats"], pets["dogs"]])
    return _keras.Model(fruit, _keras.layers.Dense(1)(both))


def compile_model(model: Any) -> None:
    """Compiles for mean squared error; needed again after a layer was frozen."""
    model.compile(_keras.optimizers.Adam(0.01), "mse", metrics=["mse"])


def largest_changes(
    groups: Sequence[Sequence[tf.Variable]], action: Callable[[], object]
) -> list[float]:
    """By how much an action changes any element of any variable, for each group of variables."""
    before = [[variable.numpy() for variable in group] for group in groups]
    action()
    return [
        max(float(np.abs(v.numpy() - old).max()) for v, old in zip(group, olds, strict=True))
        for group, olds in zip(groups, before, strict=True)
    ]
