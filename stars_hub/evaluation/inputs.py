"""What protocols are asked about: labelled recordings to learn from, and others to be tested on."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from stars_hub.errors import ConfigError
from stars_hub.skeletons.store import SkeletonStore

Recordings: TypeAlias = SkeletonStore | str | Path
"""A store, or the folder of one."""


class LabelledSplit(NamedTuple):
    """Labelled recordings, and their labels numbered 0 … K - 1 without gaps over both parts.

    Attributes:
        train: what may be learned from.
        test: what is asked about.
        classes: (K,) the stores' label of each class, ascending.
        label_names: K names.
    """

    train: SkeletonStore
    test: SkeletonStore
    classes: np.ndarray
    label_names: list[str]

    def number(self, labels: np.ndarray) -> np.ndarray:
        """The classes (N,) of the stores' labels (N,)."""
        return np.searchsorted(self.classes, labels)

    @property
    def train_labels(self) -> np.ndarray:
        """(N,) classes of the training recordings."""
        return self.number(self.train.labels)

    @property
    def test_labels(self) -> np.ndarray:
        """(N,) classes of the test recordings."""
        return self.number(self.test.labels)

    @property
    def fingerprints(self) -> dict[str, str]:
        """What provenance says of the data."""
        return {"train": self.train.fingerprint, "test": self.test.fingerprint}

    @property
    def counts(self) -> dict[str, int]:
        """How much there is of everything."""
        return {
            "training recordings": len(self.train),
            "test recordings": len(self.test),
            "classes": len(self.classes),
        }


def open_split(
    data: Recordings,
    test: Recordings | None = None,
    *,
    split: str | None = None,
    subjects: Iterable[Any] = (),
    classes: Iterable[Any] = (),
) -> LabelledSplit:
    """Open recordings and divide them into training and test, in one of three ways.

    Recordings without a label are left out.

    Args:
        data: all recordings, or the training ones where `test` is given.
        test: the test recordings, from a store of their own; labels are matched by name.
        split: the name of a split that the store declares.
        subjects: their recordings are the test, those of all other known subjects the training.
        classes: only recordings of these labels, by number or name; all if there are none. Text that is the
            name of a label is that name, other text of digits a number.

    Raises:
        ConfigError: not exactly one way was given, or a part has no labelled recording.
        StoreError: a store cannot be opened, or knows no such split or label.
    """
    held_out = [str(subject) for subject in subjects]
    ways = {"test": test is not None, "split": split is not None, "subjects": bool(held_out)}
    if sum(ways.values()) != 1:
        raise ConfigError(
            "expected one of test (a store), split (a name) and subjects (to hold out), got "
            f"{' and '.join(way for way, given in ways.items() if given) or 'none'}"
        )
    store = open_store(data)
    if test is not None:
        parts = _numbered_alike(store, open_store(test))
    elif split is not None:
        parts = store.split(split)
    else:
        parts = _hold_out(store, held_out)
    return labelled(*parts, classes=classes)


def labelled(train: SkeletonStore, test: SkeletonStore, *, classes: Iterable[Any] = ()) -> LabelledSplit:
    """Number the labels of two stores that number them alike without gaps, and leave others out.

    Args:
        train: what may be learned from.
        test: what is asked about.
        classes: as for `open_split`.

    Raises:
        ConfigError: a part has no labelled recording.
    """
    names = train.label_names
    wanted = [_name_or_number(label, names or []) for label in classes]
    chosen = []
    for role, part in (("training", train), ("test", test)):
        part = part.select(part.labels >= 0)
        chosen.append(part.select(label=wanted) if wanted else part)
        if not len(chosen[-1]):
            raise ConfigError(f"there is no labelled recording in the {role} part")
    present = np.unique(np.concatenate([part.labels for part in chosen]))
    shown = [str(label) if names is None else names[label] for label in present]
    return LabelledSplit(chosen[0], chosen[1], present, shown)


def open_store(data: Recordings) -> SkeletonStore:
    """Open a folder; leave a store as it is."""
    return data if isinstance(data, SkeletonStore) else SkeletonStore.open(data)


def _name_or_number(label: Any, names: list[str]) -> Any:
    """Names may be numbers themselves, such as those of exercises: then they say which label is meant."""
    return int(label) if str(label).isdecimal() and label not in names else label


def _numbered_alike(train: SkeletonStore, test: SkeletonStore) -> tuple[SkeletonStore, SkeletonStore]:
    if train.label_names == test.label_names:
        return train, test
    joined = SkeletonStore.concatenate([train, test])
    return joined[: len(train)], joined[len(train) :]


def _hold_out(store: SkeletonStore, held_out: list[str]) -> tuple[SkeletonStore, SkeletonStore]:
    known = store.known_subjects
    asked, unknown = store.are_of(held_out)
    if unknown:
        raise ConfigError(
            f"no recording is of subject {', '.join(unknown)}; there are {', '.join(known) or 'none'}"
        )
    return store.select(store.are_of(known)[0] & ~asked), store.select(asked)
