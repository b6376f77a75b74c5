from __future__ import annotations

import io
import sys

import pytest

from compat_hub._progress import progress_bar


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_one_line_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("Vectors of [bold]a[/bold] " + "x" * 100, 12345) as advance:
        for _ in range(5):
            advance(2469)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "Vectors of [bold]a[/bold] " + "x" * 100 + ": 12,345\n"


def test_nothing_where_nobody_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("Vectors", 3, shown=False) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_bar("Vectors of [a]", 300) as advance:
        advance(100)
        advance(200)
    assert "Vectors of [a]" in terminal.getvalue()
    assert "300/300" in terminal.getvalue()


def test_an_error_passes_through() -> None:
    with pytest.raises(ValueError, match="stop"), progress_bar("Vectors", 3):
        raise ValueError("stop")
