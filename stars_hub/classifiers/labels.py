"""Labels as users have them, names or numbers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from stars_hub.errors import ConfigError


def named_labels(labels: Iterable[Any], label_names: Sequence[str] | None = None) -> list[str]:
    """The name of each label.

    Args:
        labels: names, or whole numbers, which count `label_names` where there are some and else are taken
            as names themselves: 3 is "3".
        label_names: the classes that there are; None: whatever comes.

    Raises:
        ConfigError: a label that is not known, is -1 (unknown), is empty or neither name nor whole number.

    >>> named_labels([0, 1], ["kick", "wave"])
    ['kick', 'wave']
    """
    return [_named(label, place, label_names) for place, label in enumerate(as_list(labels, "labels"))]


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


def _named(label: Any, place: int, label_names: Sequence[str] | None) -> str:
    if label is None or (isinstance(label, int | np.integer) and label == -1):
        raise ConfigError(f"recording {place} has no label ({label}): leave out what has none")
    if isinstance(label, str) and label:
        if label_names is None or label in label_names:
            return label
        raise ConfigError(f"recording {place}: there is no class {label!r}; the classes are {label_names}")
    if not isinstance(label, int | np.integer) or isinstance(label, bool):
        raise ConfigError(f"recording {place}: a label is a name or a whole number, got {label!r}")
    if label_names is None and label >= 0:
        return str(label)
    if label_names is None or not 0 <= label < len(label_names):
        count = "no" if label_names is None else str(len(label_names))
        raise ConfigError(f"recording {place}: label {label} is outside the {count} classes, counted from 0")
    return label_names[int(label)]


def sorted_names(names: Iterable[str]) -> list[str]:
    """The different names in the order of their classes: numbers by value, else by the alphabet.

    >>> sorted_names(["10", "9", "9"])
    ['9', '10']
    """
    different = set(names)
    if all(name.isdecimal() for name in different):
        return sorted(different, key=lambda name: (int(name), name))
    return sorted(different)
