"""A graph variant becomes a graph that TensorFlow 2 runs and trains.

`pipeline` puts the passes in order, `program` imports the result and makes functions of it,
`gradients` gives ops the gradients that they lack, `missing_ops` replaces ops that are gone.
May import: `format` and what it may import.
"""
