"""What of a GraphDef cannot be, and would end the process inside TensorFlow."""
