"""Rows read from files."""
