"""How the persistent fields of one class become bytes, and come back."""

from __future__ import annotations

from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from duenna.fields import _limits
from duenna.fields._blame import mismatch, refuse_unknown, unencodable
from duenna.fields._kinds import Look
from duenna.fields._migrate import Migration, migrate
from duenna.fields._output import Output, Recorder, Sink
from duenna.fields._parts import head
from duenna.fields._probe import Probe
from duenna.fields._same import same
from duenna.fields._trial import say, tell
from duenna.fields.errors import NewerSchemaError, StateMismatchError, UnencodableStateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from duenna.fields._field import PersistentField


class _Absent:
    """The value of a field that is not there."""


_ABSENT: Final = _Absent()
_encode: Final = msgspec.msgpack.Encoder().encode


class Codec:
    """Makes the persistent fields of one class bytes, a MessagePack map from name to value, and sets them again.

    What was encoded is read back at once and compared with what the fields hold, so that
    nothing is stored that would not come back as it is.

    Attributes:
        kind: The class, for people.
        schema: The version of the fields that it knows.
        money: Whether a field holds what may be set aside by a hand only.
        names: The persistent fields.
        caches: Those that can be rebuilt.
    """

    def __init__(
        self, kind: str, schema: int, fields: Sequence[PersistentField], migrations: Mapping[int, Migration]
    ) -> None:
        """Prepare for *fields*, at least one."""
        self.kind: Final = kind
        self.schema: Final = schema
        self.money: Final = any(field.mark.money for field in fields)
        self.names: Final = tuple(field.name for field in fields)
        self.caches: Final = tuple(field.name for field in fields if field.mark.cache)
        self._fields: Final = tuple(fields)
        self._migrations: Final = dict(migrations)
        record: Any = msgspec.defstruct(
            "Record",
            [(field.name, field.hint, msgspec.field(default=_ABSENT)) for field in fields],
            forbid_unknown_fields=True,
        )
        self._record: Final = record
        self._decode: Final[Callable[[bytes], Any]] = msgspec.msgpack.Decoder(record).decode
        self._get: Final[Callable[[Any], Sequence[Any]]] = _getter(self.names)
        self._is_ordered: Final = any(field.order for field in fields)
        self._is_plain: Final = all(field.look is Look.NOTHING for field in fields)
        self._is_sure: Final = all(field.is_sure for field in fields)
        self._flat: Final = [index for index, field in enumerate(fields) if field.look is Look.ITSELF]
        self._deep: Final = [index for index, field in enumerate(fields) if field.look is Look.ALL]
        self._growing: Final = [(index, field.part) for index, field in enumerate(fields) if field.part.grows]
        self._with_objects: Final = [field for field in fields if field.has_objects]

    def encode(self, actor: Any, *, is_read_back: bool = True) -> bytes:
        """Return the persistent fields of *actor* as bytes.

        Args:
            actor: Whose fields.
            is_read_back: Whether the bytes are decoded and compared, which takes most of the time. Without it, a
                value that is not what its type says is not found before it is restored. What has no type
                (`Any`) is read back in any case, and shared objects and times are looked at.

        Raises:
            UnencodableStateError: A field holds what would not come back as it is.
        """
        if self._is_plain:
            try:
                record = self._record(*self._get(actor))
                data = _encode(record)
                if not is_read_back or self._decode(data) == record:
                    return data
            except Exception:  # noqa: BLE001, S110  # the long way finds out what is wrong, and says so
                pass
        return self._whole(self._values(actor), is_read_back=is_read_back)

    def slices(self, actor: Any, *, is_held: bool = False, is_read_back: bool = True) -> Iterator[bytes | None]:
        """Encode as `encode` does, a little at a time: yield None after each slice, and the bytes at the end.

        The bytes are of one moment, whatever the actor does until the last: of the first, as a
        rule. For this, containers of what cannot change are copied first, which takes about
        1 ms for 100,000 items; what holds objects that can change is encoded first, in about
        20 ms for 100,000 objects, and read back later. An actor of up to 1,000 values is
        encoded at once.

        Args:
            actor: Whose fields.
            is_held: The actor does not run until the last slice, so that nothing is done first.
            is_read_back: As for `encode`.

        Raises:
            UnencodableStateError: A field holds what would not come back as it is.
        """
        values = self._values(actor)
        if self._is_small(values):
            yield self._whole(values, is_read_back=is_read_back)
            return
        output = Output(is_read_back=is_read_back)
        try:
            if is_held:
                yield from self._steps(values, output)
            else:
                recorder = Recorder()
                deque(self._steps(values, recorder), 0)
                yield None
                yield from recorder.play(output)
        except Exception:  # noqa: BLE001  # it is wrong, or was changed in between: all at once says which
            yield self._whole(self._values(actor), is_read_back=is_read_back)
            return
        yield output.value()

    def restore(self, actor: Any, schema: int, data: bytes) -> None:
        """Set the persistent fields of *actor* to what was stored: all of them, or none.

        A field that was not stored stays as it is. Converters do not run; validators do, once
        all fields are set.

        Args:
            actor: A new one.
            schema: The version of the class that stored *data*.
            data: What `encode` returned.

        Raises:
            NewerSchemaError: A later version of the program stored it.
            StateMismatchError: It does not fit the class.
        """
        if schema > self.schema:
            raise NewerSchemaError(self.kind, schema, self.schema)
        if schema < self.schema:
            data = migrate(self.kind, self._migrations, schema, self.schema, data)
        try:
            record = self._decode(data)
        except Exception as exc:
            raise mismatch(self.kind, self._fields, data, exc) from exc
        values = {name: value for name in self.names if (value := getattr(record, name)) is not _ABSENT}
        if self._with_objects and _encode(values) != data:
            refuse_unknown(self.kind, self._with_objects, data)
        before = {name: getattr(actor, name, _ABSENT) for name in values}
        try:
            _set(actor, values)
            self._validate(actor, values)
        except BaseException:
            _set(actor, before)
            raise

    def reset_caches(self, actor: Any) -> None:
        """Set the fields of *actor* that are caches to new defaults."""
        _set(actor, {field.name: field.default(actor) for field in self._fields if field.mark.cache})

    def _values(self, actor: Any) -> Sequence[Any]:
        try:
            return self._get(actor)
        except AttributeError as exc:
            name = next((name for name in self.names if not hasattr(actor, name)), self.names[0])
            raise UnencodableStateError(self.kind, name, "nothing", "it must be set before it is saved") from exc

    def _is_small(self, values: Sequence[Any]) -> bool:
        try:
            return sum(part.weigh([values[index]]) for index, part in self._growing) <= _limits.LARGE
        except RecursionError:  # it holds itself, which is said when it is encoded
            return True

    def _whole(self, values: Sequence[Any], *, is_read_back: bool) -> bytes:
        cause: Exception | None = None
        try:
            record = self._record(*values)
            data = _encode(self._in_order(values) if self._is_ordered else record)
            if (self._is_sure and not is_read_back) or same(record, self._decode(data)):
                self._look(values)
                return data
        except Exception as exc:  # noqa: BLE001  # raised below, as an error that names the field
            cause = exc
        raise unencodable(self.kind, self._fields, values, cause) from cause

    def _look(self, values: Sequence[Any]) -> None:
        probe = Probe()
        if self._flat:
            probe.look([values[index] for index in self._flat], is_deep=False)
        if self._deep:
            probe.look([values[index] for index in self._deep])

    def _in_order(self, values: Sequence[Any]) -> Any:
        both = zip(self._fields, values, strict=True)
        return self._record(*(value if field.order is None else field.order(value) for field, value in both))

    def _steps(self, values: Sequence[Any], sink: Sink) -> Iterator[None]:
        sink.add(head(len(values), is_map=True))
        for field, value in zip(self._fields, values, strict=True):
            sink.add(field.encoded_name)
            yield from field.part.slices(value, sink)

    def _validate(self, actor: Any, values: Mapping[str, Any]) -> None:
        for field in self._fields:
            if field.name in values:
                try:
                    field.validate(actor, values[field.name])
                except Exception as exc:
                    text = say(field.name, values[field.name])
                    raise StateMismatchError(self.kind, field.name, text, tell(field.name, exc)) from exc


def _getter(names: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
    if len(names) > 1:
        get: Callable[[Any], tuple[Any, ...]] = attrgetter(*names)
        return get
    (name,) = names

    def get_one(actor: Any) -> tuple[Any]:
        return (getattr(actor, name),)

    return get_one


def _set(actor: Any, values: Mapping[str, Any]) -> None:
    """Set fields of *actor* past attrs' hooks, which see one field at a time, and would refuse a frozen one."""
    for name, value in values.items():
        if value is _ABSENT:
            object.__delattr__(actor, name)
        else:
            object.__setattr__(actor, name, value)
