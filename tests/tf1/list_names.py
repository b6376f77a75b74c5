"""Lists the names of TensorFlow 1.15's API: python tests/tf1/list_names.py OUT.txt.gz."""

import gzip
import sys
import types
import warnings

warnings.simplefilter("ignore")
import tensorflow as tf  # noqa: E402

# Not of the API: modules that are in reach, and ops that no program names.
SKIPPED = {"absolute_import", "compat", "contrib", "core", "division", "print_function", "python"}
SKIPPED |= {"raw_ops", "tf_decorator", "tf_stack", "tools"}
DEPTH = 3


def names(module, prefix=""):
    for name in sorted(dir(module)):
        if name.startswith("_") or name in SKIPPED or (prefix, name) == ("app.", "flags"):
            continue
        try:
            value = getattr(module, name)
        except Exception:
            continue
        yield prefix + name
        is_module = isinstance(value, types.ModuleType) and "tensorflow" in value.__name__
        if is_module and prefix.count(".") < DEPTH - 1:
            for inner in names(value, prefix + name + "."):
                yield inner


if __name__ == "__main__":
    found = [name for name in names(tf) if not name.startswith("keras.") or name.count(".") < 2]
    with open(sys.argv[1], "wb") as file:
        # No time and no name: the file comes out the same again.
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            packed.write("".join(name + "\n" for name in found).encode())
