"""Whatever a user calls "my sequences", as a stream of named arrays.

One array, a list of them, paths, a store, a generator: each becomes an iterator of (name, array), read
one at a time, so that memory does not grow with the number of recordings.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from stars_hub.errors import SequenceError
from stars_hub.skeletons.layouts import SkeletonLayout
from stars_hub.skeletons.readers import iter_sequences, read_sequence
from stars_hub.skeletons.sequence import LARGEST_COORDINATE, MAX_PERSONS
from stars_hub.skeletons.store import SkeletonStore, is_store

Sequences: TypeAlias = Any
"""(T, V, 3) or (T, M, V, 3) as array or tensor; a path; a store; or an iterable of any of these."""


def iter_named(sequences: Sequences) -> Iterator[tuple[str, np.ndarray]]:
    """Walk over sequences of any kind.

    Args:
        sequences: one array or tensor (T, V, 3) or (T, M, V, 3); a path to a file or a folder; a
            store; or an iterable of arrays, tensors, recordings with `.joints`, and paths to files
            that hold one sequence each.

    Yields:
        Name and float32 array (T, M, V, 2 or 3).

    Raises:
        SequenceError: an array of an impossible shape or type; the name says which.
        SkeletonFileError: a file that cannot be read.
    """
    for name, joints in _iter_raw(sequences):
        yield name, as_persons(joints, name=name)


class NamedSequences:
    """The sequences of a path, of which the names and the layout are of interest too.

    Args:
        path: a file, a folder or a store.

    Attributes:
        layout: the store's; None for files.
        names: of the sequences that have been read so far.
    """

    def __init__(self, path: str | Path) -> None:
        self._sequences = opened(path)
        self.layout = layout_of(self._sequences)
        self.names: list[str] = []

    def __iter__(self) -> Iterator[Any]:
        for sequence in self._sequences:
            self.names.append(sequence.name)
            yield sequence


def opened(sequences: Sequences) -> Sequences:
    """Open what a path leads to, as a store or as an iterator over its files; leave all else as it is."""
    if not isinstance(sequences, str | Path):
        return sequences
    return SkeletonStore.open(sequences) if is_store(sequences) else iter_sequences(sequences)


def layout_of(sequences: Sequences) -> SkeletonLayout | None:
    """The layout that sequences bring along: a store does, a tensor's `layout` is something else."""
    layout = getattr(sequences, "layout", None)
    return layout if isinstance(layout, SkeletonLayout) else None


def count(sequences: Sequences) -> int | None:
    """How many sequences there are, if that is known before they are read."""
    if _is_one(sequences):
        return 1
    return len(sequences) if hasattr(sequences, "__len__") else None


def as_persons(joints: Any, *, name: str) -> np.ndarray:
    """Bring one sequence to the form (T, M, V, C) in float32, or say why it has none.

    Args:
        joints: (T, V, C) or (T, M, V, C) with C of 2 or 3, anything that numpy takes.
        name: for the error message.

    Raises:
        SequenceError: another shape, no frames, numbers that are infinite, or things that are none.
    """
    array = _as_array(joints, name=name)
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.shape[-1] not in (2, 3) or 0 in array.shape:
        hint = (
            "nested lists go through numpy.asarray" if array.ndim == 2 else "several sequences go in a list"
        )
        raise SequenceError(
            f"{name}: expected a sequence (T, V, 3) or (T, M, V, 3) with T >= 1, got {np.shape(joints)}; "
            f"{hint}"
        )
    if array.shape[1] > MAX_PERSONS:
        raise SequenceError(
            f"{name}: {tuple(array.shape)} reads as (T, M, V, 3) with {array.shape[1]} persons; "
            "if it is a batch (N, T, V, 3), pass a list of its sequences: list(batch)"
        )
    if (np.abs(array) > LARGEST_COORDINATE).any():
        raise SequenceError(
            f"{name}: coordinates are infinite or beyond {LARGEST_COORDINATE:g}; unknown is NaN"
        )
    return array


def _as_array(joints: Any, *, name: str) -> np.ndarray:
    if isinstance(joints, torch.Tensor):
        joints = joints.detach().cpu().float().numpy()
    try:
        array = np.asarray(joints)
        if array.dtype.kind not in "fiu":
            raise TypeError(f"they are {array.dtype}")
        return array.astype(np.float32, copy=False)
    except (TypeError, ValueError) as error:
        raise SequenceError(f"{name}: coordinates must be numbers in a regular array ({error})") from error


def _is_one(sequences: Sequences) -> bool:
    return isinstance(sequences, np.ndarray | torch.Tensor) or hasattr(sequences, "joints")


def _iter_raw(sequences: Sequences) -> Iterator[tuple[str, Any]]:
    sequences = opened(sequences)
    if _is_one(sequences):
        yield _named(sequences, "the sequence")
    elif isinstance(sequences, Iterable) and not isinstance(sequences, Mapping | Set | bytes):
        for index, item in enumerate(sequences):
            yield _named(item, f"sequence {index}")
    else:
        raise SequenceError(f"expected sequences, a path or a store, got {type(sequences).__name__}")


def _named(item: Any, default: str) -> tuple[str, Any]:
    if isinstance(item, str | Path):
        return str(item), read_sequence(item)
    return getattr(item, "name", None) or default, getattr(item, "joints", item)
