"""The modules that are measured, made with the graph-mode API and random weights."""
