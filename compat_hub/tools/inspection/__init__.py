"""What is in a module, and what of it TensorFlow 2 runs and trains, found without loading it.

`read_facts` finds the facts, `verdict` and `tables` put them into words, `as_text`, `as_html` and
`as_tensorboard` lay them out.
"""
