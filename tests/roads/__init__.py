"""Every fixture module on every road out of the format: `python -m tests.roads --help`."""
