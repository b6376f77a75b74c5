"""What `compat-hub demo` shows."""
