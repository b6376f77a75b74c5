"""`load` and `HubModule`: a module as an object of TensorFlow 2, and its way out of the format.

`hub_module` has the object, `signature_function` one signature with chosen outputs, `fast_call` the
short way for eager tensors, `saved_model` and `convert` what is written for TensorFlow 2.
May import: `state` and what it may import.
"""
