"""Mutations of modules: each works, is refused with a HubError, or fails in a kernel.

python -m tests.fuzz [--times 10000] [--seed 0] [--first 0] [--processes 1]
"""
