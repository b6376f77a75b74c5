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
        "load and first call, of tf.saved_model.load",
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
        "load and first call, of tensorflow_hub's",
        "loading",
        _each(("inception_v3", "bert_base", "albert_base"), "compat", "tensorflow_hub"),
        _ratio,
        rounds=3,
        needs="TENSORFLOW_HUB_PYTHON",
    ),
    Target(
        "load-session",
        "load and first call, of a TF1 session",
        "loading",
        _each(("inception_v3", "bert_base"), "compat", "session"),
        _ratio,
    ),
    Target(
        "load-both",
        "load and first call of both variants, of tf.saved_model.load for one",
        "loading",
        _each((*_IMAGES, "bert_base"), "compat_both_variants", "saved_model"),
        _ratio,
        2 / 3,
    ),
    Target(
        "host-check",
        "the check for host access makes load and first call longer, %",
        "checking",
        _each(("saver", "bert_base", "inception_v3", "text_1e6"), "compat"),
        lambda found: 100 * found[0]["again"] / found[0]["seconds"],
        1.0,
        rounds=3,
    ),
    Target(
        "restore",
        "restoring variables, GB/s",
        "restoring",
        _each(("bert_base", "text_1e6"), "compat"),
        lambda found: found[0]["gigabytes per second"],
        1.5,
        at_least=True,
    ),
    Target(
        "read",
        "reading the files into memory that is there, GB/s",
        "restoring",
        _each(("bert_base", "text_1e6"), "plain_reads"),
        lambda found: found[0]["gigabytes per second"],
        rounds=3,
    ),
    Target(
        "memory",
        "peak memory of load less 60 MB, of the weights",
        "loading",
        _each(("bert_base", "text_1e6"), "compat"),
        _memory,
        1.15,
        rounds=3,
    ),
    Target(
        "second-handle",
        "load and first call of a second handle, of the first",
        "handles",
        _each(("inception_v3", "bert_base"), "compat"),
        _in_one_process,
    ),
    Target(
        "ladder",
        "load and first call of 10 times the nodes, of once",
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
        "an eager call of a tiny signature, of tf.saved_model.load's",
        "calls",
        _each(("tiny",), "eager"),
        _in_one_process,
        0.7,
    ),
    Target(
        "function",
        "inference inside tf.function, of tf.saved_model.load's",
        "calls",
        _each(("bert_base", "albert_base", "text_1e5"), "function"),
        _in_one_process,
        1.0,
        rounds=3,
    ),
    Target(
        "images",
        "inference of image modules, of tf.saved_model.load's",
        "calls",
        _each(_IMAGES, "function"),
        _in_one_process,
        0.9,
        rounds=3,
    ),
    Target(
        "loops",
        "raised loops in inference, of the unraised ones",
        "calls",
        _each(("lstm",), "function"),
        _in_one_process,
        1.0,
    ),
    Target(
        "fit",
        "a training step in fit, of native tf_keras layers",
        "training",
        _each((*_IMAGES, "bert_base"), "native"),
        _in_one_process,
        1.05,
        rounds=3,
    ),
    Target(
        "train-session",
        "a training step, of a TF1 session",
        "training",
        _each((*_IMAGES, "bert_base", "lstm"), "session"),
        _in_one_process,
        1.0,
        rounds=3,
    ),
    Target(
        "embedding",
        "a training step with 1e6 rows, of 1e5",
        "training",
        _each(("text_1e6",), "embedding"),
        _in_one_process,
        1.3,
        rounds=3,
    ),
    Target(
        "import",
        "what import compat_hub adds to import tensorflow, ms",
        "importing",
        _each(("tiny",), "compat"),
        lambda found: math.inf if found[0]["keras"] else 1e3 * found[0]["seconds"],
        30.0,
    ),
    Target(
        "convert",
        "convert, of tf.saved_model.save of a native model",
        "converting",
        _each(("bert_base",), "compat", "native"),
        _ratio,
        1.2,
        rounds=3,
    ),
)
