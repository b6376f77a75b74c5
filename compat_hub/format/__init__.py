"""What a module's folder says: read, checked, written; and whether a caller's values fit it.

`spec` has `ModuleSpec`, the description of a module; `variant` one graph of it; `checkpoints` the
variables' values; `host_access` what would touch the machine. Nothing here runs a graph.
May import: `sources`, `graphdef` and what they may import.
"""
