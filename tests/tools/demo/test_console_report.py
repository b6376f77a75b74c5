from __future__ import annotations

import io
import sys

import numpy as np
import pytest

from compat_hub.tools.demo.console_report import Report


def test_plain_lines_elsewhere_than_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    assert not report.is_terminal
    report.step("Look [bold]here[/bold] :smile:")
    report.code("first\nsecond")
    report.facts({"short": "1", "longer": "2"})
    report.line("x" * 200)
    assert capsys.readouterr().out == (
        "\n1. Look [bold]here[/bold] :smile:\n\n"
        "    first\n    second\n\n"
        "  short   1\n  longer  2\n" + "x" * 200 + "\n"
    )


def test_table_fits_the_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    Report().table("title", {"first": np.zeros([2, 5]), "second": -np.ones([2, 5])})
    text = capsys.readouterr().out
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 24
    assert text.count("0.00") == text.count("-1.00") == 10


@pytest.mark.parametrize("width", [40, 80, 200])
def test_rows_do_not_break_words(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    name = "a_long_name_of_a_signature"
    row = ['{"train", "gpu"}', name, "regularization loss of the layers", 3, "0.0e+00"]
    Report().rows(["variant", "signature", "compared", "tensors", "largest error"], [row])
    lines = capsys.readouterr().out.splitlines()
    assert {"regularization", "largest", name, "0.0e+00"} <= set(" ".join(lines).split())
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= max(width, 87)
    assert (len(lines) == 5) == (width == 200)


def test_what_would_control_a_terminal_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    report.rows(["name"], [["\x1b[2J"]])
    report.line("a \x1b[31m")
    report.check(True, "b \x07")
    out = capsys.readouterr().out
    assert not set(out) & {"\x1b", "\x07"}
    assert out.splitlines()[-2:] == ["a \\x1b[31m", "  ok      b \\x07"]


def test_checks(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    report.check(True, "good")
    assert report.passed
    report.summary()
    report.check(False, "bad")
    report.check(True, "good again")
    assert not report.passed
    report.summary()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "  ok      good",
        "",
        "All checks passed.",
        "  FAILED  bad",
        "  ok      good again",
        "",
        "Some checks FAILED: see above.",
    ]


def test_what_the_encoding_lacks_becomes_question_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, "ascii"))
    Report().line("/home/zo\u00eb/pets")
    sys.stdout.flush()
    assert output.getvalue() == b"/home/zo?/pets\n"
