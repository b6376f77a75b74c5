"""Control flow of TensorFlow 1 raised to While and If."""
