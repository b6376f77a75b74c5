"""Files that TensorFlow 1 wrote, other than modules: each becomes a `ModuleSpec`.

SavedModels, checkpoints of a Saver with their meta graphs, and frozen graphs are read and edited as
protos, before anything is imported. Nothing outside of this folder knows where a spec came from.
"""
