"""What `import compat_hub` adds to `import tensorflow`, in a fresh process."""

from __future__ import annotations

import sys
import time

from benchmarks.processes import Figures


def compat(_: str) -> Figures:
    """The import, and whether it brings Keras along."""
    import tensorflow  # noqa: F401, PLC0415

    before = set(sys.modules)
    start = time.perf_counter()
    import compat_hub  # noqa: F401, PLC0415

    seconds = time.perf_counter() - start
    added = {name.partition(".")[0] for name in set(sys.modules) - before}
    return {"seconds": seconds, "keras": float(bool(added & {"keras", "tf_keras"}))}
