"""`load` and `HubModule`: a module as an object of TensorFlow 2, and how it is converted.

`load` makes the object of `hub_module`. Every call goes through `dispatch`, which chooses the
variant and binds the inputs, to `signature_function`, one signature with chosen outputs, or
`fast_call`, the same for eager tensors. `saved_model` and `convert` write SavedModels of TensorFlow
2.
May import: `state` and what it may import.
"""
