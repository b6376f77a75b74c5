"""Every use of a name that TensorFlow does not publish, with the versions it was seen in.

A new release of TensorFlow that breaks compat_hub is mended here; the other rooms use its public
names only. Keras' private names are in `keras_layers`, except for the one that HubModule needs.
May import: `errors`, `common`.
"""
