"""A handle becomes a folder on disk: paths, web addresses, archives, Kaggle, the cache.

`resolve` is the way in. Downloads, locks and the cache keep tensorflow_hub's layout, so that both
libraries can share a cache. The rules of which files may be read are here, too.

requests, urllib3 and filelock do the work. These files do what the libraries do not:

- `download`, `deadlines`: urllib3's Retry neither resumes a body nor asks for a least speed.
- `archives`: tarfile's filters limit neither sizes nor ratios, and let names clash.
- `locks`: filelock does not know tensorflow_hub's lock files.
- `files`, `plain_files`: tf.io.gfile follows links and opens pipes.

May import: `errors`, `common`, `tf_private`.
"""
