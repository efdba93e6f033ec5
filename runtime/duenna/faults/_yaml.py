"""YAML as plans need it: the safe loader, strict where YAML is lenient. Imports PyYAML: import it when needed."""

import re
from collections.abc import Hashable
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

# The scalars of YAML 1.2's core schema, those of JSON in short. In YAML 1.1, which is PyYAML's, 1e3 is a text,
# 010 is eight, 1:30 is ninety and `no` is false.
_EXPONENT = "[eE][-+]?[0-9]+"
_SCALARS = {
    "null": ("~nN", "null|Null|NULL|~|"),
    "bool": ("tTfF", "true|True|TRUE|false|False|FALSE"),
    "int": ("-+0123456789", "[-+]?(?:0|[1-9][0-9]*)"),
    "float": (
        "-+.0123456789",
        rf"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?={_EXPONENT}))(?:{_EXPONENT})?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    ),
}


class _Loader(yaml.SafeLoader):
    """The safe loader, without aliases (a few lines of them unfold to gigabytes) and without duplicate keys."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - how PyYAML is told; filled below

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            untyped: Any = self
            problem = "there must be no alias; a text that begins with '*' must stand in quotes"
            raise ComposerError(None, None, problem, untyped.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        untyped: Any = self
        seen = set[Hashable]()
        for key_node, _ in node.value:
            key = untyped.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):  # refused below
                continue
            if key in seen:
                problem = f"each key must stand there once, got {key!r} twice"
                raise ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_untyped: Any = _Loader
for _tag, (_first, _pattern) in _SCALARS.items():
    _starts = ["", *_first] if _tag == "null" else list(_first)
    _untyped.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _starts)


def decode(text: str) -> Any:
    """Return what *text* says.

    Raises:
        ValueError: It is no YAML, or has aliases, duplicate keys, tags of other languages or more than one document;
            with the line.
    """
    try:
        return _one(text)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        context = f"{exc.context}: " if exc.context else ""
        hint = "; a text that begins with '*' must stand in quotes" if "alias" in context else ""
        raise ValueError(f"{context}{exc.problem}{hint}{place}") from None
    except yaml.YAMLError as exc:
        raise ValueError(" ".join(str(exc).split())) from None


def _one(text: str) -> Any:
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
