"""The graph-mode API of TF1: modules instantiated, applied, authored and exported in a tf.Graph."""
