"""What is in a module, and what of it TensorFlow 2 runs and trains, found without loading it."""
