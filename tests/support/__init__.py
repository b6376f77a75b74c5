"""The tests on each supported pair of TensorFlow and Python: `python -m tests.support --help`."""
