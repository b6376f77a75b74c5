"""Feature columns that apply a module."""
