"""What users ask a store for: samples by index, and values of its columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stars_hub.errors import StoreError
from stars_hub.skeletons.splits import as_list, find_values, known_values, shorten
from stars_hub.skeletons.store.format import NO_NUMBER


def rows_of(which: Any, num_samples: int) -> np.ndarray:
    """Indices of a mask's samples; indices as they are.

    Args:
        which: (N,) bool or int; or nothing.
        num_samples: of the store.

    Raises:
        StoreError: neither mask nor indices, a mask of another length, or an index beyond the store.
    """
    indices = np.asarray(which)
    if indices.size == 0:
        return np.empty(0, dtype=np.int64)
    if indices.ndim != 1 or indices.dtype.kind not in "biu":
        raise StoreError(
            f"select: expected a mask or indices (N,), got {indices.dtype} of shape {indices.shape}"
        )
    if indices.dtype.kind == "b":
        if len(indices) != num_samples:
            raise StoreError(f"select: the mask has {len(indices)} entries, the store {num_samples} samples")
        return np.flatnonzero(indices)
    if indices.min() < -num_samples or indices.max() >= num_samples:
        raise StoreError(
            f"select: indices must be below {num_samples}, the number of samples, got {indices.max()}"
        )
    return indices


def known_or_refuse(name: str, wanted: Any, values: np.ndarray) -> list[Any]:
    """The values of a column that are asked for, see `find_values`.

    Args:
        name: of the column.
        wanted: a value or many.
        values: (S,) the column.

    Raises:
        StoreError: the column lacks some of them.
    """
    found, unknown = find_values(wanted, values)
    if unknown:
        raise StoreError(
            f"no sample has the {name} {shorten(unknown)}; this store has "
            f"{shorten(known_values(values).tolist()) or 'none that is known'}"
        )
    return found


def label_numbers(wanted: Any, names: Sequence[str] | None, num_labels: int) -> list[int]:
    """The numbers of labels that are given by number or by name.

    Args:
        wanted: a label or many; -1: samples without one.
        names: the name of each label, or None.
        num_labels: how many there are.

    Raises:
        StoreError: there is no such label.
    """
    asked = as_list(wanted)
    named = [label for label in asked if isinstance(label, str)] if names is not None else []
    numbered = [label for label in asked if label not in named]
    numbers, unknown = find_values(numbered, np.arange(NO_NUMBER, num_labels))
    order = {} if names is None else {name: number for number, name in enumerate(names)}
    unknown += [label for label in named if label not in order]
    if unknown:
        there = shorten(range(num_labels) if names is None else names)
        raise StoreError(f"there is no label {shorten(unknown)}; the labels are {there}")
    return numbers + [order[label] for label in named]
