"""What a codec knows of one field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec
from msgspec import inspect as types

from duenna.fields._kinds import is_sure, look_of
from duenna.fields._order import ordering
from duenna.fields._parts import Part
from duenna.fields._unknown import has_objects

if TYPE_CHECKING:
    from duenna.fields.field import Mark

_FACTORY: Final[type] = type(attrs.Factory(list[Any]))
_CONVERTER: Final[Any] = attrs.Converter
_encode: Final = msgspec.msgpack.Encoder().encode


class PersistentField:
    """A persistent field of a class: how its value is encoded, looked at, read back, and made anew."""

    def __init__(self, attribute: Any, mark: Mark, hint: Any, info: types.Type) -> None:
        """Prepare for the attrs *attribute* with the *mark*, of the type *hint*, which is *info* to msgspec."""
        self.name: Final[str] = attribute.name
        self.mark: Final = mark
        self.hint: Final = hint
        self.info: Final = info
        self.encoded_name: Final = _encode(self.name)
        self.look: Final = look_of(info)
        self.is_sure: Final = is_sure(info)
        self.has_objects: Final = has_objects(info)
        self.decode: Final = msgspec.msgpack.Decoder(hint).decode
        self.order: Final = ordering(info)
        self.part: Final = Part(hint, {})
        self._attribute: Final = attribute

    @property
    def constant(self) -> Any:
        """The default that all new actors have, as it is; NOTHING if a factory or a converter makes it."""
        is_made = isinstance(self._attribute.default, _FACTORY) or self._attribute.converter is not None
        return attrs.NOTHING if is_made else self._attribute.default

    def default(self, actor: Any) -> Any:
        """Return a new default for *actor*, converted as attrs does it."""
        value = default = self._attribute.default
        if isinstance(default, _FACTORY):
            made: Any = default
            value = made.factory(actor) if made.takes_self else made.factory()
        converter: Any = self._attribute.converter
        if converter is None:
            return value
        if not isinstance(converter, _CONVERTER):
            return converter(value)
        extra = [actor] * converter.takes_self + [self._attribute] * converter.takes_field
        return converter.converter(value, *extra)

    def validate(self, actor: Any, value: Any) -> None:
        """Ask the field's validator about *value*, unless attrs' validators are off."""
        if self._attribute.validator is not None and not attrs.validators.get_disabled():
            self._attribute.validator(actor, self._attribute, value)
