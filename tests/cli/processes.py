"""Commands run as a shell runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_process(*args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A process of its own with the command line."""
    hidden = {"TF_CPP_MIN_LOG_LEVEL", "NO_COLOR", "FORCE_COLOR"}
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    code = "from compat_hub.cli.main import main; main(prog_name='compat-hub')"
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        env={**env, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
