"""GraphDefs in; rewritten GraphDefs, or facts about them, out. Nothing here runs TensorFlow.

`analysis` finds facts, `checks` refuses impossible graphs, `passes` rewrite; at the top is what
all of them use: names, outputs of nodes, the function library, the part of a graph that is wanted.
May import: `errors`, `common`; of TensorFlow the protos alone.
"""
