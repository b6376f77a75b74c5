from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import compat_hub
from compat_hub import text_embedding
from compat_hub.cli.main import main as cli
from tests.cli.processes import run_process


def test_export_text_embedding_in_a_process_of_its_own(tmp_path: Path) -> None:
    vectors, module = tmp_path / "vectors.txt", tmp_path / "module"
    vectors.write_text("cat 1 2\ndog 3 4\n")
    command = ["export-text-embedding", str(vectors), str(module)]
    result = run_process(*command, "--combiner", "sum", "--lowercase", "--num-oov-buckets", "0")
    assert (result.returncode, result.stdout, result.stderr) == (
        0,
        f"Wrote the module {module}\n",
        f"Vectors of {vectors}: 2\n",
    )
    embed = compat_hub.load(str(module))
    assert embed(["Cat, zebra, dog!", ""]).numpy().tolist() == [[4, 6], [0, 0]]
    assert embed.variables[0].shape == [2, 2]


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("cat 1 2\ndog 3\n", [], "vectors.txt', line 2: expected a token and 2 values"),
        ("cat 1 2\ndog 3 4\n", ["--header"], "vectors.txt', line 1: expected a header"),
        ("2 1\n3 4\n", [], "vectors.txt', line 1: the header has to be"),
        ("", [], "vectors.txt' is empty"),
        (None, [], "vectors.txt' cannot be read"),
    ],
)
def test_export_text_embedding_of_bad_files(
    tmp_path: Path, content: str | None, options: list[str], expected: str
) -> None:
    vectors, module = tmp_path / "vectors.txt", tmp_path / "module"
    if content is not None:
        vectors.write_text(content)
    command = ["export-text-embedding", str(vectors), str(module), *options]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("Vectors of ")]
    assert len(lines) == 1
    assert lines[0].startswith("Error: ")
    assert expected in lines[0]
    assert not module.exists()


def test_json(tmp_path: Path) -> None:
    vectors, module = tmp_path / "vectors.txt", tmp_path / "module"
    vectors.write_text("cat 1 2\ndog 3 4\n")
    command = ["export-text-embedding", str(vectors), str(module), "--json"]
    result = CliRunner().invoke(cli, command)
    expected = {"embedding_file": str(vectors), "path": str(module)}
    assert (result.exit_code, json.loads(result.stdout)) == (0, expected)


def test_export_text_embedding_passes_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    signature = inspect.signature(text_embedding.export)
    monkeypatch.setattr(
        "compat_hub.v1.text_embedding.export.export",
        lambda *args, **options: calls.append((args, options)) or "module",
    )
    options = ["--seed", "3", "--oov-stddev", "0.5", "--no-preprocess-text", "--no-header"]
    command = ["export-text-embedding", "vectors.txt", "module", *options]
    for arguments in command[:3], command:
        assert CliRunner().invoke(cli, arguments).exit_code == 0
    defaults = {
        p.name: p.default for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY
    }
    assert [args for args, _ in calls] == [("vectors.txt", "module")] * 2
    assert calls[0][1] == {**defaults, "progress": True}
    assert calls[1][1] == {
        **calls[0][1],
        "seed": 3,
        "oov_stddev": 0.5,
        "preprocess_text": False,
        "header": False,
    }
