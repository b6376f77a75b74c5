from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def _run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {name: v for name, v in os.environ.items() if name != LEVEL}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**env, **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _with_fake_tensorflow(folder: Path, code: str, **variables: str):
    """Imports quietly where `import tensorflow` runs `code`."""
    (folder / "tensorflow.py").write_text(code)
    run = "from compat_hub.common.quiet_import import import_quietly; import_quietly()"
    return _run(run, PYTHONPATH=str(folder), **variables)


NOISE = "import os\nos.write(2, b'noise of the runtime\\n')\n"


def test_noise_is_shown_when_the_import_fails(tmp_path: Path) -> None:
    result = _with_fake_tensorflow(tmp_path, NOISE + "raise ImportError('no such library')")
    assert result.returncode == 1
    assert result.stderr.startswith("noise of the runtime\n")
    assert result.stderr.endswith("ImportError: no such library\n")


@pytest.mark.parametrize(
    ("variables", "shown"),
    [({}, ""), ({LEVEL: "3"}, ""), ({LEVEL: "0"}, "noise of the runtime\n")],
)
def test_noise_is_shown_to_those_who_ask_for_it(
    tmp_path: Path, variables: dict[str, str], shown: str
) -> None:
    fake = NOISE + (
        "import logging, sys\n"
        "get_logger, constant = logging.getLogger, lambda _: None\n"
        "sys.modules['tf_keras'] = sys\n"
    )
    result = _with_fake_tensorflow(tmp_path, fake, **variables)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", shown)


def test_standard_error_works_afterwards() -> None:
    result = _run(
        "from compat_hub.common.quiet_import import import_quietly; import_quietly()\n"
        "import os, sys; print('from Python', file=sys.stderr, flush=True); os.write(2, b'raw')"
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "from Python\nraw")
