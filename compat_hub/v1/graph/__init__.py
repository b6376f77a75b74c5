"""The graphs that a Module imports into the program's graph."""
