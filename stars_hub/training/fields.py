"""The fields of a configuration: declared with a line of help, checked when a value is given."""

import dataclasses
import math
import numbers
import os
import types
import typing
from typing import Any, Literal

import numpy as np

from stars_hub.errors import ConfigError
from stars_hub.skeletons.store import SkeletonStore


def option(
    default: Any,
    help: str,
    *,
    free: bool = False,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """A field.

    Args:
        default: its value where none is given.
        help: a line that says what it is.
        free: it changes nothing in the result of a run.
        least: the least value that it may have.
        above: in place of `least`, what it must be larger than.
        below: what it must be smaller than; goes with one of the others.
    """
    bounds = {"least": least, "above": above, "below": below}
    return dataclasses.field(default=default, metadata={"help": help, "free": free, "bounds": bounds})


def checked(name: str, value: Any, annotation: Any) -> Any:
    """The value in its field's type: lists as tuples, whole numbers as floats, paths as text where wanted.

    Where a list of text is wanted, a single path or number is one, and a store stands for its folder.

    Raises:
        ConfigError: another type, or a number that is NaN or infinite.
    """
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in parts:
            return None
        return checked(name, value, next(part for part in parts if part is not type(None)))
    if origin is Literal:
        if value not in parts:
            raise ConfigError(f"{name} must be one of {', '.join(map(str, parts))}, got {value!r}")
        return value
    if origin is tuple and parts[-1] is Ellipsis:
        items = [value] if _is_entry(value) else _listed(name, value, "a list of text, paths or numbers")
        return tuple(_entry(name, item) for item in items)
    if origin is tuple:
        items = _listed(name, value, f"a list of {len(parts)} numbers")
        if len(items) != len(parts):
            raise ConfigError(f"{name} takes {len(parts)} values, got {value!r}")
        return tuple(checked(name, item, part) for item, part in zip(items, parts, strict=True))
    if annotation is str and isinstance(value, os.PathLike):
        return os.fspath(value)
    accepted = (int, float) if annotation is float else annotation
    if not isinstance(value, accepted) or (isinstance(value, bool) and annotation is not bool):
        raise ConfigError(f"{name} must be of type {annotation.__name__}, got {value!r}")
    return _finite(name, value) if annotation is float else value


def check_bounds(
    name: str, value: Any, *, least: float | None, above: float | None, below: float | None
) -> None:
    """Compare a number with the bounds of its field, see `option`.

    Raises:
        ConfigError: it lies outside.
    """
    too_low = (least is not None and value < least) or (above is not None and value <= above)
    if not too_low and (below is None or value < below):
        return
    if below is not None:
        low = f"({above:g}" if least is None else f"[{least:g}"
        raise ConfigError(f"{name} must lie in {low}, {below:g}), got {value}")
    expected = f"above {above:g}" if least is None else f"at least {least:g}"
    raise ConfigError(f"{name} must be {expected}, got {value}")


def _finite(name: str, value: float) -> float:
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond all floats
        number = math.inf
    if not math.isfinite(number):
        raise ConfigError(f"{name} must be a finite number, got {value}")
    return number


def _listed(name: str, value: Any, wanted: str) -> list[Any]:
    """The items of what has an order; sets and iterators would give another run each time."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return value.tolist()
    if not isinstance(value, list | tuple | range):
        raise ConfigError(f"{name} takes {wanted}, got {value!r}")
    return list(value)


def _is_entry(value: Any) -> bool:
    single = isinstance(value, str | os.PathLike | numbers.Real | SkeletonStore)
    return single and not isinstance(value, bool)


def _entry(name: str, item: Any) -> str:
    if not _is_entry(item):
        raise ConfigError(f"{name} takes text, paths or numbers, got {item!r}")
    return _folder_of(name, item) if isinstance(item, SkeletonStore) else str(item)


def _folder_of(name: str, store: SkeletonStore) -> str:
    """Where a whole store lies: a run is resumed from what is on disk, not from a selection in memory."""
    if store.fingerprint != SkeletonStore.open(store.folder).fingerprint:
        raise ConfigError(
            f"{name} takes the folders of whole stores, got a selection or a concatenation, {store!r}: name "
            "the folders, and choose by split or subjects; or give the folder that store.copy(folder) writes"
        )
    return str(store.folder)
