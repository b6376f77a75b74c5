"""Takes every fixture module along every road out of the format, and writes docs/roads.md anew.

    python -m tests.roads FOLDER [--tf2 PYTHON] [--hub PYTHON] [--onnx PYTHON] [--tf1 PYTHON]

FOLDER gets an environment for each tool that is not in this one (some 8 GB in all), unless an
option names the Python of one that is there. It gets the converted modules, too, and the results:
what is there already is not done again. Without a network, or an old Python, name the roads that
can be taken with --road.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import traceback
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import compat_hub
from tests.records import FIXTURES, read_records
from tests.roads import environments, prepare_keras, table
from tests.roads.cases import UnableError
from tests.roads.environments import Environment
from tests.roads.prepare import prepare

ROADS: dict[str, Environment] = {
    "tfsm_layer": environments.TF2,
    "saved_model_cli": environments.TF2,
    "frozen": environments.TF2,
    "keras_export": environments.TF2,
    "lite": environments.TF2,
    "hub_layer": environments.HUB,
    "onnx": environments.ONNX,
    "tf1_hub": environments.TF1,
}
# Where the modules are that a road takes; for the others, in `cases`.
SOURCES = {"tf1_hub": "exported", "keras_export": "keras3"}
ROOT = Path(__file__).parents[2]


def write_cases(folder: Path, names: list[str]) -> None:
    """Converts and exports the fixtures."""
    for name, record in read_records(FIXTURES).items():
        if name not in names:
            continue
        if not (folder / "cases" / name / "case.json").exists():
            print("convert", name, flush=True)
            shutil.rmtree(folder / "cases" / name, ignore_errors=True)
            try:
                prepare(record, folder / "cases" / name)
            except Exception:
                traceback.print_exc()
        if not (folder / "keras3" / name / "case.json").exists():
            shutil.rmtree(folder / "keras3" / name, ignore_errors=True)
            try:
                prepare_keras.write(record, folder / "keras3" / name)
            except UnableError as error:
                prepare_keras.write_unable(folder / "keras3" / name, str(error))
            except Exception:
                traceback.print_exc()
        exported = folder / "exported" / name / "module"
        if not exported.exists():
            exported.parent.mkdir(parents=True, exist_ok=True)
            compat_hub.load(record.path).export(exported)


def take(road: str, python: str, folders: list[Path], log: Path) -> dict[str, dict[str, str]]:
    """Takes cases along a road in its environment; one that ends the process is a result, too."""
    results: dict[str, dict[str, str]] = {}
    pending = [f for f in folders if f.exists()]
    script = ["-m", "tests.roads.runner", road]
    if road == "tf1_hub":
        script = [str(Path(__file__).parent / "tf1_hub.py")]
    while pending:
        command = [python, *script, *map(str, pending)]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (
            log.open("a") as stderr,
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environ
            ) as process,
        ):
            for line in process.stdout or ():
                result = json.loads(line)
                name = result.pop("name")
                results[name] = result
                if result["status"] != "started":
                    print(f"{road:16} {name:28} {result['status']} {result['detail']}", flush=True)
        remaining = []
        for folder in pending:
            found = results.get(folder.name)
            if found is None:
                remaining.append(folder)
            elif found["status"] == "started":
                results[folder.name] = {"status": "fails", "detail": "the process crashes"}
                print(f"{road:16} {folder.name:28} crashes", flush=True)
        if len(remaining) == len(pending):
            raise RuntimeError(f"{road} does not start: see {log}.")
        pending = remaining
    return results


def main() -> int:
    """Takes the roads, and returns how many cases do not give the same numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="for environments, modules and results")
    parser.add_argument("--road", action="append", choices=ROADS, help="default: all")
    parser.add_argument("--case", action="append", metavar="NAME", help="default: all fixtures")
    for environment in dict.fromkeys(ROADS.values()):
        parser.add_argument(f"--{environment.name}", metavar="PYTHON", help="use this environment")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.absolute()
    names = arguments.case or list(read_records(FIXTURES))
    folder.mkdir(parents=True, exist_ok=True)
    write_cases(folder, names)
    results_file = folder / "results.json"
    everything = json.loads(results_file.read_text()) if results_file.exists() else {}
    for road in arguments.road or ROADS:
        environment = ROADS[road]
        python = getattr(arguments, environment.name)
        python = python or environments.build(environment, folder / "environments")
        source = folder / SOURCES.get(road, "cases")
        entry = everything.setdefault(road, {"results": {}})
        log = folder / f"{road}.log"
        entry["versions"] = environments.versions(environment, python)
        entry["results"].update(take(road, python, [source / name for name in names], log))
        results_file.write_text(json.dumps(everything, indent=1))
    if not arguments.case:
        table.update(ROOT / "docs/roads.md", everything)
    outcomes = [r["status"] for e in everything.values() for r in e["results"].values()]
    return sum(status in ("differs", "fails") for status in outcomes)


if __name__ == "__main__":
    sys.exit(main())
