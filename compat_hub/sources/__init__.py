"""A handle becomes a folder on disk: paths, web addresses, archives, Kaggle, the cache.

`resolve` is the way in. Downloads, locks and the cache keep tensorflow_hub's layout, so that both
libraries can share a cache. The rules of which files may be read are here, too.
May import: `errors`, `common`, `tf_private`.
"""
