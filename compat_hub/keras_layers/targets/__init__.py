"""What the Keras layers call: a target, which knows nothing of Keras."""
