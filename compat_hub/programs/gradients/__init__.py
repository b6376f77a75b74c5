"""Gradients that TensorFlow 2 lacks for nodes of TensorFlow 1."""
