"""What is measured, of which modules, and how much is allowed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

from benchmarks.processes import Figures

# A way of a measure, and the module that it is run with.
Run = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Target:
    """Some lines of the table.

    Attributes:
        name: What it is called on the command line.
        what: What the figure is.
        unit: Its unit: "x" for a ratio.
        measure: The file in `benchmarks.measures`.
        cases: By what the line is called, the ways that are run in turn in fresh processes.
        figure: The figure, from the medians that these found.
        limit: The most that it may be; the least for `at_least`.
        at_least: Whether more is better.
        rounds: How often each way is run.
        needs: An environment variable without which there is nothing to compare with.
    """

    name: str
    what: str
    unit: str
    measure: str
    cases: Mapping[str, tuple[Run, ...]]
    figure: Callable[[Sequence[Figures]], float]
    limit: float = math.inf
    at_least: bool = False
    rounds: int = 5
    needs: str = ""

    def holds(self, figure: float) -> bool:
        """Whether a figure is within the limit."""
        return figure >= self.limit if self.at_least else figure <= self.limit


def _ratio(found: Sequence[Figures]) -> float:
    """Of seconds of the first way to those of the second."""
    return found[0]["seconds"] / found[1]["seconds"]


def _in_one_process(found: Sequence[Figures]) -> float:
    return found[0]["ours"] / found[0]["theirs"]


def _memory(found: Sequence[Figures]) -> float:
    return (found[0]["load peak"] - 60e6) / found[0]["weights"]


def _each(modules: Sequence[str], *ways: str) -> dict[str, tuple[Run, ...]]:
    return {module: tuple((way, module) for way in ways) for module in modules}


_IMAGES = ("resnet50_v2", "inception_v3")

TARGETS = (
    Target(
        "load",
        "Load and first call, relative to `tf.saved_model.load`",
        "x",
        "loading",
        _each(
            (*_IMAGES, "bert_base", "albert_base", "ladder_3000", "ladder_5000"),
            "compat",
            "saved_model",
        ),
        _ratio,
        1 / 3,
    ),
    Target(
        "load-hub",
        "Load and first call, relative to tensorflow_hub",
        "x",
        "loading",
        _each(("inception_v3", "bert_base", "albert_base"), "compat", "tensorflow_hub"),
        _ratio,
        rounds=3,
        needs="TENSORFLOW_HUB_PYTHON",
    ),
    Target(
        "load-session",
        "Load and first call, relative to a session of TF1",
        "x",
        "loading",
        _each(("inception_v3", "bert_base"), "compat", "session"),
        _ratio,
    ),
    Target(
        "load-both",
        "Load and first call of both variants, relative to `tf.saved_model.load` of one",
        "x",
        "loading",
        _each((*_IMAGES, "bert_base"), "compat_both_variants", "saved_model"),
        _ratio,
        2 / 3,
    ),
    Target(
        "host-check",
        "Time that the check for host access adds to load and first call",
        "%",
        "checking",
        _each(("saver", "bert_base", "inception_v3", "text_1e6"), "compat"),
        lambda found: 100 * found[0]["again"] / found[0]["seconds"],
        1.0,
        rounds=3,
    ),
    Target(
        "restore",
        "Speed of restoring the variables (higher is better)",
        "GB/s",
        "restoring",
        _each(("bert_base", "text_1e6"), "compat"),
        lambda found: found[0]["gigabytes per second"],
        1.5,
        at_least=True,
    ),
    Target(
        "read",
        "Speed of reading the same files into memory, for comparison (higher is better)",
        "GB/s",
        "restoring",
        _each(("bert_base", "text_1e6"), "plain_reads"),
        lambda found: found[0]["gigabytes per second"],
        rounds=3,
    ),
    Target(
        "memory",
        "Peak memory of loading, less 60 MB for the program, relative to the size of the weights",
        "x",
        "loading",
        _each(("bert_base", "text_1e6"), "compat"),
        _memory,
        1.15,
        rounds=3,
    ),
    Target(
        "second-handle",
        "Load and first call of a second handle on the same module, relative to the first",
        "x",
        "handles",
        _each(("inception_v3", "bert_base"), "compat"),
        _in_one_process,
    ),
    Target(
        "ladder",
        "Load and first call of a graph with 10 times the nodes, relative to the smaller one",
        "x",
        "loading",
        {
            "50,000 nodes": (("compat", "ladder_50000"), ("compat", "ladder_5000")),
            "30,000 nodes": (("compat", "ladder_30000"), ("compat", "ladder_3000")),
            "10,000 nodes": (("compat", "ladder_10000"), ("compat", "ladder_1000")),
        },
        _ratio,
        11.0,
        rounds=3,
    ),
    Target(
        "eager",
        "An eager call of a tiny signature, relative to one loaded by `tf.saved_model.load`",
        "x",
        "calls",
        _each(("tiny",), "eager"),
        _in_one_process,
        0.7,
    ),
    Target(
        "function",
        "Inference inside `tf.function`, relative to `tf.saved_model.load`",
        "x",
        "calls",
        _each(("bert_base", "albert_base", "text_1e5"), "function"),
        _in_one_process,
        1.0,
        rounds=3,
    ),
    Target(
        "images",
        "Inference of image modules, relative to `tf.saved_model.load`",
        "x",
        "calls",
        _each(_IMAGES, "function"),
        _in_one_process,
        0.9,
        rounds=3,
    ),
    Target(
        "loops",
        "Inference with loops as `While` ops, relative to loops as TF1 wrote them",
        "x",
        "calls",
        _each(("lstm",), "function"),
        _in_one_process,
        1.0,
    ),
    Target(
        "fit",
        "A training step in Keras `fit`, relative to the same model in tf_keras layers",
        "x",
        "training",
        _each((*_IMAGES, "bert_base"), "native"),
        _in_one_process,
        1.05,
        rounds=3,
    ),
    Target(
        "train-session",
        "A training step, relative to a session of TF1",
        "x",
        "training",
        _each((*_IMAGES, "bert_base", "lstm"), "session"),
        _in_one_process,
        1.0,
        rounds=3,
    ),
    Target(
        "embedding",
        "A training step with an embedding of 1,000,000 rows, relative to 100,000 rows",
        "x",
        "training",
        _each(("text_1e6",), "embedding"),
        _in_one_process,
        1.3,
        rounds=3,
    ),
    Target(
        "import",
        "Time that `import compat_hub` adds to `import tensorflow`",
        "ms",
        "importing",
        _each(("tiny",), "compat"),
        lambda found: math.inf if found[0]["keras"] else 1e3 * found[0]["seconds"],
        30.0,
    ),
    Target(
        "convert",
        "Time of `convert`, relative to `tf.saved_model.save` of the same model in tf_keras",
        "x",
        "converting",
        _each(("bert_base",), "compat", "native"),
        _ratio,
        1.2,
        rounds=3,
    ),
)
