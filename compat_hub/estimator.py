"""`compat_hub.estimator`: what `tf.estimator` was in TensorFlow 1.15, on today's TensorFlow.

It needs the extra: `pip install 'compat-hub[estimator]'`.
"""

from compat_hub.tf1._estimators import attribute as __getattr__
from compat_hub.tf1._estimators import names as __dir__

__all__ = ["__dir__", "__getattr__"]
