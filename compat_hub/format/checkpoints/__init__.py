"""Checkpoints: read, checked, copied, written."""
