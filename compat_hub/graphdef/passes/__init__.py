"""Rewriting passes: a GraphDef in, a GraphDef out."""
