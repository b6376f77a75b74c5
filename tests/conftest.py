from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("COMPAT_HUB_CHECK_PASSES", "1")

import pytest
import tensorflow as tf

from tests.copies import ModuleCopy
from tests.packages import HAS_TEXT
from tests.records import FIXTURES, Record, read_records

# Two devices, so that a strategy has two replicas.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--modules",
        action="append",
        default=[],
        metavar="DIR",
        help="a folder of further modules with records, to go through the conformance tests too",
    )
    parser.addoption(
        "--every-module",
        action="store_true",
        help="to take every module through tests that choose some: those of tf.distribute",
    )


def _records(config: pytest.Config) -> dict[str, Record]:
    folders = [FIXTURES, *map(Path, config.getoption("--modules"))]
    records: dict[str, Record] = {}
    if HAS_TEXT:  # else nothing has the ops of these modules
        records.update(read_records(FIXTURES / "packages"))
    for k, folder in enumerate(folders):
        for name, record in read_records(folder).items():
            records[f"{folder.name}-{name}" if k else name] = record
    return records


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives a test that asks for `record` every module; for `trained`, those with a training."""
    records = _records(metafunc.config)
    if "record" in metafunc.fixturenames:
        metafunc.parametrize("record", records.values(), ids=records.keys())
    if "trained" in metafunc.fixturenames:
        chosen = {name: r for name, r in records.items() if r.train}
        metafunc.parametrize("trained", chosen.values(), ids=chosen.keys())


@pytest.fixture
def fixture_path():
    """The path of a fixture's module, by its name."""

    def path(name: str) -> str:
        return str(FIXTURES / name / "module")

    return path


@pytest.fixture
def copy_of(tmp_path: Path):
    """Makes a copy of a fixture's module, by its name, that the test may change."""

    def copy(name: str, folder: str = "copy") -> ModuleCopy:
        return ModuleCopy(name, tmp_path / folder)

    return copy


@pytest.fixture(autouse=True)
def _same_seed() -> None:
    tf.random.set_seed(1)
