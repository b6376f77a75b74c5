from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import compat_hub
from compat_hub import cli, demo, text_embedding

ROOT = Path(__file__).parents[1]


def _run(*args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A process of its own with the command line, as from a shell."""
    hidden = {"TF_CPP_MIN_LOG_LEVEL", "NO_COLOR", "FORCE_COLOR"}
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    code = "from compat_hub.cli import main; main(prog_name='compat-hub')"
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        env={**env, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_demo_in_a_process_of_its_own() -> None:
    result = _run("demo", PYTHONIOENCODING="ascii", COLUMNS="30")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""  # none of the messages that TensorFlow logs
    assert result.stdout.isascii()
    assert "\x1b" not in result.stdout
    assert result.stdout.endswith("All checks passed.\n")
    assert "FAILED" not in result.stdout


@pytest.mark.parametrize(("passed", "status"), [(True, 0), (False, 1)])
def test_exit_status_of_the_demo(
    monkeypatch: pytest.MonkeyPatch, passed: bool, status: int
) -> None:
    monkeypatch.setattr(demo, "run_demo", lambda: passed)
    assert CliRunner().invoke(cli.main, ["demo"]).exit_code == status


def test_an_error_of_the_library_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> bool:
        raise compat_hub.ResolveError("The handle leads nowhere.")

    monkeypatch.setattr(demo, "run_demo", fail)
    result = CliRunner().invoke(cli.main, ["demo"])
    assert result.exit_code == 1
    assert result.stderr == "Error: The handle leads nowhere.\n"


def test_version_imports_no_tensorflow() -> None:
    code = "import sys; sys.argv[1:] = ['--version']; from compat_hub.cli import main\n"
    code += "try: main(prog_name='compat-hub')\n"
    code += "finally: assert not {'tensorflow', 'tf_keras', 'numpy'} & sys.modules.keys()"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (
        0,
        f"compat-hub {compat_hub.__version__}\n",
        "",
    )


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--help"], "sample module"),
        (["-h"], "export-text-embedding"),
        (["demo", "--help"], "sample module"),
        (["export-text-embedding", "--help"], "EMBEDDING_FILE PATH"),
    ],
)
def test_help(args: list[str], expected: str) -> None:
    result = CliRunner().invoke(cli.main, args)
    assert result.exit_code == 0
    assert expected in result.stdout


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["bogus"],
        ["demo", "extra"],
        ["demo", "--bogus"],
        ["export-text-embedding"],
        ["export-text-embedding", "vectors.txt"],
        ["export-text-embedding", "vectors.txt", "module", "--combiner", "max"],
        ["export-text-embedding", "vectors.txt", "module", "--num-oov-buckets", "-1"],
    ],
)
def test_usage_errors(args: list[str]) -> None:
    result = CliRunner().invoke(cli.main, args)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


def test_export_text_embedding_in_a_process_of_its_own(tmp_path: Path) -> None:
    vectors, module = tmp_path / "vectors.txt", tmp_path / "module"
    vectors.write_text("cat 1 2\ndog 3 4\n")
    command = ["export-text-embedding", str(vectors), str(module)]
    result = _run(*command, "--combiner", "sum", "--lowercase", "--num-oov-buckets", "0")
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
    result = CliRunner().invoke(cli.main, command)
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("Vectors of ")]
    assert len(lines) == 1
    assert lines[0].startswith("Error: ")
    assert expected in lines[0]
    assert not module.exists()


def test_export_text_embedding_passes_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    signature = inspect.signature(text_embedding.export)
    monkeypatch.setattr(
        text_embedding, "export", lambda *args, **options: calls.append((args, options)) or "module"
    )
    options = ["--seed", "3", "--oov-stddev", "0.5", "--no-preprocess-text", "--no-header"]
    command = ["export-text-embedding", "vectors.txt", "module", *options]
    for arguments in command[:3], command:
        assert CliRunner().invoke(cli.main, arguments).exit_code == 0
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
