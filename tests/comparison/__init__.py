"""What can be done with a TF1 Hub module by which tool: `python -m tests.comparison --help`."""
