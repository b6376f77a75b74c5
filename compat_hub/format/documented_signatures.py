"""What TensorFlow Hub's documentation says of the common signatures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

import tensorflow as tf

BATCH_SIZE = "batch_size"

_IMAGES_PAGE = "https://www.tensorflow.org/hub/common_signatures/images"
_TEXT_PAGE = "https://www.tensorflow.org/hub/common_signatures/text"


@dataclasses.dataclass(frozen=True)
class DocumentedTensor:
    """One input or output of a common signature.

    Attributes:
        name: Its name, or None where the documentation leaves the name to the module.
        dtype: Its dtype; it is a dense tensor.
        shape: Its sizes: a number where all modules have the same; `"batch_size"` for what the
            caller chooses; another name for what each module fixes.
        docs: What the values mean.
        value_range: The least and the greatest value, where the documentation limits them.
    """

    name: str | None
    dtype: tf.DType
    shape: tuple[int | str, ...]
    docs: str
    value_range: tuple[float, float] | None = None

    def __str__(self) -> str:
        """As in an error message: `float32 [batch_size, height, width, 3]`."""
        return f"{self.dtype.name} [{', '.join(map(str, self.shape))}]"


@dataclasses.dataclass(frozen=True)
class CommonSignature:
    """What modules for one task have in common, so that a program can exchange them.

    Attributes:
        kind: What it is called here.
        description: What such a module does.
        signature_name: The name of the signature besides `"default"`; None where there is none.
        inputs: What it takes; a signature has no other inputs.
        outputs: What it gives; a signature may have other outputs.
        source: The page of the documentation.
    """

    kind: str
    description: str
    signature_name: str | None
    inputs: tuple[DocumentedTensor, ...]
    outputs: tuple[DocumentedTensor, ...]
    source: str


_IMAGES = DocumentedTensor(
    "images",
    tf.float32,
    (BATCH_SIZE, "height", "width", 3),
    "RGB images, channels last, each color between 0 and 1: what tf.image.decode_jpeg() and "
    "tf.image.convert_image_dtype(..., tf.float32) give. compat_hub.get_expected_image_size() "
    "tells the height and width.",
    value_range=(0.0, 1.0),
)

COMMON_SIGNATURES: Mapping[str, CommonSignature] = MappingProxyType(
    {
        common.kind: common
        for common in (
            CommonSignature(
                "image_feature_vector",
                "A vector for each image, to train a classifier of one's own on.",
                "image_feature_vector",
                (_IMAGES,),
                (
                    DocumentedTensor(
                        "default",
                        tf.float32,
                        (BATCH_SIZE, "num_features"),
                        "A feature vector for each whole image, without a spatial breakdown and "
                        "without dropout. num_features does not depend on the images' size.",
                    ),
                ),
                _IMAGES_PAGE + "#feature-vector",
            ),
            CommonSignature(
                "image_classification",
                "Scores of each image for the classes that the module's publisher chose.",
                "image_classification",
                (_IMAGES,),
                (
                    DocumentedTensor(
                        "default",
                        tf.float32,
                        (BATCH_SIZE, "num_classes"),
                        "A score (logit) for each image and class. Whether softmax, sigmoid or "
                        "something else makes probabilities of them, and what the classes are, "
                        "is in the module's own documentation.",
                    ),
                ),
                _IMAGES_PAGE + "#classification",
            ),
            CommonSignature(
                "text_embedding",
                "A vector for each text: a text feature vector.",
                None,
                (
                    DocumentedTensor(
                        None,
                        tf.string,
                        (BATCH_SIZE,),
                        "Texts in UTF-8, as they are: the module does all preprocessing.",
                    ),
                ),
                (
                    DocumentedTensor(
                        "default",
                        tf.float32,
                        (BATCH_SIZE, "num_features"),
                        "The embedding of each text.",
                    ),
                ),
                _TEXT_PAGE + "#text_feature_vector",
            ),
        )
    }
)
