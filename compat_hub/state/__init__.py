"""Variables, tables and assets of a loaded module: one set, shared by all of its variants.

`module_state` holds them, `variables` knows the copies that replicas have, `tables` makes and fills
lookup tables, `assets` gives graph functions the paths of files.
May import: `programs` and what it may import.
"""
