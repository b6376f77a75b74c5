"""Modules made from a function."""
