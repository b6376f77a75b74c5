"""Variables, tables and assets of a loaded module: one set, shared by all of its variants.

`module_state` holds them, `variables` knows the per-replica copies of a variable, `tables` makes
and fills lookup tables, `assets` gives graph functions the paths of files.
May import: `programs` and what it may import.
"""
