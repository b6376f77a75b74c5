"""Records the programs: python tests/tf1/record_programs.py OUT_DIR [NAME ...] (see README.md).

Runs under TensorFlow 1.15, each program in a process of its own.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import os
import shutil
import sys
import tempfile
import traceback
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
warnings.filterwarnings("ignore", module="tensor.*", category=FutureWarning)

import tensorflow as tf  # noqa: E402
import tensorflow_hub as hub  # noqa: E402
from programs import PROGRAMS  # noqa: E402
from programs.registry import Failure, Kept, plain, to_text  # noqa: E402
from tensorflow.core.protobuf import saved_model_pb2  # noqa: E402


def record(out_dir: str, verbose: bool, name: str) -> bool:
    """Runs one program and writes its record; returns whether that worked."""
    tf.logging.set_verbosity(tf.logging.FATAL)
    modules = os.path.join(out_dir, name)
    shutil.rmtree(modules, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            values = PROGRAMS[name].run(tf, hub, folder)
        except Exception:
            print("%s failed\n%s" % (name, traceback.format_exc()), flush=True)
            return False
        for key in sorted(values):
            value = values[key]
            if verbose and isinstance(value, Failure):
                print("%s, %s: %s %s" % (name, key, value.families, value.message), flush=True)
            if isinstance(value, Kept):
                keep(os.path.join(folder, value.path), os.path.join(modules, value.path))
        text = to_text({key: plain(value) for key, value in values.items()})
        if folder in text:
            print("%s: the record has the path of the scratch folder" % name, flush=True)
            return False
        with open(os.path.join(out_dir, name + ".json"), "w") as file:
            file.write(text)
    return True


def keep(path: str, target: str) -> None:
    """Copies a module, with the maps of its proto in order."""
    shutil.copytree(path, target)
    with open(os.path.join(target, "saved_model.pb"), "r+b") as file:
        saved_model = saved_model_pb2.SavedModel.FromString(file.read())
        file.seek(0)
        file.truncate()
        file.write(saved_model.SerializeToString(deterministic=True))


def main() -> int:
    """Records the programs named on the command line; returns how many failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out_dir", help="the directory that gets the records")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all that there are")
    parser.add_argument("--verbose", action="store_true", help="print expected errors")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(PROGRAMS))
    if unknown:
        parser.error("no such program: " + ", ".join(unknown))
    names = arguments.names or sorted(PROGRAMS)
    out_dir = os.path.abspath(arguments.out_dir)
    os.makedirs(out_dir, exist_ok=True)
    processes = min(2, os.cpu_count() or 1)
    with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=1) as pool:
        run = functools.partial(record, out_dir, arguments.verbose)
        worked = pool.map(run, names, chunksize=1)
    failed = [name for name, good in zip(names, worked) if not good]
    print("%d programs recorded in %s" % (len(names) - len(failed), out_dir))
    if failed:
        print("failed: " + ", ".join(failed))
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
