"""A handle becomes a folder on disk: paths, web addresses, archives, Kaggle, the cache.

`resolve` is the way in. Downloads, locks and the cache keep tensorflow_hub's layout, so that both
libraries can share a cache. The rules of which files may be read are here, too.

requests, urllib3 and filelock do the work. Our own is what they lack: urllib3's Retry does not
resume a body that broke off, and has no least speed (`download`, `deadlines`); tarfile's filters
limit neither sizes nor ratios, and let names clash (`archives`); filelock does not know
tensorflow_hub's lock files (`locks`); tf.io.gfile follows links and opens pipes (`files`,
`plain_files`).

May import: `errors`, `common`, `tf_private`.
"""
