"""Ops that TensorFlow 2 does not have, as functions of those that it has."""
