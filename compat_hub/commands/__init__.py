"""The commands of `compat-hub`, one file for each; `cli.py` imports one when it is called."""
