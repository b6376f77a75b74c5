from __future__ import annotations

import pytest

import compat_hub
from compat_hub.tools.batch.inputs.columns import choose_columns

_NAMES = ["id", "f1", "f2", "f3", "a,b", "a:b", 'say "x"', "x*", "xy", "pixel_0", "pixel_10"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id", ["id"]),
        ("f3,id", ["f3", "id"]),
        ("f1:f3", ["f1", "f2", "f3"]),
        ("f2:f2,id", ["f2", "id"]),
        ("pixel_*", ["pixel_0", "pixel_10"]),
        ("f?,pixel_1*", ["f1", "f2", "f3", "pixel_10"]),
        ("a,b", ["a,b"]),  # the name of one column
        ('"a,b",id', ["a,b", "id"]),
        ("a:b", ["a:b"]),
        ("id,a:b", ["id", "a:b"]),
        ('"a,b":"a:b"', ["a,b", "a:b"]),
        ('"say ""x"""', ['say "x"']),
        ("x*", ["x*"]),
        ('"x*",x?', ["x*", "x*", "xy"]),
    ],
)
def test_names_ranges_and_patterns(text: str, expected: list[str]) -> None:
    assert choose_columns(text, _NAMES, "t.csv") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pixel_11", "t.csv: there is no column 'pixel_11'. Similar columns are 'pixel_1"),
        ("f1:f4", "there is no column 'f4'"),
        ("f3:f1", "column 'f1' stands before 'f3'. Pass f1:f3"),
        ("z*", "there is no column 'z.'"),
        ('"x?"', "there is no column 'x.'"),
        (",", "does not name columns"),
        ('"a', "does not name columns"),
        ("f1:f2:f3", "does not name columns"),
    ],
)
def test_what_names_no_column(text: str, message: str) -> None:
    with pytest.raises(compat_hub.InputTypeError, match=message):
        choose_columns(text, _NAMES, "t.csv")


def test_a_message_does_not_list_thousands() -> None:
    with pytest.raises(compat_hub.InputTypeError, match="and others") as caught:
        choose_columns("z", [f"f{k}" for k in range(2048)], "t.csv")
    assert len(str(caught.value)) < 300
