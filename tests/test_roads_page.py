"""The examples of docs/roads.md run, as far as what they import is installed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs/roads.md"


def _examples() -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    taken = 0
    for code in _examples():
        if importlib.util.find_spec("tensorflow_hub") or "tensorflow_hub" not in code:
            exec(compile(code, str(PAGE), "exec"), namespace)
            taken += 1
    assert taken >= len(_examples()) - 1 >= 5
    assert {"pets", "pets_again"} <= {path.name for path in tmp_path.iterdir()}
