from __future__ import annotations

import io
import sys

import pytest

from compat_hub.common.progress import DownloadBar, progress_bar


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


def test_no_bar_in_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_bar("Vectors", 300) as advance:
        advance(300)
    assert capsys.readouterr().err == "Vectors: 300\n"


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


def test_a_download_is_one_line_in_the_log(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "compat_hub")
    for shown in None, False:
        with DownloadBar("Downloading [a]", shown) as bar:
            bar.update(1_000_000, 2_000_000)
            bar.update(2_000_000, 2_000_000)
    assert capsys.readouterr() == ("", "")
    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith("Downloading [a]: 2.0 MB in 0.")


def test_a_download_is_one_line_on_the_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with DownloadBar("Downloading [a]", True) as bar:
        bar.update(2_000_000)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Downloading [a]: 2.0 MB in 0.")
    assert captured.err.count("\n") == 1
    assert captured.err.endswith("B/s\n")


@pytest.mark.parametrize("shown", [None, True, False])
def test_a_download_on_a_terminal(monkeypatch: pytest.MonkeyPatch, shown: bool | None) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with DownloadBar("Downloading [a]", shown) as bar:
        bar.update(1_500_000, 3_000_000)
    assert ("1.5/3.0 MB" in terminal.getvalue()) == (shown is not False)


def test_a_download_that_fails_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="stop"), DownloadBar("Downloading", True):
        raise ValueError("stop")
    assert capsys.readouterr() == ("", "")
