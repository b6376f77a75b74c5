"""What a person asks about a module, or does with one from outside.

One folder each: `inspection`, `verification`, `migration` of programs, `batch` for files, `beam`
for pipelines, `demo` and its `samples`.
May import: `v1`, `keras_layers`, `hub_module` and what they may import.
"""
