from __future__ import annotations

from compat_hub.common.html_table import html_table


def test_all_text_is_escaped() -> None:
    evil = '<script>"x"</script>&'
    table = html_table(evil, [evil], [[evil]], evil)
    assert "<script>" not in table
    assert table.count("&lt;script&gt;&quot;x&quot;&lt;/script&gt;&amp;") == 4


def test_heads_and_rows() -> None:
    table = html_table("t", ["a", "b"], [["1", "2"], ["3", "4"]])
    assert table.count("<tr>") == 3
    assert "more" not in table
    assert "<thead>" not in html_table("t", ["", ""], [["1", "2"]])


def test_what_is_no_text_in_any_encoding() -> None:
    html_table("t", [], [["\udc80"]]).encode()
