"""Attacks on the promise that a module without permission does not touch the host."""
