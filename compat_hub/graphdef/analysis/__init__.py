"""Facts about GraphDefs."""
