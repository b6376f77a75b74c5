from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

from compat_hub.common.extras import _PACKAGES, install_command

PROJECT = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize("extra", sorted(_PACKAGES.keys() - {"text"}))
def test_it_names_what_the_extra_has(extra: str) -> None:
    (listed,) = re.findall(rf"^{extra} = \[(.*?)\]", PROJECT, re.MULTILINE)
    names = ", ".join(f'"{package}"' for package in _PACKAGES[extra])
    assert listed == names
    assert all(f"'{package}'" in install_command(extra) for package in _PACKAGES[extra])


def test_tensorflow_text_is_of_the_tensorflow_that_is_installed() -> None:
    version = ".".join(metadata.version("tensorflow").split(".")[:2])
    assert install_command("text") == f"pip install 'tensorflow-text=={version}.*'"
