"""Recordings with what is known about them, in whichever way the user says it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from stars_hub.classifiers.labels import as_list, is_number, named_labels, sorted_names
from stars_hub.errors import ConfigError, SequenceError
from stars_hub.model.sources import Sequences, count, iter_named, opened
from stars_hub.skeletons.store import SkeletonStore


@dataclass(frozen=True)
class Examples:
    """Recordings to learn from.

    Attributes:
        sequences: as for `STARSEncoder.encode`; an iterator may be walked over once.
        labels: the name of each one's class.
        label_names: the classes, in order; of some there may be no recording.
        subjects: who is recorded in each; None: not known of all.
    """

    sequences: Sequences
    labels: list[str]
    label_names: list[str]
    subjects: list[str] | None

    @property
    def label_ids(self) -> np.ndarray:
        """(N,) int64, each label's place in `label_names`."""
        places = {name: place for place, name in enumerate(self.label_names)}
        return np.array([places[label] for label in self.labels], dtype=np.int64)

    def of_seen_classes(self) -> "Examples":
        """The same without the classes of which there is no recording."""
        seen = set(self.labels)
        return replace(self, label_names=[name for name in self.label_names if name in seen])


def collect(
    sequences: Sequences,
    labels: Iterable[Any] | None = None,
    *,
    subjects: Iterable[Any] | None = None,
    label_names: list[str] | None = None,
    numbered: list[str] | None = None,
) -> Examples:
    """Bring recordings and labels together.

    Args:
        sequences: as for `STARSEncoder.encode`.
        labels: one a recording, names or numbers; None: what the recordings bring along (those of a store, of
            a folder with labels.csv, of `Sequence` objects).
        subjects: one a recording, numbers or text; None: what the recordings bring along.
        label_names: the classes that there are; None: those of the store, if its names are what the labels
            say; else those that numbers count; else those of the labels.
        numbered: the names that numbers count where the recordings come without a list of names; None:
            `label_names`, or if there are none either, numbers are names themselves.

    Raises:
        ConfigError: labels or subjects that lack, cannot be, or are not as many as the recordings.
    """
    sequences = opened(sequences)
    bare = isinstance(sequences, np.ndarray | torch.Tensor)
    if labels is None:
        if not bare and not hasattr(sequences, "__len__") and not hasattr(sequences, "joints"):
            sequences = list(sequences)
        labels = _own(sequences, "label")
        if labels is None or (len(labels) and all(label in (None, -1) for label in labels)):
            raise ConfigError("the recordings bring no labels along: give one a recording, labels=[…]")
    labels = as_list(labels, "labels")
    stores_names = sequences.label_names if isinstance(sequences, SkeletonStore) else None
    names = named_labels(labels, stores_names or numbered or label_names)
    subjects = _own(sequences, "subject") if subjects is None else as_list(subjects, "subjects")
    for what, values in (("label", names), ("subject", subjects)):
        expected = len(names) if count(sequences) is None else count(sequences)
        if values is not None and len(values) != expected:
            raise ConfigError(f"expected a {what} for each of {expected} recordings, got {len(values)}")
    listed = stores_names or (numbered if any(map(is_number, labels)) else None)
    unknown = subjects is None or any(str(subject) in ("", "-1", "None") for subject in subjects)
    return Examples(
        sequences=sequences,
        labels=names,
        label_names=_classes(names, label_names, listed),
        subjects=None if unknown or subjects is None else [str(subject) for subject in subjects],
    )


def iter_seen(sequences: Sequences) -> Iterator[tuple[str, np.ndarray]]:
    """Walk over recordings to learn from, as `iter_named` does.

    Raises:
        SequenceError: a recording that shows nobody; whatever `iter_named` refuses.
    """
    for name, joints in iter_named(sequences):
        if not np.nan_to_num(joints).any():
            raise SequenceError(f"{name}: nobody is seen in it, so there is nothing to learn; leave it out")
        yield name, joints


def _classes(names: list[str], wanted: list[str] | None, listed: list[str] | None) -> list[str]:
    """The classes in order: those wanted, or those of a list that has all names, or the names themselves."""
    if wanted is None:
        return list(listed) if listed and set(names) <= set(listed) else sorted_names(names)
    for place, name in enumerate(names):
        if name not in wanted:
            raise ConfigError(f"recording {place}: there is no class {name!r}; the classes are {wanted}")
    return wanted


def _own(sequences: Sequences, what: str) -> list[Any] | None:
    """What recordings say about themselves, if they are of a kind that does and can be looked at twice."""
    if isinstance(sequences, SkeletonStore):
        values: np.ndarray = sequences.labels if what == "label" else sequences.subjects
        return values.tolist()
    if hasattr(sequences, "joints"):
        return [getattr(sequences, what, None)]
    if isinstance(sequences, np.ndarray | torch.Tensor) or not hasattr(sequences, "__len__"):
        return None
    values_of_each = [getattr(sequence, what, None) for sequence in sequences]
    return values_of_each if all(hasattr(sequence, "joints") for sequence in sequences) else None
