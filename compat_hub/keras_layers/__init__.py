"""A HubModule as a layer: of tf_keras and of Keras 3.

`base_layer` is what both layers share, `targets` what a layer calls, `config` how a layer is saved
and how its module is found on loading. Everything that knows a private name of Keras is here, in a
file for each Keras.
May import: `hub_module` and what it may import.
"""
