"""Modules of real kinds, made by public model code, taken through every way that there is."""
