"""Labels as users have them, names or numbers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from stars_hub.errors import ConfigError


def named_labels(labels: Iterable[Any], numbered: Sequence[str] | None = None) -> list[str]:
    """The name of each label.

    Args:
        labels: names, which stay, or whole numbers.
        numbered: the names that numbers count; None: they are taken as names themselves, 3 is "3".

    Raises:
        ConfigError: a label that counts no name, is -1 (unknown), is empty or neither name nor whole number.

    >>> named_labels([0, "jump"], ["kick", "wave"])
    ['kick', 'jump']
    """
    return [_named(label, place, numbered) for place, label in enumerate(as_list(labels, "labels"))]


def as_list(values: Iterable[Any], what: str) -> list[Any]:
    """One value a recording, as plain Python has them.

    Raises:
        ConfigError: they are no list of values; `what` names them.
    """
    if hasattr(values, "tolist"):  # an array or a tensor
        values = values.tolist()
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise ConfigError(f"{what}: expected one a recording, got {values!r}")
    return list(values)


def is_number(label: Any) -> bool:
    """Whether a label is a whole number, Python's or numpy's."""
    return isinstance(label, int | np.integer) and not isinstance(label, bool)


def _named(label: Any, place: int, numbered: Sequence[str] | None) -> str:
    if label is None or (is_number(label) and label == -1):
        raise ConfigError(f"recording {place} has no label ({label}): leave out what has none")
    if isinstance(label, str) and label:
        return label
    if not is_number(label):
        raise ConfigError(f"recording {place}: a label is a name or a whole number, got {label!r}")
    if numbered is None and label >= 0:
        return str(label)
    if numbered is None or not 0 <= label < len(numbered):
        count = "no" if numbered is None else str(len(numbered))
        raise ConfigError(f"recording {place}: label {label} is outside the {count} classes, counted from 0")
    return numbered[int(label)]


def sorted_names(names: Iterable[str]) -> list[str]:
    """The different names in the order of their classes: numbers by value, else by the alphabet.

    >>> sorted_names(["10", "9", "9"])
    ['9', '10']
    """
    different = set(names)
    if all(name.isdecimal() for name in different):
        return sorted(different, key=lambda name: (int(name), name))
    return sorted(different)
