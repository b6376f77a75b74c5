"""What programs ask of a module before they call it, on a ModuleSpec or a HubModule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from compat_hub.errors import SignatureError, UnknownNameError
from compat_hub.format.tensor_info import TensorInfo

if TYPE_CHECKING:
    from compat_hub.format.spec import ModuleSpec
    from compat_hub.format.variant import Signature

Tags = str | Iterable[str] | None


class SignatureInfo:
    """The methods of tensorflow_hub's `hub.Module` that describe signatures."""

    def _described(self, tags: Tags) -> tuple[ModuleSpec, Tags]:
        """The description to look into, and the tags of the variant that `tags` stands for."""
        raise NotImplementedError

    def _signature(self, name: str | None, tags: Tags) -> Signature:
        spec, tags = self._described(tags)
        # As in tensorflow_hub; calls are content with the only signature, too.
        return spec.signature("default" if name is None else name, tags)

    def get_signature_names(self, tags: Tags = None) -> list[str]:
        """The names of a variant's signatures.

        Args:
            tags: The variant's tags: a set, a list or one string. None is `set()`, or the variant
                that a HubModule is pinned to.

        Returns:
            The names.

        Raises:
            UnknownNameError: There is no such variant.
        """
        spec, tags = self._described(tags)
        return list(spec.variant(tags).signatures)

    def get_input_info_dict(
        self, signature: str | None = None, tags: Tags = None
    ) -> dict[str, TensorInfo]:
        """What a signature takes.

        Args:
            signature: Its name, `"default"` when None.
            tags: As of `get_signature_names`.

        Returns:
            By input name, an object with `dtype`, `get_shape()`, `is_sparse`, `is_composite` and
                `type_spec`.

        Raises:
            UnknownNameError: There is no such variant or signature.
        """
        return dict(self._signature(signature, tags).inputs)

    def get_output_info_dict(
        self, signature: str | None = None, tags: Tags = None
    ) -> dict[str, TensorInfo]:
        """What a signature gives.

        Args:
            signature: Its name, `"default"` when None.
            tags: As of `get_signature_names`.

        Returns:
            By output name, an object with `dtype`, `get_shape()`, `is_sparse`, `is_composite` and
                `type_spec`.

        Raises:
            UnknownNameError: There is no such variant or signature.
        """
        return dict(self._signature(signature, tags).outputs)

    def get_attached_message(
        self, key: str, message_type: Any, tags: Tags = None, required: bool = False
    ) -> Any:
        """A protocol message that the module's author attached to a variant.

        Args:
            key: The name under which it was attached.
            message_type: The class of the message.
            tags: As of `get_signature_names`.
            required: Whether a missing message is an error.

        Returns:
            The message, or None where there is none and `required` is false.

        Raises:
            UnknownNameError: There is no such variant, or no such message and it is required.
            SignatureError: What is attached is not a message of that type.
        """
        spec, tags = self._described(tags)
        variant = spec.variant(tags)
        if key not in variant.attachments:
            if not required:
                return None
            existing = ", ".join(map(repr, variant.attachments)) or "none at all"
            raise UnknownNameError(
                f"There is no attached message {key!r} in {variant.where}. It has: {existing}."
            )
        message = message_type()
        try:
            message.ParseFromString(variant.attachments[key])
        except DecodeError as error:
            raise SignatureError(
                f"The message attached as {key!r} in {variant.where} is not a "
                f"{message_type.__name__}: {error}. Pass the type that its author used."
            ) from error
        return message
