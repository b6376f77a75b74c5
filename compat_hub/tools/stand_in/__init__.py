"""compat_hub under the name tensorflow_hub, for packages that import that themselves."""
