"""The page of the zoo: what it makes of results, and that each "no" in it has its reason."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.zoo import page
from benchmarks.zoo.trying import try_ways

PAGE = Path(__file__).parents[1] / "docs" / "zoo.md"
WAYS = [*page._OUTPUTS, *page._TRAINING, page._ALONE, page._ALONE_TRAINING]


def _rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def _write(folder: Path, **results: str) -> str:
    """A page about one module that works, save for what is named."""
    module = folder / "net"
    module.mkdir(parents=True)
    ways = dict.fromkeys(WAYS, "1.0e-07") | {k.replace("_", " "): v for k, v in results.items()}
    (module / "ways.json").write_text(json.dumps(ways))
    (module / "about.json").write_text(json.dumps({"family": "Net", "source": "here"}))
    (module / "golden.json").write_text(json.dumps({"variants": [[], ["train"]]}))
    made = folder / "page.md"
    made.write_text(f"before\n{page._BEGIN}\nold\n{page._END}\nafter\n")
    page.write_page(folder, made)
    return made.read_text()


def test_a_module_that_works(tmp_path: Path) -> None:
    text = _write(tmp_path)
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    ((_, _, source, variants, outputs, training, alone),) = _rows(text)
    assert (source, variants) == ("here", "inference, train")
    assert (outputs, training, alone) == ("yes, 1e-07", "yes, 1e-07", "1e-07, 1e-07")


@pytest.mark.parametrize(
    ("way", "result", "reason"),
    [("call", "2.0e-03", "difference is 2e-03"), ("call", "inf", "inf"), ("call", "Oh: no", "Oh")],
)
def test_a_module_that_does_not(tmp_path: Path, way: str, result: str, reason: str) -> None:
    text = _write(tmp_path, **{way: result})
    ((*_, outputs, training, _),) = _rows(text)
    assert outputs == "**no** in 1 of 4 ways"
    assert training.startswith("yes")
    (line,) = (line for line in text.splitlines() if line.startswith("- "))
    assert "(`net`), call: " in line
    assert reason in line


def test_tensorflow_2_alone_is_the_second_judge(tmp_path: Path) -> None:
    drifted = {"tape": "5.0e-03", "TensorFlow_2_alone,_training": "4.0e-03"}
    ((*_, training, alone),) = _rows(_write(tmp_path / "both", **drifted))
    assert (training, alone) == ("yes, 5e-03", "1e-07, 4e-03")
    ((*_, training, _),) = _rows(_write(tmp_path / "one", tape="5.0e-03"))
    assert training.startswith("**no**")


def test_results_are_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "ways.json").write_text('{"call": "-"}')
    assert try_ways(tmp_path, ["call"]) == {"call": "-"}


def test_the_page_is_whole() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = _rows(text)
    families = {row[0].partition(" (`")[0] for row in rows}
    assert len(rows) >= 40
    assert len(families) >= 25
    for row in rows:
        name = re.search(r"`(\w+)`", row[0])
        assert name
        if "no" in row[4].split("*") + row[5].split("*"):
            assert re.search(rf"^- \*\*.*\(`{name[1]}`\), .+: .+", text, re.MULTILINE), name[1]
