"""Targets: the objects that the Keras layers call. They do not know Keras."""
