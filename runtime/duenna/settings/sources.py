"""Where settings come from: the environment over a YAML file over a JSON file over the defaults."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import msgspec
from loguru import logger

from duenna.secrets import redact
from duenna.settings._changes import changes_between
from duenna.settings._environment import check_texts
from duenna.settings._files import read_json, read_yaml, require_yaml
from duenna.settings._validate import Layer, environment_layer, file_layer, settings_of
from duenna.settings.errors import Problem
from duenna.settings.model import Settings

StrPath = str | os.PathLike[str]


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that were read.

    Attributes:
        settings: The settings.
        origins: Of each that is not the default, by its key, who said so: a file as it was named, or `environment`.
    """

    settings: Settings
    origins: dict[str, str]


def _named(path: StrPath | None) -> str | None:
    return None if path is None else os.fspath(path)


@attrs.define(eq=False)
class SettingsSource:
    """Where the settings of a bot are read from, as often as they are asked for.

    For each key the environment comes first, then the YAML file, then the JSON file, then the
    default. Nothing is read but what is given here. A relative path is one from the working
    directory at this moment.

    The YAML file must be there. The JSON file, which programs write, may be missing until it was
    read once: a bot's first start is on defaults, but a file that vanishes later does not silently
    bring them back.

    Attributes:
        env: The variables; None: those of the process, at each reading; ``{}``: none.
        yaml: Path of a YAML file of at most 256 KiB, None: none. Needs the extra `yaml`.
        json: Path of a JSON file of at most 1 MiB, such as `data/settings.json`; None: none.
    """

    env: Mapping[str, str] | None = attrs.field(default=None, kw_only=True, repr=False)
    yaml: str | None = attrs.field(default=None, converter=_named, kw_only=True)
    json: str | None = attrs.field(default=None, converter=_named, kw_only=True)
    _paths: dict[str, Path] = attrs.field(init=False, repr=False)
    _has_seen_json: bool = attrs.field(default=False, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Check what was given.

        Raises:
            ImportError: A YAML file is given and the extra `yaml` is not installed.
            TypeError: An argument is of the wrong type.
        """
        if self.env is not None and not isinstance(self.env, Mapping):
            message = f"SettingsSource: env must be a mapping of texts, got {type(self.env).__name__}"
            raise TypeError(message)
        if self.env is not None:
            check_texts(self.env)
        named = {"yaml": self.yaml, "json": self.json}
        self._paths = {kind: Path(name).absolute() for kind, name in named.items() if name is not None}
        if self.yaml is not None:
            require_yaml()

    def read(self) -> Loaded:
        """Read and check everything; blocks for as long as the disk takes.

        Raises:
            SettingsError: Something is wrong; it has all that is.
            TypeError: By now, a name or a value in ``env`` is no text.
        """
        if self.env is not None:
            check_texts(self.env)
        environment = os.environ if self.env is None else self.env
        layers = [layer for layer in (self._json_layer(), self._yaml_layer()) if layer is not None]
        settings, said = settings_of([*layers, environment_layer(environment)])
        self._has_seen_json = self._has_seen_json or any(layer.source == self.json for layer in layers)
        if self.json is not None and not self._has_seen_json:
            logger.info("settings: {} is not there, so nothing is set by it", self.json)
        return Loaded(settings=settings, origins={".".join(key): each.source for key, each in said.items()})

    def load(self) -> Settings:
        """Read and check everything, and return the settings.

        Raises:
            SettingsError: Something is wrong; it has all that is.
        """
        return self.read().settings

    def reload(self, current: Settings) -> tuple[Settings, dict[str, tuple[str, str]]]:
        """Read everything again, and return it with what differs from *current*, by key: before and now, as text.

        Raises:
            SettingsError: Something is wrong; it has all that is.
        """
        settings = self.load()
        return settings, changes_between(current, settings)

    def _json_layer(self) -> Layer | None:
        if self.json is None:
            return None
        if not self._has_seen_json and _is_missing(self._paths["json"]):
            return None
        return _layer(self.json, read_json, self._paths["json"])

    def _yaml_layer(self) -> Layer | None:
        return None if self.yaml is None else _layer(self.yaml, read_yaml, self._paths["yaml"])


def load_settings(
    *, env: Mapping[str, str] | None = None, yaml: StrPath | None = None, json: StrPath | None = None
) -> Settings:
    """Read settings once: the environment over the YAML file over the JSON file over the defaults.

    Args:
        env: The variables; None: those of the process; ``{}``: none.
        yaml: Path of a YAML file; it must be there. Needs the extra `yaml`.
        json: Path of a JSON file, such as `data/settings.json`; it may be missing.

    Raises:
        ImportError: A YAML file is given and the extra `yaml` is not installed.
        SettingsError: Something is wrong; names the source, the key, the value and what it must be.
        TypeError: An argument is of the wrong type.
    """
    return SettingsSource(env=env, yaml=yaml, json=json).load()


def _is_missing(path: Path) -> bool:
    """Return whether nothing is at *path*; what cannot be looked at, for lack of a right say, is not missing."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return False


def _layer(name: str, read: Any, path: Path) -> Layer:
    try:
        content = read(path)
    except OSError as exc:
        why = f"must be a file that can be read, got {exc.strerror or type(exc).__name__}"
    except ValueError as exc:
        why = redact(" ".join(str(exc).split()))
    else:
        return file_layer(name, content)
    return Layer(name, problems=[Problem(source=name, key="", why=why)])
