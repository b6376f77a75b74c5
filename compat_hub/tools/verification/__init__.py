"""A module's results against those of a TensorFlow 1 session."""
