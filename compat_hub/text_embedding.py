"""`compat_hub.text_embedding`: modules made from files of word vectors."""

from compat_hub.v1.text_embedding.export import (
    EmbeddingFileError,
    export,
)

__all__ = ["EmbeddingFileError", "export"]
