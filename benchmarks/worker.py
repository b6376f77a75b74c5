"""One way of one measure, in this process: `python -m benchmarks.worker MEASURE WAY MODULE`."""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    """Prints the figures as JSON, on the last line."""
    measure, way, module = sys.argv[1:]
    function = getattr(importlib.import_module(f"benchmarks.measures.{measure}"), way)
    print(json.dumps(function(module)))


if __name__ == "__main__":
    main()
