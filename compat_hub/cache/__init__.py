"""The cache that tensorflow_hub also uses, and what fills it: downloads and archives."""
