"""What a class must be for its fields to be saved: checked when it is made."""

from __future__ import annotations

from typing import Any, Final

import attrs

from duenna.fields._allowed import checked
from duenna.fields._field import PersistentField
from duenna.fields._hints import resolve
from duenna.fields._kinds import is_mutable, kind_of
from duenna.fields._migrate import check_migrations
from duenna.fields._trial import find
from duenna.fields.codec import Codec
from duenna.fields.field import Mark, mark_of

_NAME: Final = "_duenna_codec"
_UNUSED: Final = kind_of(attrs.field())
"""What a field is until attrs makes the class."""


def codec_of(cls: type) -> Codec | None:
    """Return the codec of *cls*; None: it has no persistent field.

    A class that attrs did not make is checked here, for the first time.

    Raises:
        TypeError: The class cannot be saved, as `check_class` says.
    """
    try:
        codec: Codec | None = cls.__dict__[_NAME]
    except KeyError:
        return check_class(cls)
    return codec


def check_class(cls: type) -> Codec | None:
    """Find what is wrong with the persistent fields of *cls*, and keep its codec for `codec_of`.

    Raises:
        TypeError: A persistent field has no default, no type, or a type whose values would not
            come back as they were; or `schema` or `migrations` are not what they should be; or
            the class lacks ``@attrs.define``.
    """
    for base in cls.__mro__:
        for name, value in vars(base).items():
            if isinstance(value, _UNUSED) and mark_of(value):
                raise TypeError(f"{base.__qualname__}.{name} is persistent, so {base.__qualname__} needs @attrs.define")
    attributes: tuple[Any, ...] = getattr(cls, "__attrs_attrs__", ())
    fields = [_field(cls, attribute, mark) for attribute in attributes if (mark := mark_of(attribute))]
    codec = None
    if fields:
        schema = _schema(cls)
        migrations = check_migrations(cls.__qualname__, schema, getattr(cls, "migrations", {}))
        codec = Codec(cls.__qualname__, schema, fields, migrations)
    setattr(cls, _NAME, codec)
    return codec


def _field(cls: type, attribute: Any, mark: Mark) -> PersistentField:
    where = f"{cls.__qualname__}.{attribute.name}"
    if attribute.name.startswith("_"):
        raise TypeError(f"{where} is persistent, so its name must be public: {attribute.name.lstrip('_')}")
    if attribute.default is attrs.NOTHING:
        raise TypeError(f"{where} is persistent, so it must have a default or a factory for the first start")
    hint = resolve(cls, attribute)
    field = PersistentField(attribute, mark, hint, checked(cls, attribute.name, hint))
    if field.constant is not attrs.NOTHING:
        if is_mutable(field.constant):
            raise TypeError(f"{where} has a default that all actors would share, {field.constant!r}: use a factory")
        if found := find(attribute.name, field.constant, field.decode):
            raise TypeError(f"{where} has the default {found.value}, which is none of its type: {found.why}")
    return field


def _schema(cls: type) -> int:
    schema: Any = getattr(cls, "schema", 1)
    if type(schema) is not int or schema < 1:
        raise TypeError(f"{cls.__qualname__}.schema must be an int of at least 1, got {schema!r}")
    return schema
