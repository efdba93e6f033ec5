"""The fields of an actor that outlive it."""

from duenna.fields.classes import check_class, codec_of
from duenna.fields.codec import Codec
from duenna.fields.errors import NewerSchemaError, StateMismatchError, UnencodableStateError
from duenna.fields.field import persistent

__all__ = [
    "Codec",
    "NewerSchemaError",
    "StateMismatchError",
    "UnencodableStateError",
    "check_class",
    "codec_of",
    "persistent",
]
