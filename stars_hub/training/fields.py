"""The fields of a configuration: declared with a line of help, checked when a value is given."""

import dataclasses
import types
import typing
from typing import Any, Literal

from stars_hub.errors import ConfigError


def option(default: Any, help: str, *, free: bool = False, least: float | None = None) -> Any:
    """A field: its default, a line of help, whether it is `free`, and the least value it may have."""
    return dataclasses.field(default=default, metadata={"help": help, "free": free, "least": least})


def checked(name: str, value: Any, annotation: Any) -> Any:
    """The value in its field's type, lists as tuples and whole numbers as floats where these are wanted."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in parts:
            return None
        return checked(name, value, next(part for part in parts if part is not type(None)))
    if origin is Literal:
        if value not in parts:
            raise ConfigError(f"{name} must be one of {', '.join(map(str, parts))}, got {value!r}")
        return value
    if origin is tuple:
        values = (value,) if isinstance(value, str) else tuple(value)
        if parts[-1] is not Ellipsis and len(values) != len(parts):
            raise ConfigError(f"{name} takes {len(parts)} values, got {value!r}")
        return tuple(checked(name, str(item) if parts[0] is str else item, parts[0]) for item in values)
    if annotation is str and hasattr(value, "__fspath__"):
        return str(value)
    accepted = (int, float) if annotation is float else annotation
    if not isinstance(value, accepted) or (isinstance(value, bool) and annotation is not bool):
        raise ConfigError(f"{name} must be of type {annotation.__name__}, got {value!r}")
    return float(value) if annotation is float else value
