"""One fixture module, converted, with what TF 1.15 computed, as the programs on a road need it.

Needs TensorFlow and numpy, and not compat_hub: most environments of the roads do not have it.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.records import FIXTURES, Record, assert_close


class UnableError(Exception):
    """The tool cannot take this module, for a reason of its own."""


@dataclasses.dataclass(frozen=True)
class Case:
    """What `prepare` wrote for one fixture.

    `saved_model` is all of it, `trained` only the signature whose training is recorded. `case.json`
    says of each signature which arrays of `case.npz` are its inputs and outputs.
    """

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def saved_model(self) -> str:
        return str(self.folder / "saved_model")

    @property
    def trained(self) -> str:
        return str(self.folder / "trained")

    @functools.cached_property
    def facts(self) -> dict[str, Any]:
        return json.loads((self.folder / "case.json").read_text())

    @property
    def record(self) -> Record:
        return Record(FIXTURES / self.name)

    @functools.cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        with np.load(self.folder / "case.npz") as file:
            return dict(file)

    @property
    def signatures(self) -> list[str]:
        """Those with expected outputs."""
        return list(self.facts["signatures"])

    def inputs(self, signature: str) -> dict[str, np.ndarray]:
        """The arrays by the names of the SavedModel's inputs; strings are of dtype object."""
        return self._by_name("in", signature, self.facts["signatures"][signature]["inputs"])

    def outputs(self, signature: str) -> dict[str, np.ndarray]:
        """What TF 1.15 computed, by the names of the SavedModel's outputs."""
        return self._by_name("out", signature, self.facts["signatures"][signature]["outputs"])

    def trained_variables(self) -> dict[str, np.ndarray]:
        """The variables after training, as far as compat_hub and not the record says so."""
        prefix = "trained/"
        return {k[len(prefix) :]: v for k, v in self._arrays.items() if k.startswith(prefix)}

    def _by_name(self, kind: str, signature: str, dtypes: Mapping[str, str]) -> dict[str, Any]:
        arrays = {}
        for name, dtype in dtypes.items():
            array = self._arrays[f"{kind}/{signature}/{name}"]
            if dtype == "bfloat16":
                import ml_dtypes

                array = array.astype(ml_dtypes.bfloat16)
            arrays[name] = array.astype(object) if array.dtype.kind == "S" else array
        return arrays

    def check(self, signature: str, found: Mapping[str, Any]) -> None:
        """Raises AssertionError unless these are the signature's outputs."""
        expected = self.outputs(signature)
        assert found.keys() >= expected.keys(), f"{signature}: {sorted(found)}"
        for name, value in expected.items():
            what = f"{signature} {name}"
            assert_close(np.asarray(found[name]), value, self.record.output_tolerance, what)
