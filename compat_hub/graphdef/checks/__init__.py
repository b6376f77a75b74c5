"""Refuses GraphDefs that are impossible, and would crash TensorFlow."""
