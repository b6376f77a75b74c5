"""Graph mode: `hub.Module` and the other names of tensorflow_hub for programs of TensorFlow 1.

`module` applies a module in a `tf.Graph`, with the graphs in `graph`; `authoring` makes modules,
`columns` are feature columns, `text_embedding` makes modules of word vectors.
May import: `hub_module` and what it may import, and not `keras_layers`.
"""
