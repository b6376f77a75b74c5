"""Small helpers: progress, logs, import statements, words, addresses without their secrets.

They know neither TensorFlow's graphs nor the module format, and could serve any other library.
May import: nothing of compat_hub.
"""
