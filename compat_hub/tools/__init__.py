"""What a person asks about a module, or does with one, without changing it.

One folder each: `inspection`, `verification`, `migration` of programs, `batch` for files, `beam`
for pipelines, `demo` and its `samples`.

rich prints tables, jinja2 makes the page of `inspection`, networkx lays out its graphs, libcst
parses programs. The drawing of graphs is our own SVG: graphviz needs a program beside Python.

May import: `v1`, `keras_layers`, `hub_module` and what they may import.
"""
