"""Runs the fuzz test and prints its findings and figures."""

from __future__ import annotations

import argparse
import collections
import json

from tests.fuzz.runner import run

FINDINGS = ("finding", "crash", "hang", "memory")


def main() -> None:
    """Reads the arguments, and runs."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--times", type=int, default=10000, help="how many mutants")
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most-bytes", type=int, default=60000, help="of a fixture's graph")
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.first + arguments.times)
    counts: collections.Counter[str] = collections.Counter()
    slowest = 0.0
    for result in run(numbers, arguments.seed, arguments.most_bytes):
        counts[result["outcome"]] += 1
        slowest = max(slowest, result.get("seconds", 0.0))
        if result["outcome"] in FINDINGS:
            print(json.dumps(result), flush=True)
        if sum(counts.values()) % 500 == 0:
            print(dict(counts), f"slowest {slowest:.1f} s", flush=True)
    print(dict(counts), f"slowest {slowest:.1f} s")
    if any(counts[kind] for kind in FINDINGS):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
