"""Notebooks that show what compat_hub does, and what executes them."""
