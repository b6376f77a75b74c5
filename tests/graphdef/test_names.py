from __future__ import annotations

import pytest

from compat_hub.graphdef.names import is_control, node_of, tensor_of


@pytest.mark.parametrize(
    ("name", "node", "tensor"),
    [
        ("a", "a", "a:0"),
        ("a/b", "a/b", "a/b:0"),
        ("a/b:0", "a/b", "a/b:0"),
        ("a/b:11", "a/b", "a/b:11"),
    ],
)
def test_data_inputs(name: str, node: str, tensor: str) -> None:
    assert node_of(name) == node
    assert tensor_of(name) == tensor
    assert not is_control(name)


def test_control_inputs() -> None:
    assert node_of("^a/b") == "a/b"
    assert is_control("^a/b")
