"""`compat_hub.common_signatures`: whether a module implements a common signature."""

from compat_hub.format.common_signatures import (
    COMMON_SIGNATURES,
    CommonSignature,
    CommonSignatureWarning,
    DocumentedTensor,
    check,
    matching,
)

__all__ = [
    "COMMON_SIGNATURES",
    "CommonSignature",
    "CommonSignatureWarning",
    "DocumentedTensor",
    "check",
    "matching",
]
