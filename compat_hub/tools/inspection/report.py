"""`Inspection`: what is in a module, as an object that shows itself."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from compat_hub.common.html_table import html_table
from compat_hub.format.spec import ModuleSpec
from compat_hub.tools.inspection.as_html import check_installed, make_page, write_page
from compat_hub.tools.inspection.as_tensorboard import write_graphs
from compat_hub.tools.inspection.as_text import lines_of
from compat_hub.tools.inspection.facts import Finding, ModuleFacts, WeightFacts, as_json
from compat_hub.tools.inspection.tables import Block, make_blocks

_WIDTH = 100


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What `compat_hub.inspect` found.

    Examples:
        >>> inspection = compat_hub.inspect("path/to/module", weights=True)
        >>> inspection.passed
        True
        >>> print(inspection.text()[:169])
        path/to/module
          format        TF1 Hub format, written by TensorFlow 1.15.5
          folder        path/to/module
          size on disk  52.2 kB: graph 51.3 kB, variables 972 bytes
        <BLANKLINE>
        >>> print(inspection.weights[0].name, round(inspection.weights[0].max, 2))
        features/dense/kernel 0.62

    Attributes:
        spec: The module's description.
        facts: What is in the module.
        verdict: What works in TensorFlow 2, what trains, what does not and why.
        weights: Statistics of the variables' values, None where they were not asked for.
    """

    spec: ModuleSpec
    facts: ModuleFacts
    verdict: tuple[Finding, ...]
    weights: tuple[WeightFacts, ...] | None = None

    @property
    def passed(self) -> bool:
        """Whether `compat_hub.load` takes the module, and every signature can be called."""
        return not any(f.level == "no" and f.topic in {"load", "call"} for f in self.verdict)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it; docs/command_line.md has the keys."""
        return {
            **as_json(self.facts),
            "passed": self.passed,
            "verdict": as_json(self.verdict),
            "weights": as_json(self.weights),
        }

    def blocks(self, show_all: bool = False) -> list[Block]:
        """The report as titled tables.

        Args:
            show_all: Whether long lists are shown whole.

        Returns:
            The tables, in the order of the report.
        """
        return make_blocks(self.facts, self.verdict, self.weights, show_all)

    def text(self, show_all: bool = False, width: int = _WIDTH) -> str:
        """The report as text.

        Args:
            show_all: Whether long lists are shown whole.
            width: How many characters a line of prose has at most.

        Returns:
            The text, of several lines.
        """
        hint = " (text(show_all=True) shows them)"
        lines = lines_of(self.blocks(show_all), width, hint)
        return "\n".join(line for line, _ in lines)

    def write_html(self, path: str | os.PathLike[str]) -> str:
        """Writes the report as one page, with a picture of each graph by scopes.

        It needs no other file and no network. Where the inspection read the weights, it has their
        distributions. It needs the extra `compat-hub[html]`.

        Args:
            path: The file; one that is there is replaced.

        Returns:
            The path.

        Raises:
            HubError: The extra is not installed.
            ResolveError: The file cannot be written.
        """
        check_installed()
        blocks = make_blocks(self.facts, self.verdict, None, show_all=True)
        blocks = [block for k, block in enumerate(blocks) if k != 1]  # the verdict has its own form
        text = make_page(self.spec, self.facts, self.verdict, blocks, self.weights or ())
        return write_page(path, text)

    def write_tensorboard(self, folder: str | os.PathLike[str]) -> list[str]:
        """Writes the graph of each variant for TensorBoard, as a run of its own.

        Args:
            folder: What to pass to TensorBoard as `--logdir`.

        Returns:
            The paths of the runs.

        Raises:
            ResolveError: It cannot be written.
        """
        return write_graphs(self.spec, folder)

    def __str__(self) -> str:
        """The report as text, long lists cut."""
        return self.text()

    def __repr__(self) -> str:
        verdict = "" if self.passed else ", with problems"
        return f"<compat_hub.Inspection of {self.facts.handle!r}{verdict}>"

    def _repr_html_(self) -> str:
        tables = [html_table(b.title, b.columns, b.rows, b.more) for b in self.blocks()]
        return "".join(tables)
