"""What a store takes as metadata: names, labels, and columns of numbers or of text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from stars_hub.errors import StoreError
from stars_hub.skeletons.splits import shorten
from stars_hub.skeletons.store.format import NO_NUMBER


def list_of_values(what: str, values: Any) -> Iterable[Any]:
    """Values one by one; those of an array or a tensor as plain Python has them.

    Raises:
        StoreError: a single value or one text, where many are expected; `what` names them.
    """
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise StoreError(f"{what}: expected a list of values, got {values!r}")
    return values


def check_label_names(label_names: Iterable[str] | None) -> list[str] | None:
    """The names of labels as a list of text.

    Raises:
        StoreError: one text, or names that are not all different.
    """
    if label_names is None:
        return None
    names = [str(name) for name in list_of_values("label_names", label_names)]
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        raise StoreError(f"label_names: expected different names, got {shorten(twice)} more than once")
    return names


def check_label(label: Any, label_names: Sequence[str] | None, name: str) -> int | str | None:
    """A label as the journal keeps it: a number, or text as long as no label names are given.

    Raises:
        StoreError: no such label.
    """
    if label is None or isinstance(label, str):
        if label is None or label_names is None:
            return label
        if label not in label_names:
            raise StoreError(
                f"sequence {name!r}: label {label!r} is not among the label names {list(label_names)}"
            )
        return label_names.index(label)
    if isinstance(label, bool) or not isinstance(label, int | np.integer):
        raise StoreError(f"sequence {name!r}: expected a label as a whole number or text, got {label!r}")
    number = int(label)
    if number == NO_NUMBER:
        return None
    if number < 0 or (label_names is not None and number >= len(label_names)):
        limit = "" if label_names is None else f" and below {len(label_names)}, the number of label names"
        raise StoreError(f"sequence {name!r}: expected a label of 0 or more{limit}, got {number}")
    return number


def storable_value(name: str, value: Any) -> Any:
    """A metadata value as it goes into the journal.

    Raises:
        StoreError: it is neither a number nor text nor None.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and ("\0" in value or not _is_unicode(value)):
        raise StoreError(f"column {name!r}: text with NUL or lone surrogates cannot be stored: {value!r}")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise StoreError(f"column {name!r}: {value} does not fit into 64 bits")
    if value is None or isinstance(value, int | float | str):
        return value
    raise StoreError(
        f"column {name!r}: expected a number or text for each sample, got {type(value).__name__}"
    )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_column_names(names: Mapping[str, Any] | Sequence[str]) -> None:
    """Refuse column names that would not make a file name.

    Raises:
        StoreError: a name is no lower-case identifier.
    """
    for name in names:
        if not (name.isidentifier() and name.isascii() and name == name.lower()):
            raise StoreError(f"column {name!r}: expected a lower-case identifier such as 'camera'")
