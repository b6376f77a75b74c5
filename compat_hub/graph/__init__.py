"""Pure functions from GraphDef to GraphDef; nothing of TensorFlow's runtime."""
